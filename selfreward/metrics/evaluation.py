"""What an evaluation reports of one policy: scores by stratum, accuracy on gold, gains over the start model."""

from dataclasses import dataclass

from selfreward.metrics.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumScores:
    """What a policy gives on the held-out prompts of one stratum; intervals are over prompts.

    Sampled quantities are those of `k` answers to a prompt at `temperature`. `distinct_share` counts
    extracted answers, or whole texts where there is none to extract. `mean_tokens` is in answer tokens. `unread_rate`
    is the share of answers that commit to nothing, or to several things; None of open prompts.
    """

    prompts: int
    k: int
    temperature: float
    greedy_accuracy: Interval | None
    pass_at_1: Interval | None
    pass_at_k: Interval | None
    distinct_share: float
    mean_tokens: float
    truncation_rate: float
    unread_rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gains:
    """Paired differences of a policy from the start model, over the closed prompts; None without a scored prompt."""

    greedy_accuracy: Interval | None
    pass_at_1: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedStart:
    """The start model at the `temperature` of the same distinct share, its pass@1, and what the policy gains over it.

    `off_ladder`: no temperature that was sampled gives that share, and the nearest stands for it.
    """

    temperature: float
    distinct_share: float
    off_ladder: bool
    pass_at_1: float
    gain: Gains


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldAccuracy:
    """How often a policy finds the right answer of a gold pair likelier, per token, than the wrong one.

    `scored` counts the pairs whose answers fitted the context. The interval is over prompts, of which several pairs may
    be: that of `share_of`.
    """

    pairs: int
    scored: int
    accuracy: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What held-out prompts and gold pairs say of one policy; None where there is no such prompt.

    `since_start` and `matched` compare with the start model, and are None for that itself.
    """

    closed: StratumScores | None
    open: StratumScores | None
    gold: GoldAccuracy | None
    since_start: Gains | None
    matched: MatchedStart | None

    @property
    def greedy(self) -> Interval | None:
        """The share of right greedy answers to closed questions."""
        return None if self.closed is None else self.closed.greedy_accuracy

    @property
    def pass_1(self) -> Interval | None:
        """The share of right sampled answers to closed questions."""
        return None if self.closed is None else self.closed.pass_at_1

    @property
    def since_greedy(self) -> Interval | None:
        """How much oftener the greedy answer is right than the start model's."""
        return None if self.since_start is None else self.since_start.greedy_accuracy

    @property
    def since_pass_1(self) -> Interval | None:
        """How much oftener a sampled answer is right than the start model's."""
        return None if self.since_start is None else self.since_start.pass_at_1


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEvaluation:
    """What the held-out prompts of one set say of a policy; `gold` is None there, as gold pairs are of no set."""

    name: str
    evaluation: Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedSets:
    """What each held-out set with a name says of one policy, in the order of the settings."""

    sets: tuple[SetEvaluation, ...]
