"""A policy that scores one answer at a time by a rubric: replies drawn and read, or the expected score in one pass."""

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from selfreward.backends.base import Advance, Backend
from selfreward.judges.ask_policy import ask_for_means, ask_for_replies, read_reply
from selfreward.judges.base import Item, Judge, Means, Scale
from selfreward.judges.pointwise import fields, in_step, pointwise, shared
from selfreward.judges.prompted import PromptedJudgeBase
from selfreward.judges.prompting import Rubric
from selfreward.judges.reply import explained_pattern
from selfreward.judges.scale import spelled
from selfreward.records import Judgment, digest_of
from selfreward.spec import identity

_NO_REFERENCE = "the prompt has no reference to show"


class RubricSpec(PromptedJudgeBase):
    """Scores an answer on the rubric's scale.

    `sampled` draws `repeats` replies a candidate, each a judgment of its own; `expected` takes the mean of the scores,
    weighted by their probabilities.

    Source: the additive rubric and averaged replies of Yuan et al. 2024 (2401.10020); the expected score of Lee et al.
    2023 (2309.00267), here on the rubric's own scale.
    """

    kind: Literal["rubric"] = "rubric"
    rubric: Rubric
    method: Literal["sampled", "expected"] = "sampled"
    repeats: PositiveInt = 1
    temperature: float = Field(0.7, ge=0)

    @model_validator(mode="after")
    def _fits_together(self) -> "RubricSpec":
        if self.method == "sampled" and self.temperature == 0 and self.repeats > 1:
            raise ValueError(
                f"judge.repeats={self.repeats} at judge.temperature=0 would draw one reply {self.repeats} times: set "
                "judge.repeats=1, or a temperature"
            )
        self.check_form(self.rubric)
        return self

    @property
    def draws(self) -> bool:
        """Whether replies are drawn with luck."""
        return self.method == "sampled" and self.temperature > 0

    @property
    def scale(self) -> Scale:
        """That of the rubric."""
        return self.rubric.scale.lowest, self.rubric.scale.highest

    @property
    def uses_references(self) -> str | None:
        """To show one, where the rubric does."""
        return "the rubric shows a reference" if self.rubric.needs("reference") else None

    def build(self, means: Means) -> Judge:
        """The judge over the backend that holds the judging policy."""
        backend, policy = means.held
        name = digest_of("rubric", identity(self), policy.digest)
        return Judge(name, partial(judge_by_rubric, self, name, backend))


def judge_by_rubric(
    spec: RubricSpec, name: str, backend: Backend, items: Sequence[Item], seed: int, advance: Advance
) -> list[Judgment]:
    """The judgments of each item, in order: `spec.repeats` of them if sampled, else one.

    Candidates of a prompt with the same text are judged once. Where the prompt lacks the reference that the rubric
    shows, they are unparsed. Usage counts every reply as asked by itself.
    """
    rubric, sampled = spec.rubric, spec.method == "sampled"
    asked: list[Item] = []
    unasked: list[Item] = []
    for item in chain.from_iterable(fields(items).values()):
        (asked if item[0].references or not rubric.needs("reference") else unasked).append(item)
    conversations = [rubric.ask_about(prompt, one.text, explained=sampled) for prompt, one in asked]
    scores = {spelled(score): score for score in rubric.scale.values()}
    repeats = spec.repeats if sampled else 1
    advance = in_step(len(asked) * repeats, len(items), advance)
    if sampled:
        sampling = spec.sampling(repeats, explained_pattern(rubric.label, list(scores), spec.max_new_tokens))
        drawn = ask_for_replies(backend, conversations, sampling, seed, advance)
        readings = [
            [read_reply(reply, partial(rubric.read, answer=one.text)) for reply in replies]
            for (_, one), replies in zip(asked, drawn, strict=True)
        ]
    else:
        readings = [[one] for one in ask_for_means(backend, conversations, scores, spec.min_mass, advance)]
    judgment = partial(pointwise, judge=name, rubric=rubric.name)
    judgments = [
        judgment(item, outcome=one.outcome, score=one.value, raw=one.raw, usage=one.usage, repeat=number)
        for item, of_item in zip(asked, readings, strict=True)
        for number, one in enumerate(of_item)
    ]
    judgments += [judgment(item, outcome="unparsed", raw=_NO_REFERENCE) for item in unasked]
    return shared(items, judgments)
