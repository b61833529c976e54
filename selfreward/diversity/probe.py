"""What a probe says about the open answers of a policy, beside the baseline's and people's, at matched length.

Longer answers look more varied and shorter ones less, so all three are cut to one length before they are compared. A
phrase that opens half of all answers says nothing about their variety and is taken off first.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from selfreward.diversity.coverage import inside, neighbour_radii
from selfreward.diversity.embed import Embedder
from selfreward.diversity.estimators import mean_pairwise_distance, refused, words
from selfreward.diversity.findings import Family, Paired, both_known
from selfreward.diversity.lexical import first_words, ngram_distance, shared_opening, without_opening
from selfreward.diversity.semantic import cluster_labels
from selfreward.records import Finish
from selfreward.thought import answer_tokens

FEWEST_WORDS = 4
FEWEST_HUMAN_ANSWERS = 128
NEIGHBOURS = 5
SAME_MEANING = 0.35

Vectors = Mapping[str, NDArray[np.float64]]
Texts = Mapping[str, Sequence[str]]


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
        return answer_tokens(len(self.token_logprobs), self.thought, self.text)


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
    log-probability per token in nats, `recall` the share of human answers within the reach of the policy's.
    """

    sem: float | None
    lex: float | None
    ent: float | None
    recall: float | None
    baseline_sem: float | None
    baseline_lex: float | None
    baseline_ent: float | None
    baseline_recall: float | None
    human_sem: float | None


UNMATCHED = Matched(**{field.name: None for field in fields(Matched)})
"""A prompt that nothing is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedProbe:
    """All prompts, the lengths they were compared at, the openings that were taken off, and the baseline's modes."""

    words: int
    tokens: int
    opening: tuple[str, ...]
    baseline_opening: tuple[str, ...]
    prompts: Mapping[str, Matched]
    modes: tuple[Mode, ...]


def families(prompts: Collection[Matched]) -> dict[Family, Paired]:
    """What the monitor compares, by family: the policy with the start policy, `human` with the human answers."""
    return {
        "sem": both_known((one.sem, one.baseline_sem) for one in prompts),
        "lex": both_known((one.lex, one.baseline_lex) for one in prompts),
        "ent": both_known((one.ent, one.baseline_ent) for one in prompts),
        "recall": both_known((one.recall, one.baseline_recall) for one in prompts),
        "human": both_known((one.sem, one.human_sem) for one in prompts),
    }


def start_over_people(prompts: Iterable[Matched]) -> float | None:
    """The start policy's `sem` over that of the human answers, on the prompts that have both; None without any."""
    return both_known((one.baseline_sem, one.human_sem) for one in prompts).ratio()


def usable(answer: ProbeAnswer) -> bool:
    """Whether an answer says anything; an empty one or a refusal is counted apart and compared with nothing."""
    return bool(words(answer.text)) and not refused(answer.text)


def embed_once(groups: Iterable[Sequence[str]], embed: Embedder) -> Vectors:
    """The vector of every text; a narrow policy repeats itself, and no text is embedded twice."""
    distinct = list(dict.fromkeys(text for group in groups for text in group))
    return dict(zip(distinct, embed(distinct), strict=True))


