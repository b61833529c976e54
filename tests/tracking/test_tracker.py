"""metrics.jsonl and the table: what is new is shown as it comes, a finished run is told once."""

import json
from pathlib import Path

from selfreward.tracking import METRICS_FILE, metrics_of_run
from tests.support import Silent, run_scripted


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / METRICS_FILE).read_text().splitlines()]


def counts(reporter: Silent) -> list[str]:
    return [line for line in reporter.lines if line.startswith("  selected")]


def test_each_new_iteration_is_counted_and_shown(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, "loop.iterations=2", reporter=reporter)
    assert lines(view.folder) == metrics_of_run(view.folder)
    assert len(counts(reporter)) == 2
    assert [len(table) for table in reporter.tables] == [1, 2, 3]


def test_a_run_with_nothing_left_to_do_shows_its_table_once(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "loop.iterations=2")
    written = (view.folder / METRICS_FILE).stat().st_mtime_ns
    reporter = Silent()
    run_scripted(tmp_path, "loop.iterations=2", reporter=reporter)
    assert [len(table) for table in reporter.tables] == [3]
    assert counts(reporter) == []
    assert (view.folder / METRICS_FILE).stat().st_mtime_ns == written


def test_an_extended_run_shows_what_was_added(tmp_path: Path) -> None:
    run_scripted(tmp_path, "loop.iterations=1")
    reporter = Silent()
    view = run_scripted(tmp_path, "loop.iterations=2", reporter=reporter)
    assert [len(table) for table in reporter.tables] == [2, 3]
    assert len(counts(reporter)) == 1
    assert lines(view.folder) == metrics_of_run(view.folder)


def test_a_shortened_run_keeps_no_later_line(tmp_path: Path) -> None:
    run_scripted(tmp_path, "loop.iterations=2")
    reporter = Silent()
    view = run_scripted(tmp_path, "loop.iterations=1", reporter=reporter)
    assert [row["loop/iteration"] for row in lines(view.folder)] == [0, 1]
    assert [len(table) for table in reporter.tables] == [2]


def test_changed_settings_start_the_lines_anew(tmp_path: Path) -> None:
    run_scripted(tmp_path, "loop.iterations=2")
    view = run_scripted(tmp_path, "loop.iterations=1", "sample.temperature=0.8")
    assert lines(view.folder) == metrics_of_run(view.folder)
    assert len(lines(view.folder)) == 2
