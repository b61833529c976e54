"""What every judge is: what it asks, what it concludes from that, and what all kinds of judges need."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from selfreward.backends import AnyBackend
from selfreward.backends.abilities import Ability
from selfreward.backends.base import Advance, Backend
from selfreward.backends.rendering import ChatSpec
from selfreward.judges.asked_policy import AskedPolicy
from selfreward.judges.disagreement import Dispute
from selfreward.judges.standard import Standard
from selfreward.policies import Judging
from selfreward.records import Candidate, Judgment, Prompt, Usage
from selfreward.spec import Json, Spec, execution

Item = tuple[Prompt, Candidate]
Ask = Callable[[Sequence[Item], int, Advance], list[Judgment]]
Conclude = Callable[[Sequence[Item], Sequence[Judgment]], list[Judgment]]
NO_USAGE = Usage(prompt_tokens=0, completion_tokens=0)
Scale = tuple[float, float]
"""The lowest and the highest score."""
Weights = Mapping[str, float]
"""How much the vote of each member of a jury weighs, by its name; one of weight 0 has no say."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Members whose weights are still to be learned: what each says by itself, and what they conclude by weights.

    `says` gives what a member was asked and what it concludes from that; the weights are given for the id of a prompt.
    """

    says: Mapping[str, Callable[[Sequence[Item], Sequence[Judgment]], tuple[list[Judgment], list[Judgment]]]]
    conclude_by: Callable[[Callable[[str], Weights], Sequence[Item], Sequence[Judgment]], list[Judgment]]


@dataclass(frozen=True, slots=True)
class Standardising:
    """Gives the `standard_of` all that was asked, and the judge that concludes `by` a standard."""

    standard_of: Callable[[Iterable[Judgment]], Standard]
    by: Callable[[Standard], "Judge"]


@dataclass(frozen=True, slots=True)
class Judge:
    """`ask` makes judgments of items, with a seed, and is what costs; all candidates of a prompt come in one call.

    `name` is the `judge` of what it asks. `conclude` is pure: it makes one judgment of each item, in order, from what
    was asked. It is None where that is already about one candidate at a time. `disputes`, of several judges, says how
    far they disagree on every prompt on which they can; `panel` are those whose weights nobody has given. `deviations`,
    of judges on one scale, are the standard deviations of their scores of each answer that all of them scored. One that
    is `standardising` concludes nothing itself.
    """

    name: str
    ask: Ask
    conclude: Conclude | None = None
    disputes: Callable[[Sequence[Item], Sequence[Judgment]], list[Dispute]] | None = None
    panel: Panel | None = None
    deviations: Callable[[Sequence[Item], Sequence[Judgment]], list[float]] | None = None
    standardising: Standardising | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Reward models that a judge brings: their folders, how they are talked to, and what computes their scores.

    A hub model is named as `data.models.named_folder` has it, in place of a folder. Without `folders`, they are those
    that were trained at the start of the run.
    """

    folders: tuple[Path, ...] | None
    chat: ChatSpec
    engine: Mapping[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a judge judges with: the `policy`, and the `backend` that holds it; None where it is no policy.

    Of a jury, `jurors` are the policies that members name (`judges.jury.juror`), `engines` the backends of members that
    name an engine of their own, by member, and `weights` those that were learned.
    """

    policy: Judging | None = None
    backend: Backend | None = None
    jurors: Mapping[str, Judging] = field(default_factory=dict)
    engines: Mapping[str, Backend] = field(default_factory=dict)
    weights: Weights | None = None

    @property
    def held(self) -> tuple[Backend, Judging]:
        """The backend and the policy that it holds, of a judge that is one."""
        assert self.backend is not None
        assert self.policy is not None
        return self.backend, self.policy


def means_of(
    policy: Judging | None,
    backend: Backend | None,
    engines: Mapping[str, Backend] | None,
    jurors: Mapping[str, Judging],
    weights: Weights | None = None,
) -> Means:
    """What a judge judges with, of what a stage was given; `engines` is None where no member names one."""
    return Means(policy=policy, backend=backend, engines=engines or {}, jurors=jurors, weights=weights)


class JudgeBase(Spec):
    """Settings of every judge, and what it declares of itself.

    A shard with more than `max_failed_share` failed judgments stops the stage.
    """

    max_failed_share: float = Field(0.05, ge=0, le=1)

    @abstractmethod
    def build(self, means: Means) -> Judge:
        """The judge that judges with `means`."""

    @classmethod
    def concluding(cls, settings: Mapping[str, Json]) -> Conclude | None:
        """How a judge with these `settings`, as a key has them, concludes from what it asked; None where it does not.

        It concludes as the judge that `build` gives, under no name.
        """
        return None

    @property
    def called(self) -> str:
        """Its kind, as it is typed."""
        return str(type(self).model_fields["kind"].default)

    @property
    def draws(self) -> bool:
        """Whether luck has a part in what the judge says: what replies are drawn, or who meets whom."""
        return True

    @property
    def engine(self) -> AnyBackend | None:
        """The engine that it names for itself; None where it judges on the run's, or on none."""
        return None

    @property
    def brings(self) -> Brought | None:
        """The models that it judges with and that are no policies; None where it has none."""
        return None

    @property
    def needs(self) -> frozenset[Ability]:
        """What its engine must be able to do."""
        return frozenset()

    @property
    def scale(self) -> Scale | None:
        """The lowest and the highest score that it gives to an answer; None where there are no such bounds."""
        return None

    @property
    def relative(self) -> bool:
        """Whether a score only tells how an answer stands among those of its prompt."""
        return False

    @property
    def uses_references(self) -> str | None:
        """What it needs the references of a prompt for, in words; None where it judges without."""
        return None

    @property
    def why_not_gold(self) -> str | None:
        """Why it cannot be asked about gold pairs; None where it can."""
        uses = self.uses_references
        return None if uses is None else f"{uses}, and gold pairs have none"

    @property
    def why_no_labels(self) -> str | None:
        """Why it does not say how sure it is that one answer is better, and what to set; None where it does."""
        return (
            "it scores each answer by itself: set judge=pairwise, judge=jury, or judge=reward_model with two "
            "judge.models or more"
        )

    def why_lacking(self, name: str, columns: Collection[str]) -> str | None:
        """Why it, the setting `name`, cannot judge by these `columns` of a prompt's row; None where it can."""
        return None

    @property
    def writes_as(self) -> tuple[str, ...]:
        """The authors in gold whose answers count as its own."""
        return ()

    @property
    def judges_with_jury(self) -> bool:
        """Whether, as a member of a jury, it judges with the policy of that, or with none."""
        return True

    @property
    def learns(self) -> bool:
        """Whether it learns the weights of its members on gold pairs."""
        return False

    @property
    def standardises(self) -> bool:
        """Whether its scores are standardised on the start policy's answers."""
        return False

    @property
    def seats(self) -> Mapping[str, "JudgeBase"]:
        """The members of a jury, by name."""
        return {}

    def ways_without(self, abilities: Collection[Ability]) -> list[str]:
        """Settings under which it does not need some of these abilities, as they are typed behind its name."""
        return []

    def why_untrained(self, name: str, members: int) -> str | None:
        """Why it, the setting `name`, cannot judge in a run that trains so many reward models at its start, or None."""
        return None

    def why_unfit(self, name: str, answers: int, drawn: str = "sample.k") -> str | None:
        """Why it, the setting `name`, cannot judge so many answers of a prompt, and what to set; None where it can.

        `drawn` is the setting that says how many there are.
        """
        return None


class PolicyJudgeBase(AskedPolicy, JudgeBase):
    """Settings of a judge that is a policy.

    `own` names the authors in gold whose answers count as the judge's own, for `health` alone.
    """

    own: tuple[str, ...] = execution(())

    @property
    def writes_as(self) -> tuple[str, ...]:
        """As it is set."""
        return self.own

    @property
    def judges_with_jury(self) -> bool:
        """Only where it names no policy of its own."""
        return self.policy == "live"
