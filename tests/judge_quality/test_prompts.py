"""Pairs of one prompt are not independent: intervals over prompts hold where there are several pairs a prompt."""

from statistics import fmean

import numpy as np
import pytest

from selfreward.judge_quality.estimate import Measure, effective_items, share_limits
from selfreward.judge_quality.measures import judge_measures, rater_measures
from selfreward.judge_quality.verdicts import Judged, Labelled, Verdicts
from selfreward.records import Verdict
from tests.judge_quality.planted import item, said

PROMPTS, PAIRS, RUNS = 40, 6, 200
TRUE = {"accuracy": 0.7, "kappa": 0.4, "flip_rate": 0.2, "parse_rate": 0.9, "position_preference": 0.0}


def gold(rng: np.random.Generator, alike: float) -> list[Judged]:
    """What a judge says of pairs whose prompts are `alike` (the share of pairs that go with their prompt)."""

    def lots() -> np.ndarray:
        of_prompt, own = rng.random((PROMPTS, 1)), rng.random((PROMPTS, PAIRS))
        return np.where(rng.random((PROMPTS, PAIRS)) < alike, of_prompt, own)

    right, flips, reads, shown = lots() < 0.7, lots() < 0.2, lots() < 0.9, lots()
    rows = []
    for prompt, pair in np.ndindex(PROMPTS, PAIRS):
        number, at = prompt * PAIRS + pair, (prompt, pair)
        preference = float(right[at]) if reads[at] else None
        rows.append(
            (
                item(number=number, prompt=prompt),
                said(number, preference, flipped=bool(flips[at]), shown=float(shown[at] < 0.5)),
            )
        )
    return rows


@pytest.mark.parametrize("alike", [0.0, 0.7, 1.0])
def test_intervals_cover_with_six_pairs_a_prompt(alike: float) -> None:
    rng = np.random.default_rng(int(10 * alike))
    covered: dict[str, list[bool]] = {name: [] for name in TRUE}
    for _ in range(RUNS):
        items, verdicts = zip(*gold(rng, alike), strict=True)
        measures = judge_measures(items, verdicts, own=set(), scale=None, seed=0)
        for name, true in TRUE.items():
            one = measures[name]
            assert one.interval is not None and 25 < one.prompts <= PROMPTS, "those that were read"
            covered[name].append(one.interval.low <= true <= one.interval.high)
    # .92 is asked of them; 200 runs have a standard deviation of .015 about .95.
    assert {name: rate for name, found in covered.items() if (rate := fmean(found)) < 0.92} == {}


def test_copies_of_a_pair_change_no_interval_and_are_counted() -> None:
    rng = np.random.default_rng(0)
    once = gold(rng, 1.0)[::PAIRS]
    thrice = [
        (item(number=3 * number + copy, prompt=number), said(3 * number + copy, one.preference, flipped=one.flipped))
        for number, (_, one) in enumerate(once)
        for copy in range(3)
    ]
    for name in ("accuracy", "kappa", "flip_rate"):
        few, many = measured(once, name), measured(thrice, name)
        assert few.interval is not None and many.interval is not None
        assert (few.interval.low, few.interval.high) == pytest.approx((many.interval.low, many.interval.high))
        assert (few.prompts, many.prompts, many.interval.n) == (few.interval.n, few.interval.n, 3 * few.interval.n)


def measured(rows: list[Judged], name: str) -> Measure:
    items: list[Labelled] = [one for one, _ in rows]
    verdicts: list[Verdicts] = [one for _, one in rows]
    return judge_measures(items, verdicts, own=set(), scale=None, seed=0)[name]


def test_people_are_resampled_by_prompt_too() -> None:
    votes: list[list[Verdict]] = [["first", "first", "second" if n % 3 else "first"] for n in range(12)]
    alone = rater_measures(votes, 0)
    copied = rater_measures([one for one in votes for _ in range(5)], 0, [n for n in range(12) for _ in range(5)])
    for few, many in zip(alone.values(), copied.values(), strict=True):
        assert few.interval is not None and many.interval is not None
        assert many.prompts == 12
        # Alpha counts chance without replacement, so that copies move it a little.
        assert many.interval.low == pytest.approx(few.interval.low, abs=0.05)


def test_limits_of_a_share_by_hand() -> None:
    # All of n: half the chance of n out of n is the error.
    assert share_limits(1.0, 48, 0.005) == (pytest.approx(0.01 ** (1 / 48)), 1.0)
    assert share_limits(0.0, 20, 0.025) == (0.0, pytest.approx(1 - 0.05 ** (1 / 20)))
    low, high = share_limits(0.5, 400, 0.025)
    assert (low, high) == (pytest.approx(0.5 - 0.049, abs=1e-3), pytest.approx(0.5 + 0.049, abs=1e-3))


def test_what_pairs_of_a_prompt_are_worth() -> None:
    prompts = np.repeat(np.arange(40), 6)
    rng = np.random.default_rng(0)
    alike = np.repeat((rng.random(40) < 0.7).astype(float), 6)
    apart = (rng.random(240) < 0.7).astype(float)
    assert effective_items(alike, prompts) == pytest.approx(40)
    assert 120 < effective_items(apart, prompts) < 300
    assert effective_items(np.ones(240), prompts) == pytest.approx(40), "nothing is known of how they vary"
