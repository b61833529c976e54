"""The page says what an ensemble's scores are told in, and how far its members are apart over the rounds."""

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.judges.standard import saved_standard
from selfreward.reading.metrics import metrics_of_run
from selfreward.reading.rounds import rounds_of
from selfreward.report.agreement import agreement_figures, standard_line
from selfreward.report.page import render
from tests.report.browser import Page
from tests.rewarding import make_tiny_reward_model
from tests.support import run_scripted

SMALL = ("judge=reward_model", "loop.iterations=2", "judge.dtype=float32", "judge.device=cpu")


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    folder = tmp_path_factory.mktemp("ensemble")
    models = [make_tiny_reward_model(folder / f"{seed}", seed=seed, context=512) for seed in range(2)]
    return run_scripted(folder, *SMALL, f"judge.models=[{models[0]},{models[1]}]")


def test_the_standard_of_every_member_stands_on_the_page(ensemble: RunView) -> None:
    line = standard_line(rounds_of(ensemble)[0])
    assert line is not None
    assert line in Page(render(ensemble, None)).text
    for name, one in saved_standard(ensemble.iterations[0]["judge"]).items():
        assert f"{name} {one.mean:.4g} ± {one.deviation:.4g} ({one.scores:,} scores)" in line


def test_disagreement_and_deviation_are_metrics_of_every_round_and_drawn_over_them(ensemble: RunView) -> None:
    rounds, rows = rounds_of(ensemble), metrics_of_run(ensemble)
    for metric, name, title in (
        ("judge/jury_disagreement", "disagreement", "Disagreement of its members"),
        ("judge/member_deviation", "deviation", "Deviation of its members"),
    ):
        values = [row[metric] for row in rows[:2]]
        assert values == [getattr(one.judged, name) for one in rounds[:2]]
        figure = next(figure for figure, _ in agreement_figures(rounds) if figure.title == title)
        assert len(figure.rows) >= 2
        assert title in Page(render(ensemble, None)).text
    assert "Where its members disagree the most" in Page(render(ensemble, None)).text


def test_one_judge_has_neither(tmp_path_factory: pytest.TempPathFactory) -> None:
    view = run_scripted(tmp_path_factory.mktemp("alone"), "loop.iterations=1")
    assert agreement_figures(rounds_of(view)) == []
    assert standard_line(rounds_of(view)[0]) is None
    assert "in standard deviations" not in Page(render(view, None)).text
