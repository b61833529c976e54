"""Every estimator against a hand-computed case, and the laws it must keep."""

from itertools import combinations
from math import comb
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selfreward.answers.refusal import refused
from selfreward.metrics.estimators import (
    distinct_share,
    duplicate_rate,
    mean_pairwise_distance,
    pass_at_k,
    rarefied_distinct,
    words,
)

answers = st.lists(st.sampled_from(["1", "2", "3", None]), max_size=8)
texts = st.lists(st.text(alphabet="ab c'", max_size=12), max_size=6)
vectors = arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 4)), elements=st.integers(-5, 5).map(float))


def test_words_fold_case_and_keep_inner_apostrophes() -> None:
    assert words("Don't don\u2019t STOP, snake_case: Straße 42!") == [
        "don't",
        "don't",
        "stop",
        "snake",
        "case",
        "strasse",
        "42",
    ]


def test_words_are_the_same_for_composed_and_decomposed_accents() -> None:
    assert words("cafe\u0301 noir") == words("caf\u00e9 noir") == ["café", "noir"]


def test_a_vowel_sign_does_not_end_a_word() -> None:
    assert words("\u0939\u093f\u0928\u094d\u0926\u0940 \u092d\u093e\u0937\u093e") == [
        "\u0939\u093f\u0928\u094d\u0926\u0940",
        "\u092d\u093e\u0937\u093e",
    ]
    assert words("\u0301 alone") == ["alone"], "a mark with no letter before it is no word"


def test_words_of_nothing() -> None:
    assert words(" ?! … ") == []


def test_distinct_share_leaves_missing_answers_out() -> None:
    assert distinct_share(["4", None, "4", "5", None]) == 2 / 3


@pytest.mark.parametrize("nothing", [[], [None, None]])
def test_distinct_share_of_nothing_is_none(nothing: list[str | None]) -> None:
    assert distinct_share(nothing) is None


@given(answers, st.randoms())
def test_distinct_share_ignores_order_and_stays_in_range(drawn: list[str | None], random: Random) -> None:
    share = distinct_share(drawn)
    assert share == distinct_share(random.sample(drawn, len(drawn)))
    assert share is None or 0 < share <= 1


def test_distance_of_orthogonal_equal_and_opposite_vectors() -> None:
    assert mean_pairwise_distance(np.eye(3)) == pytest.approx(1)
    assert mean_pairwise_distance(np.ones((3, 2))) == pytest.approx(0)
    assert mean_pairwise_distance(np.array([[1.0, 0.0], [-2.0, 0.0]])) == pytest.approx(2)


def test_distance_counts_zero_vectors_as_equal_to_each_other_only() -> None:
    zero, one = [0.0, 0.0], [3.0, 4.0]
    assert mean_pairwise_distance(np.array([zero, zero])) == 0
    assert mean_pairwise_distance(np.array([zero, one])) == 1
    assert mean_pairwise_distance(np.array([zero, zero, one])) == pytest.approx(2 / 3)


@pytest.mark.parametrize("count", [0, 1])
def test_distance_needs_two_vectors(count: int) -> None:
    assert mean_pairwise_distance(np.ones((count, 4))) is None


def pair_distance(a: np.ndarray, b: np.ndarray) -> float:
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    if norms == 0:
        return 1.0 if a.any() or b.any() else 0.0
    return 1 - float(a @ b) / float(norms)


@given(vectors)
def test_distance_equals_the_mean_over_pairs(vectors_KD: np.ndarray) -> None:
    pairs = [pair_distance(a, b) for a, b in combinations(vectors_KD, 2)]
    assert mean_pairwise_distance(vectors_KD) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


@given(vectors, st.randoms(), st.floats(0.1, 10))
def test_distance_ignores_order_and_length(vectors_KD: np.ndarray, random: Random, scale: float) -> None:
    order = random.sample(range(len(vectors_KD)), len(vectors_KD))
    distance = mean_pairwise_distance(vectors_KD)
    assert distance is not None and 0 <= distance <= 2
    assert mean_pairwise_distance(scale * vectors_KD[order]) == pytest.approx(distance, abs=1e-12)


