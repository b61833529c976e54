"""What the loop asks of any update, what an update is given, and what it reports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from selfreward.backends import AnyBackend
from selfreward.judges.base import JudgeBase
from selfreward.judges.standard import Moments
from selfreward.policies import Judging, Policy, RewardModels
from selfreward.records import Example, Prompt, TrainingRow
from selfreward.spec import Spec
from selfreward.updates.rl_steps import RlStep, SourceEnds

StepAdvance = Callable[[int, int], None]
TIED_TO_DRAWER = (
    "update.reference=previous ties to the live policy as the one that drew the candidates: set "
    "update.reference=initial"
)
"""Why an update with that reference cannot train on what a mixture drew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenJudge:
    """What a judge judges with while a policy is trained, beside its settings; as `judges.base.Means`, and in JSON.

    `weights` are those that a jury learned, `standard` is what scores are standardised by, of the judge of a run.
    """

    policy: Judging | None
    jurors: Mapping[str, Judging] = field(default_factory=dict)
    weights: Mapping[str, float] | None = None
    standard: Mapping[str, Moments] | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is trained besides how: `rows` are of a kind that the update trains on, `reference` is what it ties to.

    `reward_models` are what an update learns from that draws its own answers, if it asks for any, `judges` with what
    the judges judge that it asks, by the names of their sources, and `human` what people answered, which it learns
    before.
    """

    policy: Policy
    reference: Policy | None
    rows: Sequence[TrainingRow | Prompt]
    out: Path
    seed: int
    reward_models: RewardModels | None = None
    human: Sequence[Example] = ()
    judges: Mapping[str, FrozenJudge] = field(default_factory=dict)


class UpdateBase(Spec):
    """What the loop asks of an update; a kind says otherwise where it does otherwise."""

    @property
    def margins(self) -> str | None:
        """The setting that weighs the margins of pairs, as it is typed; None where none does."""
        return None

    @property
    def draws(self) -> int | None:
        """How many answers it draws of its own; None for one that trains on what it is given."""
        return None

    @property
    def why_not_with_human(self) -> str | None:
        """Why it cannot learn human answers before it draws its own, and what to set; None where it can."""
        return None

    @property
    def learns_from_models(self) -> str | None:
        """The setting that asks for the reward models of the run, as it is typed; None where none does."""
        return None

    def tied_to(self, *, policy: Policy, initial: Policy) -> Policy | None:
        """The policy that the update ties to: the one that drew the candidates, or the first; None without one."""
        return None

    @property
    def judges(self) -> Mapping[str, JudgeBase | None]:
        """The judges that reward what the update draws itself, by their sources; None is the judge of the run."""
        return {}

    def judged_by(self, judge: JudgeBase, engine: AnyBackend) -> Self:
        """The update with each of `judges` and its engine named: `judge` is that of the run, on `engine`."""
        return self

    def why_not_judged(self, judge: JudgeBase, engine: AnyBackend) -> str | None:
        """Why it cannot ask its judges in a run with this judge and engine, and what to set; None where it can."""
        return None

    @property
    def why_not_mixed(self) -> str | None:
        """Why it cannot train on what a mixture of policies drew, and what to set; None where it can."""
        return None

    def with_sft(self, weight: float) -> Self:
        """The update with the likelihood of the preferred answer at this weight, where it is one that has it not."""
        return self

    @property
    def told(self) -> tuple[str, ...]:
        """What is said before it begins, a line each; where it says something, also how long it will take."""
        return ()

    @property
    def lasting(self) -> bool:
        """Whether it keeps checkpoints, from which it goes on where it was killed."""
        return False

    @property
    def apart(self) -> bool:
        """Whether training runs in a process of its own."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What an update saw and did; None of what its kind does not have.

    `tokens_trained` counts the tokens of thoughts and answers that bore loss, once for each epoch. `mean_loss` is
    averaged over the steps, in nats: per such token of RFT, per pair of DPO.

    Of pairs, `*_logprob_*` are means of the summed log-probability of an answer, in nats, before and after.
    `displaced_share` is the share whose chosen answer became less likely although its margin over the rejected one grew
    (likelihood displacement, 2410.08847). `sft_weight` is that of the likelihood of the chosen answer in the loss, 0
    without. `rows_without_margin` counts the pairs that carry none, where a margin weighs.

    Of unpaired rows, `*_weight` are the weights of desirable and undesirable ones in the loss, `*_logprob_*` as of
    pairs, and `kl` is the estimate of the divergence from the reference that the loss took, in nats a row, the mean
    over the steps.

    Of reinforcement learning, `human_rows` are the answers of people that were learned first, and `human_tokens` theirs
    that bore loss. `rows_without_reward` are prompts to which no source applied, `completions_missing` those
    of `completions` that had no reward and bore no loss, and `tokens_drawn` counts all of them; `tokens_judged` are
    what judges and reward models read and wrote about them, and `judges_used` is what their engines used
    (`Backend.used`). `reward_*`, `entropy_*` (nats a token) and `tokens_*` (mean length) are means over the first and
    the last tenth of the steps, and `kl_to_reference` (nats a token) over the last; `flat_groups`, `cut` and `clipped`
    are the means of RlStep over all. `sources` has each source of rewards by name, `rl_steps` the steps.

    `skill` and `modes` are the state of a scripted policy.
    """

    rows_trained: int
    rows_too_long: int | None = None
    tokens_trained: int | None = None
    steps: int | None = None
    mean_loss: float | None = None
    trainable_parameters: int | None = None
    total_parameters: int | None = None
    sft_weight: float | None = None
    rows_without_margin: int | None = None
    chosen_logprob_before: float | None = None
    chosen_logprob_after: float | None = None
    rejected_logprob_before: float | None = None
    rejected_logprob_after: float | None = None
    margin_growth: float | None = None
    displaced_share: float | None = None
    rows_desirable: int | None = None
    rows_undesirable: int | None = None
    desirable_share: float | None = None
    desirable_weight: float | None = None
    undesirable_weight: float | None = None
    kl: float | None = None
    desirable_logprob_before: float | None = None
    desirable_logprob_after: float | None = None
    undesirable_logprob_before: float | None = None
    undesirable_logprob_after: float | None = None
    human_rows: int | None = None
    human_tokens: int | None = None
    rows_without_reward: int | None = None
    completions: int | None = None
    completions_missing: int | None = None
    tokens_drawn: int | None = None
    tokens_judged: int | None = None
    judges_used: Mapping[str, float] | None = None
    reward_first: float | None = None
    reward_last: float | None = None
    entropy_first: float | None = None
    entropy_last: float | None = None
    tokens_first: float | None = None
    tokens_last: float | None = None
    kl_to_reference: float | None = None
    flat_groups: float | None = None
    cut: float | None = None
    clipped: float | None = None
    sources: Mapping[str, SourceEnds] | None = None
    rl_steps: tuple[RlStep, ...] | None = None
    skill: float | None = None
    modes: float | None = None
