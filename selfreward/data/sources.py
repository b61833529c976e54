"""The sources that come with the project, and the union of all sources."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from selfreward.artifacts.atomic_files import sha256_of
from selfreward.backends.scripted_policy import outcome_text
from selfreward.data.embedded import EVERYDAY, load_everyday, load_piqa, load_piqa_pairs, load_truthfulqa
from selfreward.data.held_out_sets import in_set
from selfreward.data.overlap import OverlapSpec
from selfreward.data.own import OwnData
from selfreward.data.red_team import GOLD, HELD_OUT, RED_TEAM, TRAIN, load_red_team, load_red_team_gold
from selfreward.data.roles import HumanAnswer, HumanPair, Role, Row, WhyUnfit, takes_any
from selfreward.data.wheels import asset_data
from selfreward.records import GoldPair, Prompt, digest_of, make_prompt
from selfreward.spec import Spec, execution, neutral

# The outcomes that people give in the scripted world: one that most give, and some of the policy's tail.
_PEOPLE_SAY = (1, 1, 5, 10)
# The numbers that the questions of a scripted role differ by from those of all others.
_SCRIPTED = {
    "train": 0,
    "held_out": 1,
    "probe": 2,
    "human": 3,
    "gold_gate": 4,
    "gold_final": 5,
    "human_pairs": 6,
    "red_team": 7,
}


class SizedData(Spec):
    """How many rows each role takes; `system` is the system turn of every conversation, empty for none."""

    system: str = "Answer in one short sentence."
    train_closed: NonNegativeInt = 64
    train_open: NonNegativeInt = 24
    held_out_closed: NonNegativeInt = 60
    held_out_open: NonNegativeInt = 12
    probe_closed: NonNegativeInt = 12
    probe_open: NonNegativeInt = 24
    human: NonNegativeInt | None = None
    gold_gate: NonNegativeInt = 40
    gold_final: NonNegativeInt = 40
    overlap: OverlapSpec = execution(OverlapSpec())
    red_team_held_out: NonNegativeInt = neutral(0)

    def has(self, role: Role) -> bool:
        """Whether there is a table of a role, perhaps an empty one: not of feedback, of red_team where asked for."""
        return role != "feedback" and (role != "red_team" or self.red_team_held_out > 0)


class EmbeddedData(SizedData):
    """Everyday questions (closed), TruthfulQA questions and human answers (open), PIQA pairs (gold, human pairs).

    Human pairs are taken from the end of the part that `gold_gate` is taken from the start of; where both meet, the
    check for overlaps drops the pairs. Of the project's red-team prompts `red_team_train` are asked with the training
    prompts, `red_team_held_out` are the role `red_team`, and `red_team_gold` pairs go to each of both gold sets.
    """

    kind: Literal["embedded"] = "embedded"
    human_pairs: NonNegativeInt = neutral(0)
    red_team_train: NonNegativeInt = neutral(0, le=TRAIN)
    red_team_held_out: NonNegativeInt = neutral(0, le=HELD_OUT)
    red_team_gold: NonNegativeInt = neutral(0, le=GOLD)

    def fingerprint(self, _: Role) -> str:
        """A digest of the files behind the rows."""
        red_team = self.red_team_train or self.red_team_held_out or self.red_team_gold
        files = (EVERYDAY, asset_data("truthfulqa"), asset_data("piqa"), *((RED_TEAM,) if red_team else ()))
        return digest_of([sha256_of(path) for path in files])

    def rows(self, role: Role, _: WhyUnfit = takes_any) -> Iterator[Row]:
        """The rows of a role, in an order that depends on their content alone; none for other roles."""
        match role:
            case "train":
                yield from load_everyday("train", self.system)[: self.train_closed]
                yield from load_truthfulqa("train", self.system)[: self.train_open]
                yield from load_red_team("train", self.system)[: self.red_team_train]
            case "held_out":
                yield from load_everyday("held_out", self.system)[: self.held_out_closed]
                yield from load_truthfulqa("final", self.system)[: self.held_out_open]
            case "probe":
                # The probe takes held-out questions from the end, evaluation from the start.
                yield from load_everyday("held_out", self.system)[::-1][: self.probe_closed]
                yield from load_truthfulqa("probe", self.system)[: self.probe_open]
            case "red_team":
                yield from load_red_team("held_out", self.system)[: self.red_team_held_out]
            case "human":
                asked = load_truthfulqa("pool", self.system)
                pool = [HumanAnswer(prompt=one, text=answer) for one in asked for answer in one.references]
                # To learn "I have no comment" would be to learn to decline.
                yield from [one for one in pool if one.text.rstrip(".") != "I have no comment"][: self.human]
            case "human_pairs":
                yield from load_piqa_pairs(self.human_pairs, system=self.system)
            case "gold_gate":
                yield from load_piqa("gate", system=self.system)[: self.gold_gate]
                yield from load_red_team_gold(role, self.system)[: self.red_team_gold]
            case "gold_final":
                yield from load_piqa("final", system=self.system)[: self.gold_final]
                yield from load_red_team_gold(role, self.system)[: self.red_team_gold]


class ScriptedData(SizedData):
    """Sums and made-up topics without end, for tests, benchmarks and documentation; no file is read.

    With `held_out_shifted`, held-out prompts are two sets: `in_distribution`, those that there are without it, and
    `shifted`, so many sums of three numbers, of which the scripted policy adds up the first two.
    """

    kind: Literal["scripted"] = "scripted"
    # Its topics differ in their numbers alone, and no two roles share one.
    overlap: OverlapSpec = execution(OverlapSpec(near=None))
    human: NonNegativeInt = 200
    human_pairs: NonNegativeInt = neutral(0)
    held_out_shifted: NonNegativeInt = neutral(0)

    def fingerprint(self, _: Role) -> str:
        """Nothing is read, so nothing can change."""
        return "scripted-3"

    def rows(self, role: Role, _: WhyUnfit = takes_any) -> Iterator[Row]:
        """The rows of a role; roles use different numbers, and there is no `target`."""
        match role:
            case "held_out" if self.held_out_shifted:
                yield from (in_set(prompt, "in_distribution") for prompt in self._asked(role))
                yield from (in_set(self._sum(role, n, 1), "shifted") for n in range(self.held_out_shifted))
            case "train" | "held_out" | "probe":
                yield from self._asked(role)
            case "red_team":
                yield from (self._topic(role, number) for number in range(self.red_team_held_out))
            case "human":
                for number in range(self.human):
                    prompt = self._topic(role, number)
                    yield HumanAnswer(prompt=prompt, text=prompt.references[number % len(prompt.references)])
            case "human_pairs":
                for number in range(self.human_pairs):
                    prompt = self._sum(role, number)
                    right, wrong = _answers(prompt, -1)
                    yield HumanPair(prompt=prompt, chosen=right, rejected=wrong, margin=None)
            case "gold_gate" | "gold_final":
                for number in range(getattr(self, role)):
                    prompt = self._sum(role, number)
                    right, wrong = _answers(prompt, 1)
                    id_ = digest_of("gold", prompt.id)
                    yield GoldPair(id=id_, messages=prompt.messages, right=right, wrong=wrong, source="scripted")

    def _asked(self, role: Role) -> Iterator[Prompt]:
        yield from (self._sum(role, number) for number in range(getattr(self, f"{role}_closed")))
        yield from (self._topic(role, number) for number in range(getattr(self, f"{role}_open")))

    def _sum(self, role: Role, number: int, *more: int) -> Prompt:
        terms = (number + 1, 10 * _SCRIPTED[role] + number % 10, *more)
        return make_prompt(
            f"What is {' + '.join(map(str, terms))}?",
            system=self.system,
            stratum="closed",
            source="scripted/sums",
            references=(str(sum(terms)),),
            match="numeric",
        )

    def _topic(self, role: Role, number: int) -> Prompt:
        question = f"Tell me about topic {_SCRIPTED[role]}-{number}."
        references = tuple(outcome_text(question, outcome) for outcome in _PEOPLE_SAY)
        return make_prompt(
            question, system=self.system, stratum="open", source="scripted/topics", references=references
        )


def _answers(prompt: Prompt, off: int) -> tuple[str, str]:
    """A right answer to a sum, and one that is `off`."""
    total = int(prompt.references[0])
    return f"The answer is {total}.", f"The answer is {total + off}."


AnyData = EmbeddedData | ScriptedData | OwnData
DataSpec = Annotated[AnyData, Field(discriminator="kind")]
