"""Each member of a jury by itself: metrics, log and page say of it what a run with it alone says."""

from pathlib import Path

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.judges.members import member_of, read_scores, seat_name, told_scores
from selfreward.reading.rounds import rounds_of
from selfreward.report.page import render
from selfreward.tracking import metrics_of_run
from selfreward.tracking.round_lines import member_lines
from tests.report.browser import Page
from tests.support import Silent, run_scripted
from tests.test_docs import documented_names

SMALL = (
    "data.train_closed=24",
    "data.train_open=8",
    "loop.iterations=1",
    "backend.unparsed_share=0.1",
    "mix.min_rows=1",
)
KINDS = {
    "dimensions": ("judge=dimensions", "judge.method=expected"),
    "function": ("judge=function", "judge.function=rewards.py:score"),
    "likelihood": ("judge=likelihood",),
    "pairwise": ("judge=pairwise", "judge.method=probability"),
    "rubric": ("judge=rubric", "judge.method=expected"),
    "verifier": ("judge=verifier",),
}
ADDED = ("dimensions", "function", "verifier")


def member_settings() -> list[str]:
    """A jury of one member of each kind, that draws nothing."""
    settings = ["judge=jury", "judge.rule=mean_rank", *(f"+judge@judge.members.{name}={name}" for name in ADDED)]
    for name, (_, *more) in KINDS.items():
        settings += [one.replace("judge.", f"judge.members.{name}.", 1) for one in more]
    return settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("members")
    (made / "rewards.py").write_text(
        "def score(completions):\n    return [len(one[0]['content']) for one in completions]\n"
    )
    return made


@pytest.fixture(scope="module")
def jury(folder: Path) -> RunView:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return run_scripted(folder, *member_settings(), *SMALL, "run=jury")


def test_a_member_is_what_it_would_be_alone(jury: RunView, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    members = rounds_of(jury)[0].members
    assert members.keys() == KINDS.keys()
    for name, settings in KINDS.items():
        (alone, *_) = rounds_of(run_scripted(folder, *settings, *SMALL, f"run={name}"))
        on_gold, in_round = members[name].on_gold, members[name].in_round
        assert alone.health is not None and alone.judged is not None and on_gold is not None and in_round is not None
        if name != "verifier":
            assert on_gold.accuracy == alone.health.measures["accuracy"], name
            assert on_gold.parse_rate == alone.health.measures["parse_rate"], name
        assert on_gold.pairs == alone.health.pairs
        assert in_round.candidates == alone.drawn
        assert in_round.tokens == (alone.costs["judge"].tokens or None), name
        assert alone.gate is not None
        mean = alone.gate.measures["mean_score"].value
        if name in ("dimensions", "rubric", "likelihood"):
            assert in_round.mean_score == pytest.approx(mean, rel=1e-5), name
            assert in_round.scored == sum(one.count for one in alone.gate.scores), name
    assert members["pairwise"].in_round is not None and members["pairwise"].in_round.mean_score is None


def test_what_cannot_be_asked_on_gold_says_why(jury: RunView) -> None:
    verifier = rounds_of(jury)[0].members["verifier"]
    assert verifier.on_gold is not None and verifier.in_round is not None
    assert verifier.on_gold.scored == 0 < verifier.in_round.scored < verifier.in_round.candidates
    assert verifier.on_gold.accuracy.why_missing == verifier.on_gold.parse_rate.why_missing == "nothing to compare with"


def test_the_page_has_each_member(jury: RunView) -> None:
    text = Page(render(jury, None)).text
    assert "Its members, each by itself" in text and "Accuracy of its members" in text
    for name, member in rounds_of(jury)[0].members.items():
        assert name in text
        assert member.on_gold is not None
        if (one := member.on_gold.accuracy.interval) is not None:
            assert f"{one.value:.3f}[{one.low:.3f}, {one.high:.3f}]" in text
    assert "not measured: nothing to compare with" in text


def test_every_metric_of_a_member_is_defined(jury: RunView) -> None:
    emitted = {name for row in metrics_of_run(jury) for name in row if name.startswith("judge/member/")}
    patterns = documented_names()
    assert {name.split("/")[2] for name in emitted} == KINDS.keys()
    assert [name for name in emitted if not any(pattern.fullmatch(name) for pattern in patterns)] == []


def test_the_log_of_a_round_has_a_line_for_each(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    told = Silent()
    view = run_scripted(folder, *member_settings(), *SMALL, "run=again", reporter=told)
    lines = member_lines(rounds_of(view)[0].members)
    assert len(lines) == len(KINDS)
    assert [line for line in told.lines if line in lines] == lines
    assert lines[-1].startswith("  judge verifier: not measured on gold (nothing to compare with), ")


def test_a_judge_alone_has_no_members(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "judge=pairwise", *SMALL)
    assert rounds_of(view)[0].members == {}
    assert not any(name.startswith("judge/member") for row in metrics_of_run(view) for name in row)
    assert "Its members" not in Page(render(view, None)).text


def test_dimensions_are_told_of_by_themselves(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *KINDS["dimensions"], *SMALL)
    members = rounds_of(view)[0].members
    assert len(members) > 1
    assert members.keys() == view.iterations[0]["judge"].spec["dimensions"].keys()  # type: ignore[union-attr]
    scored = [one.in_round.scored for one in members.values() if one.in_round is not None]
    assert min(scored) >= view.iterations[0]["judge"].rows() - view.iterations[0]["judge"].manifest.counts["unparsed"]


def test_what_members_gave_is_read_as_it_was_told() -> None:
    gave = {"a": {"x": 0.123456789}, "b": {"x": -1e-12}, "c": {}}
    assert read_scores(told_scores("weighted=1 members=1 of 3, none; but", "x", gave)) == {
        "a": 0.123457,
        "b": -1e-12,
        "c": None,
    }
    assert member_of(seat_name("rubric", "0123"), "clear") == "rubric"
    assert (member_of("0123", "model_1"), member_of("0123", None)) == ("model_1", None)
