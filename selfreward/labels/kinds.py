"""Which items to ask people about: the hardest for a judge of every kind of prompt.

Kinds are clusters of questions that share words, named by the words that tell them most.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfreward.data.roles import question_text
from selfreward.judge_quality.verdicts import Judged
from selfreward.judges.both_orders import PREFERENCES, verdict_of
from selfreward.labels.items import Item
from selfreward.records import digest_of, majority

OTHER = "other"

_MOST = 12
_PARTS = 32
_WORDS = 3
_STARTS = 4
_DIGITS = 9
_Rank = tuple[int, float, float, float, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindOfPrompt:
    """How a judge fares on a kind: `items` of it, `judged` with a verdict of judge and people, `against` them."""

    kind: str
    items: int
    judged: int
    against: int


def kinds(questions: Sequence[str], seed: int) -> list[str]:
    """The name of each question's kind: up to three words, the most telling first.

    Words are weighed by tf-idf, reduced to at most 32 latent dimensions, and put by k-means into about sqrt(n / 2)
    clusters of n distinct questions, twelve at most. Telling is what a cluster has more of than all questions together.
    Questions without a word of two letters are `other`. The order of questions decides nothing.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(stop_words="english", sublinear_tf=True)
    split = vectorizer.build_analyzer()
    worded = [question for question in sorted(set(questions)) if split(question)]
    if not worded:
        return [OTHER] * len(questions)
    weights_QW = vectorizer.fit_transform(worded)
    # scikit-learn takes no other seeds.
    cluster_Q = _clusters(weights_QW, min(_MOST, isqrt(len(worded) // 2)), seed % 2**32)
    words = vectorizer.get_feature_names_out()
    mean_W = weights_QW.mean(axis=0).A1
    names = {}
    for cluster in set(cluster_Q.tolist()):
        inside_Q = cluster_Q == cluster
        beyond_W = weights_QW[inside_Q].mean(axis=0).A1 - (0 if inside_Q.all() else mean_W)
        names[cluster] = " ".join(str(words[place]) for place in beyond_W.argsort(kind="stable")[::-1][:_WORDS])
    of = {question: names[cluster] for question, cluster in zip(worded, cluster_Q.tolist(), strict=True)}
    return [of.get(question, OTHER) for question in questions]


def _clusters(weights_QW: Any, count: int, seed: int) -> NDArray[np.intp]:
    """The number of each question's cluster; there are fewer than `count` where fewer questions differ."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    parts = min(_PARTS, *(size - 1 for size in weights_QW.shape))
    if count < 2 or parts < 1:
        return np.zeros(weights_QW.shape[0], dtype=np.intp)
    points_QD = normalize(TruncatedSVD(parts, random_state=seed).fit_transform(weights_QW)).round(_DIGITS)
    count = min(count, len(np.unique(points_QD, axis=0)))
    return np.asarray(KMeans(count, n_init=_STARTS, random_state=seed).fit_predict(points_QD))


def against_people(judged: Judged) -> bool | None:
    """Whether the judge's verdict is another than that of most people; None where either has none."""
    item, said = judged
    people = majority(item.verdicts)
    return None if people is None or said.preference is None else verdict_of(said.preference) != people


def by_kind(judged: Sequence[Judged], kind_of: Sequence[str]) -> list[KindOfPrompt]:
    """Where a judge is against people, the kind with the largest share of it first; `kind_of` names that of each."""
    found: dict[str, list[bool | None]] = {}
    for one, kind in zip(judged, kind_of, strict=True):
        found.setdefault(kind, []).append(against_people(one))
    table = [
        KindOfPrompt(kind=kind, items=len(said), judged=len(said) - said.count(None), against=said.count(True))
        for kind, said in found.items()
    ]
    return sorted(table, key=lambda one: (-one.against / max(one.judged, 1), -one.against, one.kind))


def hardest(items: Sequence[Item], count: int, seed: int) -> list[Item]:
    """`count` of `items`, hardest first, each with its kind.

    First come those on which the judge is against most people, the furthest first; then those it flipped on; then the
    others, by how near its preference is to one half; last those without a verdict. Among equals a jury that disagrees
    more comes first, then a lot decides. Within each of these four groups the kinds of prompt take turns.
    """
    ranked = sorted(((_rank(item, seed), item) for item in with_kinds(items, seed)), key=lambda one: one[0])
    seen: Counter[tuple[int, str | None]] = Counter()
    turns: list[tuple[int, int, Item]] = []
    for (group, *_), item in ranked:
        turns.append((group, seen[group, item.kind], item))
        seen[group, item.kind] += 1
    return [item for *_, item in sorted(turns, key=lambda turn: turn[:2])[:count]]


def with_kinds(items: Sequence[Item], seed: int) -> list[Item]:
    """`items` with a kind each: their own where all have one, else that of their questions' clusters."""
    if all(item.kind is not None for item in items):
        return list(items)
    names = kinds([question_text(item.labelled.messages) for item in items], seed)
    return [replace(item, kind=name) for item, name in zip(items, names, strict=True)]


def _rank(item: Item, seed: int) -> _Rank:
    """Lower is harder; the first part is the group."""
    lot = digest_of("hardest", seed, item.id)
    apart = -(item.disagreement or 0.0)
    said = item.judge
    if said is None or said.preference is None:
        return 3, 0.0, 0.0, apart, lot
    unsure = abs(said.preference - 0.5)
    if against_people((item.labelled, said)):
        people = [PREFERENCES[verdict] for verdict in item.labelled.verdicts]
        return 0, -abs(said.preference - sum(people) / len(people)), unsure, apart, lot
    return (1 if said.flipped else 2), unsure, 0.0, apart, lot
