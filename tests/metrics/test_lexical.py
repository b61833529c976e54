"""Wording: every estimator against a hand-computed case, and the laws it must keep."""

import math
import time
import zlib
from random import Random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from selfreward.metrics.estimators import words
from selfreward.metrics.lexical import (
    compression_ratio,
    first_words,
    ngram_distance,
    self_bleu,
    self_repetition,
    shared_opening,
    simpson,
    without_opening,
)

PREAMBLE = "Sure! Here is my answer:"
OPENING = ("sure", "here", "is", "my", "answer")
texts = st.lists(st.text(alphabet="ab c'", max_size=12), max_size=6)


def drawn(random: Random, count: int, length: int, kinds: int = 200) -> list[str]:
    """`count` texts of `length` words, drawn one by one from a Zipfian vocabulary."""
    vocabulary = [f"w{index}" for index in range(kinds)]
    weights = [1 / (index + 1) for index in range(kinds)]
    return [" ".join(random.choices(vocabulary, weights, k=length)) for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "count", "start"),
    [
        ("Well, don\u2019t stop now.", 2, "Well, don\u2019t"),
        ("Well, don't stop now.", 4, "Well, don't stop now"),
        ("  Two words!  ", 3, "  Two words!  "),
        ("one_two", 1, "one"),
        ("Straße nach Süden", 2, "Straße nach"),
        ("İzmir bay", 1, "İzmir"),  # folds to two code points, the second a mark
        ("anything", 0, ""),
        ("", 3, ""),
    ],
)
def test_first_words_end_with_the_last_of_them(text: str, count: int, start: str) -> None:
    assert first_words(text, count) == start


@given(st.text(max_size=30), st.integers(0, 6))
def test_first_words_are_the_first_of_words(text: str, count: int) -> None:
    assert words(first_words(text, count)) == words(text)[:count]


def test_first_words_of_split_accents_are_whole() -> None:
    assert first_words("cafe\u0301 noir", 1) == "caf\u00e9"


def test_an_opening_is_what_at_least_half_share() -> None:
    with_it = [f"{PREAMBLE} {end}" for end in ("Paris.", "a dog", "42")]
    assert shared_opening([*with_it, "No.", "Because it rains.", "Blue"]) == OPENING
    assert shared_opening([*with_it, "No.", "Because it rains.", "Blue", "Red"]) == ()


def test_an_opening_ignores_case_and_punctuation() -> None:
    assert shared_opening([f"{PREAMBLE} Paris", "sure, HERE is (my) answer - a dog"]) == OPENING


def test_a_short_start_in_common_is_no_opening() -> None:
    assert shared_opening(["It is red", "It is blue", "It is green"]) == ()
    assert shared_opening(["It is a dog", "It is a cat"]) == ("it", "is", "a")


def test_the_longest_opening_is_found_where_two_halves_differ() -> None:
    halves = ["a b c one", "a b c two", "x y z v one", "x y z v two"]
    assert shared_opening(halves) == ("x", "y", "z", "v")
    assert shared_opening(["b c d", "a c d", "b c d", "a c d"]) == ("a", "c", "d")


@pytest.mark.parametrize("few", [[], ["one text shares with nobody"], ["", ""], ["", "!"]])
def test_nothing_is_shared_by_fewer_than_two_texts_with_words(few: list[str]) -> None:
    assert shared_opening(few) == ()


@given(st.lists(st.text(alphabet="ab ", max_size=14), max_size=6), st.randoms())
def test_an_opening_is_shared_and_no_longer_one_is(some: list[str], random: Random) -> None:
    opening = shared_opening(some)
    assert opening == shared_opening(random.sample(some, len(some)))
    starts = {tuple(words(text)[:length]) for text in some for length in range(3, len(words(text)) + 1)}
    enough = max(2, len(some) / 2)
    shared = [start for start in starts if sum(words(text)[: len(start)] == list(start) for text in some) >= enough]
    assert opening == (min(shared, key=lambda start: (-len(start), start)) if shared else ())


