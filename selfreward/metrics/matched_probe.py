"""What a probe says about the open answers of a policy, beside the baseline's and people's, at matched length.

How varied answers look depends on how long they are, so two sets of them are compared at one length: answers that are
shorter are left out, the others are cut. What is left has that length exactly, whatever the mean and the spread of
lengths were. A phrase that opens half of all answers says nothing about their variety and is taken off first.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

import numpy as np

from selfreward.answers.refusal import refused
from selfreward.metrics.embed import Embedder, Texts, Vectors, embed_once, stacked
from selfreward.metrics.estimators import mean_pairwise_distance, words
from selfreward.metrics.human_recall import neighbours_of, recalls_of
from selfreward.metrics.intervals import Family, Paired, both_known
from selfreward.metrics.lexical import first_words, ngram_distance, shared_opening, without_opening
from selfreward.metrics.semantic import cluster_labels
from selfreward.records import Finish
from selfreward.thought import estimated_answer_tokens

SAME_MEANING = 0.35
# Pairs need many answers to a prompt, so few are left out. The mean of `ent` needs fewer, and in more tokens counts for
# less at which of them an opening or a thought ends, which is not known exactly.
_SHORT_WORDS, _SHORT_TOKENS = 10, 25


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """One answer to a probe prompt, with the log-probability in nats of each of its tokens at temperature 1.

    The tokens are those of the `thought` before it, None where there is none, and then those of the answer.
    """

    prompt_id: str
    index: int
    text: str
    finish: Finish
    token_logprobs: tuple[float, ...]
    thought: str | None = None

    @property
    def tokens(self) -> int:
        """How many of its tokens are the answer's."""
        return estimated_answer_tokens(len(self.token_logprobs), self.thought, self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """One meaning that the baseline gave to a prompt: its share of the baseline's answers, and how many answers now."""

    prompt_id: str
    mass: float
    answers: int
    hits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """One prompt at matched length; None where there are too few answers, or none that people wrote.

    `sem` is the mean pairwise cosine distance, `lex` the mean pairwise 3-gram distance, `ent` the mean negative
    log-probability per token in nats, `recall` the share of human answers within the reach of the policy's. Those of
    the start policy are `baseline_*`. `human_sem` is the distance of the human answers, and `sem_beside_human` that of
    the policy's at the same length, which is that of people where they write shorter answers.
    """

    sem: float | None = None
    lex: float | None = None
    ent: float | None = None
    recall: float | None = None
    baseline_sem: float | None = None
    baseline_lex: float | None = None
    baseline_ent: float | None = None
    baseline_recall: float | None = None
    human_sem: float | None = None
    sem_beside_human: float | None = None
    baseline_sem_beside_human: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedProbe:
    """All prompts, how they were compared, the opening that was taken off, and the baseline's modes.

    `words` and `tokens` are the length of both policies' answers, `human_words` that at which they stand beside
    people's. `neighbours` is the k of `recall`; 0 where that is not measured.
    """

    words: int
    tokens: int
    human_words: int
    neighbours: int
    opening: tuple[str, ...]
    prompts: Mapping[str, Matched]
    modes: tuple[Mode, ...]


def families(prompts: Collection[Matched]) -> dict[Family, Paired]:
    """What the monitor compares, by family: the policy with the start policy, `human` with the human answers."""
    return {
        "sem": both_known((one.sem, one.baseline_sem) for one in prompts),
        "lex": both_known((one.lex, one.baseline_lex) for one in prompts),
        "ent": both_known((one.ent, one.baseline_ent) for one in prompts),
        "recall": both_known((one.recall, one.baseline_recall) for one in prompts),
        "human": both_known((one.sem_beside_human, one.human_sem) for one in prompts),
    }


def start_over_people(prompts: Iterable[Matched]) -> float | None:
    """The start policy's `sem` over that of the human answers, on the prompts that have both; None without any."""
    return both_known((one.baseline_sem_beside_human, one.human_sem) for one in prompts).ratio()


def usable(answer: ProbeAnswer) -> bool:
    """Whether an answer says anything; an empty one or a refusal is counted apart and compared with nothing."""
    return bool(words(answer.text)) and not refused(answer.text)


def matched_measures(
    now: Mapping[str, Sequence[ProbeAnswer]],
    baseline: Mapping[str, Sequence[ProbeAnswer]],
    human: Texts,
    embed: Embedder,
) -> MatchedProbe:
    """The open probe of one policy beside the baseline; the three mappings have the same prompt ids.

    The matched length of texts is the shorter one of both policies' 10th percentiles of words, so that nine answers in
    ten count; that of `ent` the shorter one of their 25th percentiles of tokens. Beside people it is the 10th
    percentile of human answers, where that is shorter still.

    `recall` asks for every human answer, cut to that length, and compares equal numbers of answers prompt by prompt.
    Source: the balls of Kynkaanniemi et al. 2019, each prompt by itself.
    """
    opening = _opening(now)
    spoken, said_before = _opened(now, opening), _opened(baseline, _opening(baseline))
    both = (_all(spoken), _all(said_before))
    length = min(_percentile((len(words(one.text)) for one in group), _SHORT_WORDS) for group in both)
    tokens = min(_percentile((len(one.token_logprobs) for one in group), _SHORT_TOKENS) for group in both)
    written = [text for group in human.values() for text in group]
    beside = min(length, _percentile(map(len, map(words, written)), _SHORT_WORDS)) if written else length
    drawn, before = _cut(_texts(spoken), length), _cut(_texts(said_before), length)
    human_alike, drawn_alike, before_alike = (
        _cut(texts, beside) for texts in (human, _texts(spoken), _texts(said_before))
    )
    people = {name: [first_words(text, length) for text in texts] for name, texts in human.items()}
    alike = [texts[name] for texts in (human_alike, drawn_alike, before_alike) for name in human if human[name]]
    vectors = embed_once([*drawn.values(), *before.values(), *people.values(), *alike], embed)
    neighbours = neighbours_of(max(map(len, now.values()), default=0))
    recalls, baseline_recalls = recalls_of(drawn, before, people, vectors, neighbours)
    return MatchedProbe(
        words=length,
        tokens=tokens,
        human_words=beside,
        neighbours=neighbours if recalls else 0,
        opening=opening,
        prompts={
            name: Matched(
                sem=_distance(drawn[name], vectors),
                lex=ngram_distance(drawn[name]),
                ent=_entropy(spoken[name], tokens),
                recall=recalls.get(name),
                baseline_sem=_distance(before[name], vectors),
                baseline_lex=ngram_distance(before[name]),
                baseline_ent=_entropy(said_before[name], tokens),
                baseline_recall=baseline_recalls.get(name),
                human_sem=_distance(human_alike[name], vectors),
                sem_beside_human=_distance(drawn_alike[name], vectors) if human[name] else None,
                baseline_sem_beside_human=_distance(before_alike[name], vectors) if human[name] else None,
            )
            for name in now
        },
        modes=tuple(_modes(drawn, before, vectors)),
    )


def _all(answers: Mapping[str, Sequence[ProbeAnswer]]) -> list[ProbeAnswer]:
    return [one for group in answers.values() for one in group]


def _opening(answers: Mapping[str, Sequence[ProbeAnswer]]) -> tuple[str, ...]:
    """The phrase that opens half of all answers, unless it is most of them: then it is what the policy says."""
    said = [one.text for one in _all(answers) if usable(one)]
    opening = shared_opening(said)
    opened = [len(one) for one in map(words, said) if tuple(one[: len(opening)]) == opening]
    return opening if opening and 2 * len(opening) <= median(opened) else ()


def _percentile(lengths: Iterable[int], percent: int) -> int:
    """A percentile of lengths, at least 1; 1 of nothing."""
    known = list(lengths)
    return max(1, int(np.percentile(known, percent))) if known else 1


def _opened(answers: Mapping[str, Sequence[ProbeAnswer]], opening: tuple[str, ...]) -> dict[str, list[ProbeAnswer]]:
    """The usable answers without thought and opening, and without the share of tokens that these have of the text.

    Which token a character belongs to is not known, so the share of the characters stands for that of the tokens.
    """
    return {
        prompt_id: [_shortened(one, opening) for one in group if usable(one)] for prompt_id, group in answers.items()
    }


def _shortened(answer: ProbeAnswer, opening: tuple[str, ...]) -> ProbeAnswer:
    rest = without_opening(answer.text, opening)
    whole = len(answer.thought or "") + len(answer.text)
    taken = round(len(answer.token_logprobs) * (1 - len(rest) / whole))
    return replace(answer, text=rest, token_logprobs=answer.token_logprobs[taken:], thought=None)


def _texts(answers: Mapping[str, Sequence[ProbeAnswer]]) -> dict[str, list[str]]:
    return {name: [one.text for one in group] for name, group in answers.items()}


def _cut(texts: Texts, length: int) -> dict[str, list[str]]:
    """The first `length` words of every text that has as many; a shorter one is left out."""
    return {
        name: [first_words(text, length) for text in group if len(words(text)) >= length]
        for name, group in texts.items()
    }


def _distance(texts: Sequence[str], vectors: Vectors) -> float | None:
    return mean_pairwise_distance(stacked(texts, vectors))


def _entropy(answers: Sequence[ProbeAnswer], tokens: int) -> float | None:
    firsts = [one.token_logprobs[:tokens] for one in answers if len(one.token_logprobs) >= tokens]
    return -fmean(fmean(logprobs) for logprobs in firsts) if firsts else None


def _modes(drawn: Texts, before: Texts, vectors: Vectors) -> Iterable[Mode]:
    """The baseline's answers gathered by meaning; an answer now hits the nearest one, if it is close enough."""
    for prompt_id, texts in before.items():
        if not texts:
            continue
        known = stacked(texts, vectors)
        labels = cluster_labels(known, SAME_MEANING)
        hits = np.zeros(labels.max() + 1, dtype=int)
        for text in drawn[prompt_id]:
            cosines = known @ vectors[text]
            if 1 - cosines.max() <= SAME_MEANING:
                hits[labels[cosines.argmax()]] += 1
        for label, mass in enumerate(np.bincount(labels) / len(labels)):
            yield Mode(prompt_id=prompt_id, mass=float(mass), answers=len(drawn[prompt_id]), hits=int(hits[label]))
