"""What measure writes down: one row a prompt, one row a human answer, and the figures of a stratum over them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from selfreward.answers import distinct_key
from selfreward.answers.refusal import refused
from selfreward.metrics.embed import Vectors, stacked
from selfreward.metrics.estimators import distinct_share, duplicate_rate, mean_pairwise_distance, words
from selfreward.metrics.matched_probe import Matched, MatchedProbe, ProbeAnswer
from selfreward.metrics.variety_summary import AcrossPrompts, BesidePeople, WithinPrompts, mean
from selfreward.records import Prompt, Stratum


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMeasure(Matched):
    """One probe prompt. None where the quantity does not exist (no reference, fewer than two answers).

    `human_nll` is the mean over the prompt's human answers of their negative log-likelihood in nats per token. Only
    open prompts have values at matched length.
    """

    prompt_id: str
    stratum: Stratum
    answers: int
    distinct_share: float | None
    pairwise_distance: float | None
    duplicate_rate: float | None
    mean_tokens: float | None
    truncated: int
    refused: int
    empty: int
    human_nll: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanScore:
    """One human answer to a probe prompt: its negative log-likelihood in nats per token."""

    prompt_id: str
    index: int
    nll: float


def prompt_measure(
    prompt: Prompt, answers: Sequence[ProbeAnswer], vectors: Vectors, human_nll: Sequence[float], matched: MatchedProbe
) -> PromptMeasure:
    """The row of one prompt; `human_nll` holds that of each of its human answers."""
    texts = [one.text for one in answers]
    return PromptMeasure(
        prompt_id=prompt.id,
        stratum=prompt.stratum,
        answers=len(answers),
        distinct_share=distinct_share([distinct_key(prompt, text) for text in texts]),
        pairwise_distance=mean_pairwise_distance(stacked(texts, vectors)),
        duplicate_rate=duplicate_rate(texts),
        mean_tokens=mean([one.tokens for one in answers]),
        truncated=sum(one.finish == "length" for one in answers),
        refused=sum(refused(text) for text in texts),
        empty=sum(not words(text) for text in texts),
        human_nll=mean(human_nll),
        **asdict(matched.prompts.get(prompt.id, Matched())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedMeans(Matched):
    """The means over open prompts at matched length, and what was matched."""

    words: int
    tokens: int
    human_words: int
    neighbours: int
    opening: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumMeasures:
    """The means of a stratum over its prompts, its rates over its answers; human figures of open prompts alone."""

    prompts: int
    answers: int
    distinct_share: float | None
    pairwise_distance: float | None
    duplicate_rate: float | None
    mean_tokens: float | None
    p95_tokens: float
    truncation_rate: float
    refusal_rate: float
    empty_rate: float
    human_nll: float | None
    human_nll_tail: float | None
    within: WithinPrompts
    across: AcrossPrompts
    coverage: BesidePeople | None
    matched: MatchedMeans | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What the probe says of one policy, by stratum; None of one without a prompt."""

    closed: StratumMeasures | None
    open: StratumMeasures | None

    @property
    def closed_distinct_share(self) -> float | None:
        """Of the answers to closed prompts."""
        return None if self.closed is None else self.closed.distinct_share

    @property
    def open_distance(self) -> float | None:
        """The mean pairwise distance of the answers to open prompts."""
        return None if self.open is None else self.open.pairwise_distance

    @property
    def human_nll(self) -> float | None:
        """How unlikely human answers are, in nats per token."""
        return None if self.open is None else self.open.human_nll


def stratum_measures(
    rows: Sequence[PromptMeasure],
    answers: Sequence[ProbeAnswer],
    within: WithinPrompts,
    across: AcrossPrompts,
    human_nll_tail: float | None,
    beside: BesidePeople | None,
    matched: MatchedProbe | None,
) -> StratumMeasures:
    """The figures of a stratum from the rows of its prompts and its answers; `matched` of open prompts alone."""
    lengths = [one.tokens for one in answers]
    return StratumMeasures(
        prompts=len(rows),
        answers=len(answers),
        distinct_share=mean([row.distinct_share for row in rows]),
        pairwise_distance=mean([row.pairwise_distance for row in rows]),
        duplicate_rate=mean([row.duplicate_rate for row in rows]),
        mean_tokens=mean(lengths),
        p95_tokens=float(np.percentile(lengths, 95)),
        truncation_rate=sum(row.truncated for row in rows) / len(answers),
        refusal_rate=sum(row.refused for row in rows) / len(answers),
        empty_rate=sum(row.empty for row in rows) / len(answers),
        human_nll=mean([row.human_nll for row in rows]),
        human_nll_tail=human_nll_tail,
        within=within,
        across=across,
        coverage=beside,
        matched=None if matched is None else _matched_means(rows, matched),
    )


def tail_nll(scores: Sequence[HumanScore], baseline: Iterable[HumanScore]) -> float | None:
    """The mean over the tenth of the human answers that the baseline found the least likely, in nats per token."""
    before = list(baseline)
    hardest = sorted(before, key=lambda one: -one.nll)[: max(1, len(before) // 10)]
    wanted = {(one.prompt_id, one.index) for one in hardest}
    return mean([one.nll for one in scores if (one.prompt_id, one.index) in wanted])


def _matched_means(rows: Sequence[PromptMeasure], matched: MatchedProbe) -> MatchedMeans:
    return MatchedMeans(
        words=matched.words,
        tokens=matched.tokens,
        human_words=matched.human_words,
        neighbours=matched.neighbours,
        opening=" ".join(matched.opening),
        **{name: mean([getattr(row, name) for row in rows]) for name in asdict(Matched())},
    )