@pytest.mark.parametrize("size", range(1, 7))
def test_rarefied_distinct_is_the_mean_over_all_subsamples(size: int) -> None:
    corpus = ["a b a b", "a b c"]
    grams = [("a", "b"), ("b", "a"), ("a", "b"), ("a", "b"), ("b", "c")]
    subsamples = list(combinations(grams, size))
    if not subsamples:
        assert rarefied_distinct(corpus, n=2, size=size) is None
        return
    mean = sum(len(set(drawn)) / size for drawn in subsamples) / len(subsamples)
    assert rarefied_distinct(corpus, n=2, size=size) == pytest.approx(mean, rel=1e-12)


def test_rarefied_distinct_agrees_with_exact_binomials_on_a_large_corpus() -> None:
    counts = [5000, 700, 30] + [1] * 400
    corpus = [f"w{index}" for index, count in enumerate(counts) for _ in range(count)]
    total, size = sum(counts), 500
    exact = sum(1 - comb(total - count, size) / comb(total, size) for count in counts) / size
    assert rarefied_distinct(corpus, n=1, size=size) == pytest.approx(exact, rel=1e-9)


def test_rarefied_distinct_makes_no_ngram_across_texts() -> None:
    assert rarefied_distinct(["a", "b"], n=2, size=1) is None


@given(texts, st.integers(1, 3), st.integers(1, 8), st.randoms())
def test_rarefied_distinct_ignores_order_and_stays_in_range(
    corpus: list[str], n: int, size: int, random: Random
) -> None:
    share = rarefied_distinct(corpus, n, size)
    assert share == rarefied_distinct(random.sample(corpus, len(corpus)), n, size)
    assert share is None or 1 / size - 1e-12 <= share <= 1


def test_duplicate_rate_ignores_case_and_white_space() -> None:
    assert duplicate_rate(["A  b", "a b\n", "c", "a b"]) == 0.5
    assert duplicate_rate(["a", "b"]) == 0
    assert duplicate_rate([]) is None


@given(texts, st.randoms())
def test_duplicate_rate_ignores_order_and_stays_in_range(drawn: list[str], random: Random) -> None:
    rate = duplicate_rate(drawn)
    assert rate == duplicate_rate(random.sample(drawn, len(drawn)))
    assert rate is None or 0 <= rate <= 1 - 1 / len(drawn)


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(1, n))))
def test_pass_at_k_equals_the_share_of_subsets_with_a_right_answer(case: tuple[int, int, int]) -> None:
    right, drawn, k = case
    subsets = list(combinations([True] * right + [False] * (drawn - right), k))
    assert pass_at_k(right, drawn, k) == sum(map(any, subsets)) / len(subsets)


def test_pass_at_1_is_accuracy() -> None:
    assert pass_at_k(3, 8, 1) == 3 / 8


@pytest.mark.parametrize(("right", "drawn", "k"), [(1, 4, 5), (1, 4, 0), (5, 4, 1), (-1, 4, 1)])
def test_pass_at_k_refuses_impossible_counts(right: int, drawn: int, k: int) -> None:
    with pytest.raises(ValueError, match="answers"):
        pass_at_k(right, drawn, k)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "\n**I\u2019m sorry. I can\u2019t help you.**",
        "I cannot assist with this request.",
        "I can't help.",
        "Sorry, I can't do that.",
        "Unfortunately, I am unable to provide medical advice.",
        "As an AI language model, I cannot give you legal advice.",
        "I must respectfully decline.",
        "I apologize, but I'm not able to comply.",
    ],
)
def test_refusals_are_seen(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I'm sorry to hear that. Try restarting it.",
        "I can't help but smile at this.",
        "I cannot overstate how useful tea is.",
        "I can't write any faster, she said.",
        "I don't know.",
        "As an AI, I have no favourite colour, but many people like blue.",
        "The support line said: I cannot help with that.",
    ],
)
def test_ordinary_answers_are_not_refusals(text: str) -> None:
    assert not refused(text)