def test_an_opening_takes_time_in_proportion_to_the_words() -> None:
    long = "word " * 20_000
    began = time.process_time()
    assert len(shared_opening([long, long, "short"])) == 20_000
    assert time.process_time() - began < 2  # about .05 s; a quadratic search takes minutes


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (f"{PREAMBLE} The capital is Paris.", "The capital is Paris."),
        ("sure, here is my answer:\n\n- one\n- two", "- one\n- two"),
        ("**Sure! Here is my answer:** _Paris_", "_Paris_"),
        (f"{PREAMBLE}", ""),
        ("Sure! Here is an answer: Paris", "Sure! Here is an answer: Paris"),
        ("Sure", "Sure"),
    ],
)
def test_without_its_opening_a_text_is_what_follows(text: str, rest: str) -> None:
    assert without_opening(text, OPENING) == rest
    assert without_opening(text, ()) == text


@given(st.text(max_size=30), st.integers(1, 4))
@example("one two three \U00018d80", 3)  # a letter that is younger than the Unicode tables of Python 3.11
def test_without_an_opening_the_other_words_are_left(text: str, length: int) -> None:
    opening = tuple(words(text)[:length])
    assert words(without_opening(text, opening)) == words(text)[len(opening) :]


def test_ngram_distance_is_one_minus_jaccard_over_pairs() -> None:
    # {abc, bcd} and {abc, bcx} share one of three; neither shares any with {xyz}.
    assert ngram_distance(["a b c d", "A b, c x", "x y z"]) == pytest.approx((2 / 3 + 1 + 1) / 3)


