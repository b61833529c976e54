"""Kinds of prompt: clusters of questions that share words, named by the words that tell them most."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfreward.judge_quality.verdicts import Judged
from selfreward.judges.both_orders import verdict_of
from selfreward.records import majority

OTHER = "other"

_MOST = 12
_PARTS = 32
_WORDS = 3
_STARTS = 4
_DIGITS = 9


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
    clusters_Q: NDArray[np.intp] = KMeans(count, n_init=_STARTS, random_state=seed).fit_predict(points_QD)
    return clusters_Q


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
