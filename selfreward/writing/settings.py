"""The prompts of a round as settings: those of the training set, and new ones that a model writes."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from selfreward.backends import AnyBackend
from selfreward.backends.abilities import Ability
from selfreward.data.overlap import OverlapSpec
from selfreward.judges.asked_policy import AskedPolicy, check_engine, check_policy
from selfreward.judges.base import JudgeBase
from selfreward.spec import Spec, execution, neutral


class PromptsBase(Spec):
    """What a round asks of the training set: all its prompts, or `count` of them.

    `slice` takes the next `count` in the order of the source and starts over at the end; `without_replacement` draws
    `count` at random that no earlier round has had. `human` prompts of the human pool, with answers that are not spent
    yet (`mix.max_uses`), are sampled along, to pair their human answers with the policy's own.
    """

    per_round: Literal["all", "slice", "without_replacement"] = "all"
    count: PositiveInt | None = None
    human: NonNegativeInt = 0

    @model_validator(mode="after")
    def _count_goes_with_its_mode(self) -> "PromptsBase":
        if (self.per_round == "all") != (self.count is None):
            raise ValueError(
                f"prompts.per_round={self.per_round} with prompts.count={self.count}: a slice or a draw, and nothing "
                "else, needs prompts.count=<prompts a round>"
            )
        return self

    @property
    def draws(self) -> bool:
        """Whether luck decides which prompts are asked; where it does not, all seeds ask the same ones."""
        return self.per_round == "without_replacement" or self.human > 0

    @property
    def reads_training(self) -> bool:
        """Whether the training set before is an input: its ledger says which human examples are spent."""
        return self.draws


class TrainingPrompts(PromptsBase):
    """Prompts of the training set and of people alone."""

    kind: Literal["training"] = neutral("training")


class WriterBase(AskedPolicy, PromptsBase):
    """New prompts beside those of the training set: who writes them, how many, and what is left out.

    The writer is frozen: `policy` is the initial policy, an `external` model in the folder `path` that is talked to as
    `chat` says, or the `endpoint` that `backend` names; `backend` is the engine that holds it, None for the run's. It
    writes until `budget` prompts are kept or `max_draws` replies were drawn, `batch` replies a call.

    `share` is that of the new prompts in a round of `budget` of them: training prompts are drawn at random to make up
    the rest; 1 asks new prompts only, None asks all training prompts of the round beside them. Fewer new prompts than
    `budget` are not made up for.

    What is left out, in this order: what has no form (no text, cut, markup, a whole dialogue); what is not in
    `language`; what has fewer than `min_words` words or more than `max_characters`; what asks the same as a training
    prompt or an earlier new one; what asks the same as a prompt that is measured on; with `answerable`, what the writer
    itself says that no assistant can answer from its text. What asks the same is told as `overlap` says.
    """

    policy: Literal["initial", "external", "endpoint"] = execution("initial")
    budget: PositiveInt = 64
    max_draws: PositiveInt = 256
    batch: PositiveInt = 32
    share: float | None = Field(0.5, gt=0, le=1)
    temperature: float = Field(0.7, ge=1e-3, le=1e3)
    top_p: float = Field(0.9, gt=0, le=1)
    max_new_tokens: PositiveInt = 256
    language: Literal["english", "any"] = "english"
    min_words: PositiveInt = 3
    max_characters: PositiveInt = 600
    overlap: OverlapSpec = OverlapSpec()
    answerable: bool = False

    @model_validator(mode="after")
    def _share_is_of_all_prompts(self) -> "WriterBase":
        if self.share is not None and self.per_round != "all":
            raise ValueError(
                f"prompts.share={self.share:g} with prompts.per_round={self.per_round}: the share says how many "
                "training prompts are asked; set prompts.share=null, or prompts.per_round=all and prompts.count=null"
            )
        return self

    @property
    def draws(self) -> bool:
        """What is written is drawn."""
        return True

    @property
    def reads_training(self) -> bool:
        """Whether human prompts are sampled along."""
        return self.human > 0

    @property
    def needs(self) -> frozenset[Ability]:
        """What the engine of the writer must be able to do."""
        return super().needs | {"draw"}

    @property
    def needs_examples(self) -> bool:
        """Whether it is shown training prompts."""
        return False

    @property
    def training_prompts(self) -> int | None:
        """How many training prompts a round asks beside the new ones; None for all of the round."""
        return None if self.share is None else round(self.budget * (1 - self.share) / self.share)


class SelfInstruct(WriterBase):
    """New prompts by examples: `per_reply` are asked for at a time, behind `examples` drawn at random for each reply.

    Up to `own_examples` of these are new prompts of earlier, the others training prompts.
    Source: Self-Instruct (2212.10560), whose eight examples have two of the model's own; Self-Rewarding LMs
    (2401.10020) write their prompts so. The filters differ: theirs leaves out by ROUGE-L above 0.7, which drops
    templates that ask other things.
    """

    kind: Literal["self_instruct"] = "self_instruct"
    examples: PositiveInt = 8
    own_examples: NonNegativeInt = 2
    per_reply: PositiveInt = 4

    @model_validator(mode="after")
    def _some_example_is_a_training_prompt(self) -> "SelfInstruct":
        if self.own_examples >= self.examples:
            raise ValueError(
                f"prompts.own_examples={self.own_examples} of prompts.examples={self.examples} leaves no training "
                f"prompt among them: set prompts.own_examples to at most {self.examples - 1}"
            )
        return self

    @property
    def needs_examples(self) -> bool:
        """It is shown some."""
        return True


class Magpie(WriterBase):
    """New prompts that the model writes itself behind the opening of a user turn, without examples.

    Source: Magpie (2406.08464), which draws at temperature 1 from all tokens; the filters are those of this project.
    """

    kind: Literal["magpie"] = "magpie"
    temperature: float = Field(1.0, ge=1e-3, le=1e3)
    top_p: float = Field(1.0, gt=0, le=1)
    max_new_tokens: PositiveInt = 128

    @property
    def needs(self) -> frozenset[Ability]:
        """The engine draws from tokens that end in the midst of a conversation."""
        return super().needs | {"weights", "raw_tokens"}


AnyWriter = SelfInstruct | Magpie
AnyPrompts = TrainingPrompts | AnyWriter
PromptsSpec = Annotated[AnyPrompts, Field(discriminator="kind")]


def check_writer(spec: AnyPrompts, run_engine: AnyBackend, judge: JudgeBase, *, scripted: bool) -> None:
    """Raises ValueError for a writer that is not named rightly or cannot be held, and a judge that needs references."""
    if isinstance(spec, TrainingPrompts):
        return
    engine = spec.backend or run_engine
    ways = ["prompts=self_instruct"] if spec.kind == "magpie" else []
    part = f"prompts={spec.kind} with prompts.policy={spec.policy}"
    check_engine(part, spec.needs, engine, setting="prompts", scripted=scripted, ways=ways)
    check_policy("prompts", spec, engine)
    if judge.why_lacking("judge", ()) is not None:
        raise ValueError(
            f"prompts={spec.kind} with judge={judge.called}: it needs columns of a prompt's row, and new prompts have "
            "none; set prompts=default, or give those parameters a default"
        )
    if judge.uses_references is not None:
        raise ValueError(
            f"prompts={spec.kind} with judge={judge.called}: {judge.uses_references}, and new prompts have none; set "
            "prompts=default, or a judge that needs no reference, as judge=rubric"
        )


def check_asks_training(spec: AnyPrompts) -> None:
    """Raises ValueError where new prompts are to be written and only training prompts can be asked."""
    if spec.kind != "training":
        raise ValueError(f"prompts={spec.kind}: seed-judge asks training prompts alone, set prompts=default")
