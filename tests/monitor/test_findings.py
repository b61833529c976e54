"""One family's test: its numbers by hand, its interval by simulation, and what there is no test of."""

import numpy as np
import pytest

from selfreward.metrics.intervals import Paired
from selfreward.monitor.critical_values import student_critical
from selfreward.monitor.findings import margin_test, nll_test
from tests.monitor.probe_rounds import fallen, human_nll


def test_a_finding_by_hand() -> None:
    # Losses .2 and .4 of a reference of 1, excess .1 and .3 over the margin: mean .2, sd sqrt(.08 / 7).
    paired = Paired(np.array([0.8, 0.6] * 4), np.ones(8))
    finding = margin_test("sem", paired, margin=0.1, critical=2.0, since=0)
    assert finding is not None
    bound, se = student_critical(2.0, 8), 0.0377964
    assert (finding.now, finding.base, finding.drop) == pytest.approx((0.7, 1.0, 0.3))
    assert (finding.se, finding.z) == pytest.approx((se, 0.2 / se), rel=1e-5)
    # Student's t of 7 degrees of freedom at .975; the reference is 1 everywhere, so both standard errors are one.
    assert (finding.low, finding.high) == pytest.approx((0.3 - 2.3646 * se, 0.3 + 2.3646 * se), rel=1e-4)
    assert finding.detectable > (bound + 0.8416) * se
    assert (finding.hit, finding.prompts, finding.part, finding.since) == (True, 8, "contraction", 0)


def test_a_drop_is_a_share_of_the_mean_reference_and_prompts_are_paired() -> None:
    # Prompts differ a hundredfold, and each lost a tenth but for a little noise: pairing sees the tenth.
    base_P = np.geomspace(0.01, 1, 32)
    finding = margin_test("sem", fallen(0.1, 1, base_P, sd=0.001), margin=0.05, critical=3.0, since=0)
    assert finding is not None
    assert finding.drop == pytest.approx(0.1) and finding.hit


def test_hit_is_where_the_drop_is_beyond_the_margin_by_critical_standard_errors() -> None:
    hits = []
    for drop in (0.06, 0.07, 0.075, 0.08, 0.09, 0.2):
        finding = margin_test("sem", fallen(drop, 3), margin=0.07, critical=2.9, since=0)
        assert finding is not None
        assert finding.hit == (finding.drop - finding.critical * finding.se > finding.margin)
        assert finding.z == pytest.approx((finding.drop - finding.margin) / finding.se)
        hits.append(finding.hit)
    assert hits == sorted(hits) and hits[0] != hits[-1]


def test_prompts_that_all_lost_the_same_share_leave_no_doubt_about_it() -> None:
    # The excess over a margin differs from prompt to prompt as their levels do; the share that is lost does not.
    base_P = np.geomspace(0.01, 1, 32)
    finding = margin_test("sem", Paired(0.5 * base_P, base_P), margin=0.07, critical=2.9, since=0)
    assert finding is not None
    assert (finding.low, finding.high) == pytest.approx((0.5, 0.5))
    assert finding.se > 0.05


@pytest.mark.parametrize("drop", [0.0, 0.07, 0.3, 0.9])
@pytest.mark.parametrize("prompts", [16, 64])
def test_the_interval_of_a_drop_holds_it_in_95_percent_of_the_rounds(drop: float, prompts: int) -> None:
    rng, runs, held = np.random.default_rng(prompts), 2000, 0
    for _ in range(runs):
        level_P = 0.6 * rng.gamma(8, 1 / 8, prompts)
        base_P = level_P + rng.normal(0, 0.05, prompts)
        # How much a prompt lost differs by prompt, and has nothing to do with where it started.
        now_P = (1 - drop * rng.uniform(0.9, 1.1, prompts)) * level_P + rng.normal(0, 0.1, prompts)
        finding = margin_test("sem", Paired(now_P, base_P), margin=0.07, critical=2.9, since=0)
        assert finding is not None
        held += finding.low <= drop <= finding.high
    assert held / runs == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    "paired",
    [
        Paired(np.array([]), np.array([])),
        Paired(np.arange(7.0), np.arange(7.0) + 1),
        Paired(np.full(9, 0.5), np.full(9, 0.6)),  # the same difference everywhere tells no noise
        Paired(np.linspace(0, 1, 9), np.zeros(9)),  # no share of nothing
    ],
)
def test_no_finding_without_the_means_to_judge_it(paired: Paired) -> None:
    assert margin_test("sem", paired, 0.07, 2.9, 0) is None


@pytest.mark.parametrize(
    ("now", "base"), [([1.0, 2.0], [1.0]), ([float("nan")] * 9, [1.0] * 9), ([1.0] * 9, [float("inf")] * 9)]
)
def test_values_without_a_partner_are_refused(now: list[float], base: list[float]) -> None:
    with pytest.raises(ValueError, match="prompt"):
        Paired(np.array(now), np.array(base))


def test_human_nll_is_compared_with_its_running_minimum() -> None:
    # Down by half a nat while the format is learned, then up: still below the start, and a loss all the same.
    finding = nll_test(human_nll([3.3, 2.8, 2.9, 3.0]), margin=0.05, critical=3.4)
    assert finding is not None
    assert (finding.since, finding.hit, finding.part) == (1, True, "loss")
    assert (finding.base, finding.now, finding.drop) == pytest.approx((2.8, 3.0, 0.2))


def test_human_nll_tells_a_hit_before_a_larger_rise_that_is_noise() -> None:
    noisy, steady, now = human_nll([2.7, 2.9, 3.0])
    noisy = {prompt: 2.7 + 100 * (value - 2.7) for prompt, value in noisy.items()}
    finding = nll_test([noisy, steady, now], margin=0.05, critical=3.4)
    assert finding is not None
    assert (finding.since, finding.hit) == (1, True)


def test_human_nll_needs_an_earlier_round_with_the_same_prompts() -> None:
    assert nll_test([], 0.05, 3.4) is None
    assert nll_test(human_nll([3.0]), 0.05, 3.4) is None
    now = {f"other{i}": 3.0 + i for i in range(20)}
    assert nll_test([*human_nll([3.0]), now], 0.05, 3.4) is None
