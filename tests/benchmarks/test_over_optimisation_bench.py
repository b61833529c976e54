"""`selfreward bench overoptimisation`: scripted policies whose truth is known, its tables, and docs/bench.md."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from selfreward.benchmarks import over_optimisation_bench
from selfreward.benchmarks.bench_table import Row, Section
from selfreward.benchmarks.over_optimisation_bench import FULL, QUICK
from selfreward.benchmarks.proxy_curves import AGGREGATES, kl_section
from selfreward.benchmarks.tilted_policies import (
    GAIN,
    LOSS,
    Answers,
    blind_spot,
    drawn_runs,
    harmless,
    over_optimised,
    tilted,
    truth_of,
)
from selfreward.benchmarks.turn_rates import first_told, paired, unpaired
from selfreward.commands import bench
from selfreward.monitor.gate_rules import GateSpec

PAGE = Path(__file__).parents[2] / "docs/bench.md"


def test_a_tilted_policy_is_the_one_of_the_formula() -> None:
    """Two answers to one prompt, the second one a nat better to the proxy."""
    answers = Answers(np.array([[0.0, 1.0]]), np.array([[0.2, 0.6]]))
    policy = tilted(answers, 2.0)
    better = np.e**2 / (1 + np.e**2)
    assert policy == pytest.approx(np.array([[1 - better, better]]))
    truth = truth_of(answers, policy)
    assert truth.kl == pytest.approx(np.log(2) + better * np.log(better) + (1 - better) * np.log(1 - better))
    assert (truth.proxy, truth.gold) == pytest.approx((better, 0.2 + 0.4 * better))


@pytest.mark.parametrize("rounds", [3, 10])
def test_an_over_optimised_run_gains_and_loses_what_it_says_while_the_proxy_rises(rounds: int) -> None:
    course = over_optimised(blind_spot("a phrase", np.random.default_rng(0)), rounds)
    truths = course.truths()
    golds, proxies, kls = ([getattr(one, name) for one in truths] for name in ("gold", "proxy", "kl"))
    assert len(truths) == rounds + 1
    assert int(np.argmax(golds)) == course.peak
    assert golds[course.peak] - golds[0] == pytest.approx(GAIN, abs=1e-3)
    assert golds[-1] - golds[course.peak] == pytest.approx(-LOSS, abs=1e-3)
    assert proxies == sorted(proxies)
    assert kls == sorted(kls)
    assert kls[0] == pytest.approx(0)


def test_gold_of_a_harmless_run_rises_or_stands_still_exactly() -> None:
    def golds(name: str) -> list[float]:
        truths = harmless(name, 10, np.random.default_rng(0)).truths()
        assert all(later.proxy > earlier.proxy for earlier, later in pairwise(truths))
        return [one.gold for one in truths]

    rising, level, still = golds("both rise"), golds("gold levels off"), golds("gold stands still")
    assert rising == sorted(rising)
    assert rising[-1] - rising[0] == pytest.approx(GAIN, abs=1e-3)
    assert level[5:] == pytest.approx([rising[-1]] * 6)
    assert still == pytest.approx([rising[0]] * 11)


def test_what_is_drawn_has_the_true_means_and_the_same_prompts_throughout() -> None:
    course = over_optimised(blind_spot("length", np.random.default_rng(0)), 3)
    runs = list(drawn_runs(course, np.random.default_rng(1), 60, prompts=200, answers=2))
    assert len(runs) == 60
    for number, true in enumerate(course.truths()):
        means = [(one.proxy_TNM[number].mean(), one.right_TNM[number].mean()) for one in runs]
        error = np.std(means, axis=0) / len(runs) ** 0.5
        assert (np.abs(np.mean(means, axis=0) - (true.proxy, true.gold)) < 4 * error).all()
    part = runs[0].seen(24, 1)
    assert part.gold_TP.shape == (4, 24)
    assert set(np.unique(part.gold_TP)) == {0.0, 1.0}
    assert np.corrcoef(runs[0].seen(200, 2).gold_TP)[2, 3] > 0.3


def test_pairs_show_a_turn_that_intervals_side_by_side_do_not() -> None:
    rng = np.random.default_rng(0)
    course = over_optimised(blind_spot("a kind of question", rng), 10)
    runs = [one.seen(450, 4) for one in drawn_runs(course, rng, 5, prompts=450, answers=4)]
    spec = GateSpec(looks=10)
    firsts = [first_told(paired(spec, one)) for one in runs]
    assert all(one is not None and one > course.peak for one in firsts)
    assert [first_told(unpaired(spec, one)) for one in runs] == [None] * 5


def test_lower_is_the_mean_less_lambda_standard_deviations() -> None:
    members = np.array([[[1.0]], [[3.0]], [[5.0]]])
    merged = {name: merge(members).tolist() for name, merge in AGGREGATES.items()}
    assert merged == {
        "one member": [[1.0]],
        "mean": [[3.0]],
        "lower, lambda 1": [[1.0]],
        "lower, lambda 2": [[-1.0]],
        "min": [[1.0]],
    }


def test_a_part_of_the_bench_gives_the_same_figures_for_the_same_seed() -> None:
    first, again, other = (kl_section(np.random.SeedSequence(seed)) for seed in (0, 0, 1))
    assert first == again != other
    assert all(row.passed for row in first.rows)


@pytest.mark.parametrize(("flags", "runs"), [([], FULL), (["--quick"], QUICK)])
def test_the_command_tells_what_does_not_hold(
    flags: list[str], runs: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []
    section = Section(
        title="Power", reading="", columns=("24",), rows=(Row(name="length", cells=(0.1,), passed=False),)
    )

    def parts(*given: object) -> list[list[Section]]:
        asked.append(given)
        return [[section]]

    monkeypatch.setattr(over_optimisation_bench, "over_optimisation_bench", parts)
    assert bench.main(["overoptimisation", "--seed", "7", *flags]) == 1
    assert asked == [(7, runs)]
    assert capsys.readouterr().out.splitlines()[-1] == "does not hold: Power: length"


@pytest.mark.slow
def test_the_page_shows_what_the_bench_prints_and_every_row_holds(capsys: pytest.CaptureFixture[str]) -> None:
    status = bench.main(["overoptimisation", "--seed", "0"])
    _, page = PAGE.read_text().split("\n# Over-optimisation\n")
    assert capsys.readouterr().out in page, (
        "run `selfreward bench overoptimisation` and renew its part of docs/bench.md"
    )
    assert status == 0
