"""`selfreward bench detector`: its tables, its exit status, and docs/bench.md."""

from pathlib import Path

import pytest

from selfreward.benchmarks.bench_table import Row, Section, failures, markdown
from selfreward.commands import bench

PAGE = Path(__file__).parents[2] / "docs/bench.md"
SECTION = Section(
    title="Rates",
    reading="A row holds if it does.",
    columns=("runs", "share"),
    rows=(
        Row(name="good", cells=(400, 0.123456), passed=True),
        Row(name="bad", cells=(400, None), passed=False),
        Row(name="shown", cells=("-", 1e-13)),
    ),
)


def test_a_table_says_what_holds_and_what_was_not_asked() -> None:
    assert markdown([SECTION]).splitlines()[4:] == [
        "|  | runs | share | holds |",
        "| --- | --- | --- | --- |",
        "| good | 400 | 0.1235 | yes |",
        "| bad | 400 | - | **no** |",
        "| shown | - | 0 |  |",
    ]


def test_failing_rows_are_named_and_the_status_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "detector_bench", lambda seed, size: iter([[SECTION]]))
    assert bench.main(["detector"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "does not hold: Rates: bad"
    assert failures([SECTION]) == ["Rates: bad"]


def test_all_that_holds_is_status_0(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    good = Section(title="Rates", reading="", columns=SECTION.columns, rows=SECTION.rows[:1])
    monkeypatch.setattr(bench, "detector_bench", lambda seed, size: iter([[good]]))
    assert bench.main(["detector", "--quick"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "every row holds"


@pytest.mark.slow
def test_the_page_shows_what_the_bench_prints_and_every_row_holds(capsys: pytest.CaptureFixture[str]) -> None:
    status = bench.main(["detector", "--seed", "0"])
    detector, _ = PAGE.read_text().split("\n# Judges\n")
    assert detector.endswith(capsys.readouterr().out), "run `selfreward bench detector` and renew docs/bench.md"
    assert status == 0
