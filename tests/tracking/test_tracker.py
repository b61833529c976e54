"""metrics.jsonl and the table: what is new is shown as it comes, a finished run is told once."""

import json
from pathlib import Path

from selfreward.tracking import METRICS_FILE, metrics_of_run
from tests.support import Silent, run_scripted


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / METRICS_FILE).read_text().splitlines()]


def told(folder: Path, *settings: str) -> tuple[list[int], int]:
    """How many rows each table has that a run shows, and how many training sets it tells of."""
    reporter = Silent()
    view = run_scripted(folder, *settings, reporter=reporter)
    assert lines(view.folder) == metrics_of_run(view)
    counts = [line for line in reporter.lines if line.startswith("  selected")]
    return [len(table) for table in reporter.tables], len(counts)


def test_each_iteration_is_shown_when_it_is_new_and_a_finished_run_once(tmp_path: Path) -> None:
    assert told(tmp_path, "loop.iterations=1") == ([1, 2], 1)
    assert told(tmp_path, "loop.iterations=2") == ([2, 3], 1)
    written = (tmp_path / "scripted" / METRICS_FILE).stat().st_mtime_ns
    assert told(tmp_path, "loop.iterations=2") == ([3], 0)
    assert (tmp_path / "scripted" / METRICS_FILE).stat().st_mtime_ns == written


def test_a_shortened_run_keeps_no_later_line_and_changed_settings_start_anew(tmp_path: Path) -> None:
    told(tmp_path, "loop.iterations=2")
    assert told(tmp_path, "loop.iterations=1") == ([2], 0)
    assert [row["loop/iteration"] for row in lines(tmp_path / "scripted")] == [0, 1]
    told(tmp_path, "loop.iterations=2")
    assert told(tmp_path, "loop.iterations=1", "sample.temperature=0.8")[0] == [1, 2]