def matched_measures(
    now: Mapping[str, Sequence[ProbeAnswer]],
    baseline: Mapping[str, Sequence[ProbeAnswer]],
    human: Texts,
    embed: Embedder,
) -> MatchedProbe:
    """The open probe of one policy beside the baseline; the three mappings have the same prompt ids.

    The matched length is the shorter one of both policies' 25th percentiles: of words for the texts (4 at least, and
    human answers are cut to it as well), of tokens for `ent`. A shorter answer stays as it is.

    `recall` compares equal numbers: the baseline's is the mean over its disjoint draws of as many answers a prompt as
    the policy gave. Source: Kynkaanniemi et al. 2019, with an indicator for each human answer, averaged by prompt.
    """
    opening, baseline_opening = _opening(now), _opening(baseline)
    spoken, said_before = _opened(now, opening), _opened(baseline, baseline_opening)
    length = max(
        FEWEST_WORDS, min(_quartile(len(words(one.text)) for one in _all(group)) for group in (spoken, said_before))
    )
    tokens = max(1, min(_quartile(len(one.token_logprobs) for one in _all(group)) for group in (spoken, said_before)))
    drawn, before = _cut(spoken, length), _cut(said_before, length)
    people = {prompt_id: [first_words(text, length) for text in texts] for prompt_id, texts in human.items()}
    vectors = embed_once([*drawn.values(), *before.values(), *people.values()], embed)
    recalls, baseline_recalls = _recalls(drawn, before, people, vectors)
    return MatchedProbe(
        words=length,
        tokens=tokens,
        opening=opening,
        baseline_opening=baseline_opening,
        prompts={
            prompt_id: Matched(
                sem=_distance(drawn[prompt_id], vectors),
                lex=ngram_distance(drawn[prompt_id]),
                ent=_entropy(spoken[prompt_id], tokens),
                recall=recalls.get(prompt_id),
                baseline_sem=_distance(before[prompt_id], vectors),
                baseline_lex=ngram_distance(before[prompt_id]),
                baseline_ent=_entropy(said_before[prompt_id], tokens),
                baseline_recall=baseline_recalls.get(prompt_id),
                human_sem=_distance(people[prompt_id], vectors),
            )
            for prompt_id in now
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


def _quartile(lengths: Iterable[int]) -> int:
    """The 25th percentile; 0 of nothing."""
    known = list(lengths)
    return int(np.percentile(known, 25)) if known else 0


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


def _cut(answers: Mapping[str, Sequence[ProbeAnswer]], length: int) -> dict[str, list[str]]:
    return {prompt_id: [first_words(one.text, length) for one in group] for prompt_id, group in answers.items()}


def _distance(texts: Sequence[str], vectors: Vectors) -> float | None:
    return mean_pairwise_distance(np.array([vectors[text] for text in texts]))


def _entropy(answers: Sequence[ProbeAnswer], tokens: int) -> float | None:
    firsts = [one.token_logprobs[:tokens] for one in answers if one.token_logprobs]
    return -fmean(fmean(logprobs) for logprobs in firsts) if firsts else None


def _recalls(drawn: Texts, before: Texts, people: Texts, vectors: Vectors) -> tuple[dict[str, float], dict[str, float]]:
    """By prompt, the share of human answers that answers now reach, and that the baseline's reached; {} of too few."""
    if sum(map(len, people.values())) < FEWEST_HUMAN_ANSWERS:
        return {}, {}
    size = max(map(len, drawn.values()))
    parts = [
        {name: group[part * size : (part + 1) * size] for name, group in before.items()}
        for part in range(max(map(len, before.values())) // max(size, 1))
    ]
    if not parts or any(sum(map(len, one.values())) <= NEIGHBOURS for one in (drawn, *parts)):
        return {}, {}
    earlier = [_reached(part, people, vectors) for part in parts]
    return _reached(drawn, people, vectors), {name: fmean(one[name] for one in earlier) for name in earlier[0]}


def _reached(drawn: Texts, people: Texts, vectors: Vectors) -> dict[str, float]:
    centres_MD = np.array([vectors[text] for group in drawn.values() for text in group])
    points_ND = np.array([vectors[text] for group in people.values() for text in group])
    reached = iter(inside(points_ND, centres_MD, neighbour_radii(centres_MD, NEIGHBOURS)))
    return {name: fmean(float(next(reached)) for _ in group) for name, group in people.items() if group}


def _modes(drawn: Texts, before: Texts, vectors: Vectors) -> Iterable[Mode]:
    """The baseline's answers gathered by meaning; an answer now hits the nearest one, if it is close enough."""
    for prompt_id, texts in before.items():
        if not texts:
            continue
        known = np.array([vectors[text] for text in texts])
        labels = cluster_labels(known, SAME_MEANING)
        hits = np.zeros(labels.max() + 1, dtype=int)
        for text in drawn[prompt_id]:
            cosines = known @ vectors[text]
            if 1 - cosines.max() <= SAME_MEANING:
                hits[labels[cosines.argmax()]] += 1
        for label, mass in enumerate(np.bincount(labels) / len(labels)):
            yield Mode(prompt_id=prompt_id, mass=float(mass), answers=len(drawn[prompt_id]), hits=int(hits[label]))
