"""How good a reward model is: by hand on few pairs, and told from one that goes by length alone."""

import math
import random

import pytest

from selfreward.judge_quality.reward_accuracy import ScoredPair, accuracy_by_set, reward_measures


def scored(prompt, better, worse, words=(3, 3)):
    return ScoredPair(prompt_id=f"p{prompt}", better=better, worse=worse, better_words=words[0], worse_words=words[1])


def test_the_figures_are_those_by_hand():
    pairs = [scored(0, (1.0,), (0.0,), (5, 2)), scored(1, (0.0,), (2.0,), (2, 5)), scored(2, (1.0,), (1.0,))]
    found = reward_measures(pairs, 2, 0)
    assert found["accuracy"].value == pytest.approx(0.5)
    assert found["accuracy"].left_out == 2
    assert (found["accuracy_where_longer"].value, found["accuracy_where_shorter"].value) == (1.0, 0.0)
    losses = [math.log1p(math.exp(-1.0)), math.log1p(math.exp(2.0)), math.log(2)]
    assert found["log_loss"].value == pytest.approx(sum(losses) / 3)
    confidences = [1 / (1 + math.exp(-1.0)), 1 / (1 + math.exp(-2.0)), 0.5]
    assert found["overconfidence"].value == pytest.approx(sum(confidences) / 3 - 0.5)
    assert found["mean_reward"].value == pytest.approx(5 / 6)
    assert found["spread"].value == pytest.approx(1.0)
    assert found["member_agreement"].why_missing == "it has one member"


def test_each_part_of_the_pairs_has_an_accuracy_of_its_own_and_the_whole_is_no_part():
    pairs = [scored(0, (1.0,), (0.0,)), scored(1, (0.0,), (2.0,)), scored(2, (1.0,), (0.0,))]
    found = accuracy_by_set(pairs, [("human", "open"), ("self", "open"), ("self", "open")])
    assert {name: (one.value, one.n) for name, one in found.items()} == {"human": (1.0, 1), "self": (0.5, 2)}


def test_members_that_prefer_the_same_answer_agree():
    pairs = [scored(0, (1.0, 2.0, 0.0), (0.0, 1.0, 1.0)), scored(1, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))]
    assert reward_measures(pairs, 0, 0)["member_agreement"].value == pytest.approx((1 / 3 + 1) / 2)


def test_a_calibrated_model_is_not_overconfident_and_one_that_is_twice_as_sure_is():
    rng = random.Random(0)
    pairs, sure = [], []
    for number in range(600):
        apart = rng.gauss(0, 1.5)
        right = rng.random() < 1 / (1 + math.exp(-apart))
        apart = apart if right else -apart
        pairs.append(scored(number, (apart,), (0.0,)))
        sure.append(scored(number, (3 * apart,), (0.0,)))
    calibrated, over = (reward_measures(some, 0, 0)["overconfidence"] for some in (pairs, sure))
    assert calibrated.low < 0 < calibrated.high
    assert over.low > 0.03


def test_a_model_that_goes_by_length_shows_it():
    rng = random.Random(1)
    pairs = []
    for number in range(100):
        words = (rng.randint(1, 50), rng.randint(51, 99))
        words = words if rng.random() < 0.5 else words[::-1]
        pairs.append(scored(number, (words[0] / 10,), (words[1] / 10,), words))
    found = reward_measures(pairs, 0, 0)
    assert (found["accuracy_where_longer"].value, found["accuracy_where_shorter"].value) == (1.0, 0.0)
    assert found["accuracy"].low < 0.5 < found["accuracy"].high


def test_without_pairs_everything_is_missing_for_a_reason():
    assert all(one.value is None and one.why_missing for one in reward_measures([], 3, 0).values())
