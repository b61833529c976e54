"""The turn: gold falls under a rising proxy, told on paired prompts with every look and comparison paid for."""

import numpy as np
import pytest
from scipy.stats import t as student

from selfreward.monitor.gate_rules import GateSpec
from selfreward.monitor.over_optimisation import ScoresByPolicy, Turn, best_policy, scores_by_policy, turned

SPEC = GateSpec(looks=10, alpha=0.05)


def scores(
    proxy: list[float], gold: list[float], prompts: int = 200, noise: float = 0.3, seed: int = 0
) -> ScoresByPolicy:
    """Policies with these means on prompts that differ much more than policies do."""
    rng = np.random.default_rng(seed)
    hardness_P = 5 * rng.standard_normal(prompts)

    def drawn(means: list[float]) -> np.ndarray:
        return np.array(means)[:, None] + hardness_P + noise * rng.standard_normal((len(means), prompts))

    return ScoresByPolicy(drawn(proxy), drawn(gold))


def test_gold_that_falls_under_a_rising_proxy_is_a_turn_and_the_peak_is_the_best() -> None:
    found = turned(SPEC, scores([0, 1, 2, 3], [0, 0.2, 0.3, 0.15]))
    assert (found.turned, found.best, found.since, found.prompts) == (True, 2, 2, 200)
    assert found.gold is not None and found.proxy is not None
    assert found.gold.high < 0 < found.proxy.low
    assert found.why.startswith("since M2 the proxy rose while gold fell: proxy +")


@pytest.mark.parametrize(
    ("proxy", "gold"),
    [
        ([0, 1, 2], [0, 0.2, 0.3]),  # both rise
        ([2, 1, 0], [0.3, 0.2, 0]),  # both fall
        ([0, 1, 2], [0.3, 0.3, 0.29]),  # gold falls by less than is shown
        ([0, 1, 1.01], [0, 0.3, 0]),  # since gold was best the proxy rose by less than is shown
    ],
)
def test_anything_less_is_no_turn(proxy: list[float], gold: list[float]) -> None:
    assert not turned(SPEC, scores(proxy, gold)).turned


def test_what_was_not_shown_is_held_against_the_best_earlier_policy_with_what_could_have_been() -> None:
    found = turned(SPEC, scores([0, 1, 2, 3], [0, 0.3, 0.1, 0.28]))
    assert (found.turned, found.best, found.since) == (False, 1, 1)
    assert found.gold is not None and found.detectable is not None
    assert found.gold.low < found.gold.value < 0 < found.gold.high
    assert found.detectable > found.gold.high - found.gold.value
    assert "no fall of gold under a rising proxy is shown" in found.why


def test_a_comparison_pays_for_all_looks_and_for_the_other_earlier_policies() -> None:
    """Limits from the definition: Student's t over prompts at alpha / looks / earlier policies."""
    given = scores([0, 1, 2], [0.2, 0.1, 0.1], prompts=50)
    found = turned(SPEC, given)
    assert found.since is not None and found.gold is not None
    apart_P = given.gold_TP[-1] - given.gold_TP[found.since]
    reach = student.ppf(1 - 0.05 / 10 / 2, 49) * apart_P.std(ddof=1) / 50**0.5
    assert (found.gold.low, found.gold.high) == pytest.approx(
        (apart_P.mean() - reach, apart_P.mean() + reach), abs=2e-6
    )


def test_what_makes_a_prompt_hard_for_all_policies_cancels_out() -> None:
    """Prompts differ by a standard deviation of 5: of unpaired means a fall of .15 in 200 prompts is nothing."""
    given = scores([0, 1], [0.3, 0.15])
    assert given.gold_TP.std(axis=1).min() / 200**0.5 > 0.3
    assert turned(SPEC, given).turned


def test_runs_whose_gold_stands_still_are_left_in_peace() -> None:
    """Ten looks at gold that is all noise, under a proxy that climbs; unpaid comparisons would tell three in four."""
    told = 0
    for seed in range(200):
        run = scores([float(one) for one in range(11)], [0.0] * 11, prompts=30, seed=seed)
        looks = (ScoresByPolicy(run.proxy_TP[: end + 1], run.gold_TP[: end + 1]) for end in range(1, 11))
        told += any(turned(SPEC, one).turned for one in looks)
    assert told <= 10


def test_one_policy_or_few_prompts_are_nothing_to_act_on() -> None:
    first = turned(SPEC, scores([0], [0]))
    assert (first.turned, first.best, first.since, first.why) == (False, 0, None, "there is no earlier policy")
    few = turned(SPEC, scores([0, 9], [9, 0], prompts=19))
    assert (few.turned, few.best, few.why) == (False, 0, "on 19 prompts: too few to act on")
    none = turned(SPEC, scores_by_policy([{"a": (1, None)}, {"a": (1, 1)}]))
    assert none == Turn(turned=False, best=None, prompts=0, why="on 0 prompts: too few to act on")


def test_prompts_are_those_that_have_both_scores_of_every_policy() -> None:
    found = scores_by_policy(
        [
            {"b": (1, 0.5), "a": (2, 1), "c": (3, 1), "d": (0, 0)},
            {"a": (4, 0), "b": (5, 0.25), "c": (6, None)},
        ]
    )
    assert found.proxy_TP.tolist() == [[2, 1], [4, 5]]
    assert found.gold_TP.tolist() == [[1, 0.5], [0, 0.25]]
    with pytest.raises(ValueError, match="never nan"):
        ScoresByPolicy(np.array([[np.nan]]), np.array([[1.0]]))
    with pytest.raises(ValueError, match="not policies by prompts"):
        scores_by_policy([])


def test_of_equally_good_policies_the_earliest_is_the_best() -> None:
    assert best_policy(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0 + 1e-9]])) == 1