def test_ngram_distance_takes_a_short_text_whole() -> None:
    assert ngram_distance(["Yes.", "yes"]) == 0
    assert ngram_distance(["yes sir", "yes"]) == 1
    assert ngram_distance(["", " ?"]) == 0
    assert ngram_distance(["", "yes", "..."]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("few", [[], ["a b c"]])
def test_ngram_distance_needs_two_texts(few: list[str]) -> None:
    assert ngram_distance(few) is None


@given(texts, st.integers(1, 3), st.randoms())
def test_ngram_distance_ignores_order_and_stays_in_range(some: list[str], n: int, random: Random) -> None:
    distance = ngram_distance(some, n)
    assert (distance is None) == (len(some) < 2)
    assert distance is None or 0 <= distance <= 1
    assert distance == ngram_distance(random.sample(some, len(some)), n)


def test_ngram_distance_is_unbiased_in_the_number_of_texts() -> None:
    random = Random(0)
    means = {k: [ngram_distance(drawn(random, k, 12), 1) or 0 for _ in range(1200 // k)] for k in (2, 6, 24)}
    spread = np.std(means[2]) / math.sqrt(600)
    for values in means.values():
        assert np.mean(values) == pytest.approx(np.mean(means[24]), abs=4 * spread)


def test_simpson_of_a_hand_computed_case() -> None:
    # a, a, b, c: one of the six pairs is alike.
    assert simpson(["a b", "A c"]) == pytest.approx(5 / 6)
    assert simpson(["a b a b", "a b"], n=2) == pytest.approx(1 - 3 / 6)


def test_simpson_of_equal_and_of_different_words() -> None:
    assert simpson(["a a", "a"]) == 0
    assert simpson(["a b", "c"]) == 1


@pytest.mark.parametrize("few", [[], ["", "?"], ["once"]])
def test_simpson_needs_two_words(few: list[str]) -> None:
    assert simpson(few) is None


@pytest.mark.parametrize("size", [5, 50, 500])
def test_simpson_is_unbiased_at_any_number_of_words(size: int) -> None:
    random = Random(size)
    weights = np.array([1 / (index + 1) for index in range(200)])
    truth = 1 - float(np.square(weights / weights.sum()).sum())
    values = [simpson(drawn(random, 1, size)) or 0 for _ in range(5000 // size)]
    assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / math.sqrt(len(values)))


@given(texts, st.integers(1, 3), st.randoms())
def test_simpson_ignores_order_and_stays_in_range(some: list[str], n: int, random: Random) -> None:
    share = simpson(some, n)
    assert share == simpson(random.sample(some, len(some)), n)
    assert share is None or 0 <= share <= 1


def test_self_bleu_is_bleu_by_hand() -> None:
    # Against its only reference, each matches 5 of 6 words, 4 of 5, 3 of 4 and 2 of 3 longer runs.
    pair = ["the cat sat on the mat", "the cat sat on the rug"]
    assert self_bleu(pair, references=1, seed=0) == pytest.approx((5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25)


def test_self_bleu_of_equal_unrelated_and_empty_texts() -> None:
    assert self_bleu(["the cat sat on the mat"] * 5, seed=0) == 1
    assert self_bleu(["a b c d", "e f g h", "i j k l", "m n o p", "q r s t"], seed=0) == 0
    assert self_bleu([""] * 5, seed=0) == 0


def test_no_text_is_its_own_reference() -> None:
    different = [" ".join(f"{letter}{index}" for index in range(6)) for letter in "abcde"]
    assert all(self_bleu(different, references=count, seed=seed) == 0 for count in (1, 4) for seed in range(20))


def test_self_bleu_needs_one_text_more_than_references() -> None:
    assert self_bleu(["a b c d"] * 4, seed=0) is None


def test_self_bleu_does_not_move_with_the_number_of_texts_but_with_that_of_references() -> None:
    random = Random(1)
    few, many = ([self_bleu(drawn(random, k, 12), seed=0) or 0 for _ in range(480 // k)] for k in (6, 24))
    assert np.mean(few) == pytest.approx(np.mean(many), abs=4 * np.std(few) / math.sqrt(len(few)))
    some = drawn(random, 60, 12)
    scores = [self_bleu(some, references=count, seed=0) or 0 for count in (1, 4, 16)]
    assert scores[0] < 0.8 * scores[1] < 0.64 * scores[2]


def test_the_same_seed_gives_the_same_lot() -> None:
    some = drawn(Random(2), 12, 12)
    assert self_bleu(some, seed=3) == self_bleu(some, seed=3) != self_bleu(some, seed=4)
    assert compression_ratio(some, 400, seed=3) == compression_ratio(some, 400, seed=3)


def test_self_repetition_counts_the_other_texts_that_hold_an_ngram() -> None:
    # "a b" stands in two other texts, and twice in the first, which counts once; "b a" and "b c" in no other.
    assert self_repetition(["a b a b", "a b", "a b c", "x"], n=2) == pytest.approx(3 * math.log(3) / 4)


def test_self_repetition_of_nothing() -> None:
    assert self_repetition(["a b c d e f", "too short"]) == 0
    assert self_repetition(["a b c d e f a b c d e f"]) is None
    assert self_repetition([]) is None


def test_self_repetition_sees_a_stock_phrase_and_grows_with_the_texts() -> None:
    different = drawn(Random(3), 40, 20, kinds=5000)
    stock = [f"{text} I hope that this answers your question" for text in different]
    plain, one, half = (self_repetition(some) for some in (different, stock, stock[:20]))
    assert plain is not None and one is not None and half is not None
    assert plain < 0.1 < half < one
    # Each holds the two 6-grams of the phrase, which 39 others hold.
    assert one == pytest.approx(math.log(1 + 2 * 39), abs=0.05)


@given(texts, st.integers(1, 3), st.randoms())
def test_self_repetition_ignores_order(some: list[str], n: int, random: Random) -> None:
    value = self_repetition(some, n)
    assert value == self_repetition(random.sample(some, len(some)), n)
    assert value is None or value >= 0


def test_compression_is_of_exactly_that_many_bytes() -> None:
    line = "é" * 50  # two bytes each
    assert compression_ratio([line] * 2, 201, seed=0) == 201 / len(zlib.compress(f"{line}\n{line}".encode(), 9))
    assert compression_ratio([line] * 2, 202, seed=0) is None
    assert compression_ratio([line] * 9, 201, seed=0) == compression_ratio([line] * 2, 201, seed=0)
    assert compression_ratio([], 1, seed=0) is None


def test_compression_rises_as_texts_repeat() -> None:
    different = drawn(Random(4), 200, 20)
    low, high = (compression_ratio(some, 4000, seed=0) for some in (different, different[:10] * 20))
    assert low is not None and high is not None and high > 1.5 * low
