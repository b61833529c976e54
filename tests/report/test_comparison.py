"""Comparisons: the same numbers as the runs, costs counted once, nothing dropped, nothing hostile let through."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from selfreward.artifacts.runs import read_run
from selfreward.commands import compare as command
from selfreward.commands.cells import CellState, cell_run, write_state
from selfreward.commands.compare import plain_table
from selfreward.config import SweepCell
from selfreward.errors import StoreError
from selfreward.reading.compared_runs import (
    Cell,
    Comparison,
    compare,
    paid,
    replicates,
    shared,
    shared_seconds,
    unswept,
    values_of,
)
from selfreward.reading.rounds import Cost
from selfreward.report.comparison import render_comparison
from selfreward.report.comparison_charts import Square, heat_map
from selfreward.report.comparison_table import notes
from selfreward.tracking import metrics_of_run
from tests.report.browser import Page, harmless
from tests.report.test_page import HOSTILE, run_with_config

FEW = (
    "loop.iterations=1",
    "data.train_closed=24",
    "data.train_open=8",
    "data.held_out_closed=20",
    "evaluate.ladder=[0.4]",
)


def _cell(folder: Path, settings: dict[str, str], *others: str, done: bool = True) -> None:
    cell = SweepCell(name="s", settings=settings)
    overrides = (f"run='{cell_run(cell)}'", *FEW, *(f"{name}={value}" for name, value in settings.items()), *others)
    if done:
        run_with_config(folder, *overrides)
    write_state(folder / cell_run(cell), CellState(cell=cell, status="done" if done else "pending"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for k in ("2", "4"):
        for seed in ("0", "1"):
            _cell(folder, {"select.k": k, "mix.real_share": "0", "seed": seed})
    _cell(folder, {"select.k": "4", "mix.real_share": "0.3", "seed": "0"})
    _cell(folder, {"select.k": "4", "mix.real_share": "0.3", "seed": "1"}, done=False)
    failed = SweepCell(name="s", settings={"select.k": "2", "mix.real_share": "0.3", "seed": "0"})
    state = CellState(cell=failed, status="failed", error="starved", exit_status=3)
    write_state(folder / cell_run(failed), state)
    return folder


@pytest.fixture(scope="module")
def comparison(runs: Path) -> Comparison:
    folders = sorted(path.parent for path in runs.glob("*/cell.json"))
    return compare("s", [command.read_cell(folder) for folder in folders])


def _done(comparison: Comparison) -> list[Cell]:
    return [cell for cell in comparison.cells if cell.state == "done"]


def _of(comparison: Comparison, **settings: str) -> Cell:
    wanted = {name.replace("__", "."): value for name, value in settings.items()}
    (found,) = replicates(comparison, wanted)
    return found


def test_cells_have_the_numbers_of_their_runs(comparison, runs):
    cell = _of(comparison, select__k="2", mix__real_share="0", seed="1")
    last = metrics_of_run(read_run(runs / cell.name))[-1]
    for name in ("eval/closed/pass_at_1", "matched/gain/pass_at_1_low", "diversity/open/human_nll"):
        assert cell.metric(name) == last[name]
    assert cell.human_rows == 0
    assert _of(comparison, select__k="4", mix__real_share="0.3", seed="0").human_rows > 0


def test_swept_settings_are_axes_and_seeds_are_replicates(comparison):
    assert comparison.axes == {
        "select.k": ("2", "4"),
        "mix.real_share": ("0", "0.3"),
    }
    assert comparison.seeds == ("0", "1")
    cells = replicates(comparison, {"select.k": "2", "mix.real_share": "0"})
    values = values_of(cells, "eval/closed/pass_at_1")
    assert values == [cell.metric("eval/closed/pass_at_1") for cell in cells] and len(values) == 2


def test_what_follows_from_the_swept_settings_is_no_other_difference(comparison):
    assert unswept(comparison) == {}


def test_an_artifact_that_several_cells_use_is_paid_once(comparison, runs):
    manifests = [json.loads(path.read_text()) for path in runs.glob("store/*/*/manifest.json")]
    assert paid(comparison.cells).seconds == pytest.approx(sum(one["seconds"] for one in manifests))
    for cell in _done(comparison):
        used = {artifact.path: artifact.manifest.seconds for _, artifact in read_run(runs / cell.name).artifacts()}
        assert cell.cost.seconds == pytest.approx(sum(used.values()))
        assert 0 < shared_seconds(comparison, cell) < cell.cost.seconds
    uses = shared(comparison.cells)["sample"]
    assert (len(uses), sum(uses)) == (2, 5), "one a seed"


def test_shared_costs_of_a_small_example():
    def cell(name: str, **costs: float) -> Cell:
        priced = {(stage, "key"): Cost(seconds, 10) for stage, seconds in costs.items()}
        return Cell(name=name, settings={"k": name}, config=None, state="done", error=None, rows=(), costs=priced)

    found = compare("s", [cell("1", sample=8.0, update=2.0), cell("2", sample=8.0, mix=0.5)])
    assert paid(found.cells) == Cost(10.5, 30)
    assert [shared_seconds(found, one) for one in found.cells] == [8.0, 8.0]
    assert notes(found) == [
        "total paid 10.5 s (30 tokens) = 1.1 x the dearest run (10.0 s); apart they would have cost 18.5 s",
        "made once for several runs: 1 sample (used 2 times)",
    ]


def test_no_cell_is_dropped_from_the_table(comparison):
    head, *lines = plain_table(comparison)
    assert "select.k" in head and "mix.real_share" in head
    assert len(lines) == 7
    assert sum("not started" in line for line in lines) == 1
    assert sum("failed" in line for line in lines) == 1
    assert notes(comparison)[0].endswith("failed: starved")


def test_the_page_says_what_is_missing_and_maps_the_rest(comparison):
    page = harmless(render_comparison(comparison))
    assert "7 runs, 5 done, 1 failed, 1 not started." in page.text
    assert "starved" in page.text
    assert page.text.count("n=1 of 2") >= 5
    values = values_of(replicates(comparison, {"select.k": "2", "mix.real_share": "0"}), "eval/closed/pass_at_1")
    assert f"mix.real_share=0, select.k=2: {fmean(values):.3f}, n=2" in page.text


def test_hostile_names_settings_and_errors_stay_text(comparison):
    cells = [
        replace(cell, name=f"{number}{HOSTILE}", settings={f"a{HOSTILE}": f"{number % 2}{HOSTILE}", "b": str(number)})
        for number, cell in enumerate(comparison.cells)
    ]
    cells[0] = replace(cells[0], state="failed", error=HOSTILE)
    assert "<script>alert(1)</script>" in harmless(render_comparison(compare(HOSTILE, cells))).text


def test_one_swept_setting_gives_lines(comparison):
    cells = [replace(cell, settings={"select.k": cell.settings["select.k"]}) for cell in _done(comparison)[:4]]
    page = Page(render_comparison(compare("s", cells)))
    assert "Along x: select.k." in page.text
    assert "hollow" not in {value for name, value in page.attributes if name == "class"}


def test_a_comparison_with_nothing_finished_has_a_page(comparison):
    waiting = [cell for cell in comparison.cells if cell.state == "not started"]
    assert "1 run, 0 done, 1 not started." in Page(render_comparison(compare("s", waiting))).text


def test_a_map_darkens_with_the_value_and_keeps_empty_squares():
    squares = {("a", "x"): Square(0.0, 1, 1), ("b", "x"): Square(1.0, 2, 2), ("c", "x"): Square(None, 0, 1, "failed")}
    drawn = heat_map("t", "k", "share", ["a", "b", "c"], ["x"], squares)
    depths = [float(rect.split('"')[0]) for rect in drawn.split('fill-opacity="')[1:]]
    assert depths == [0.08, 0.58]
    assert 'class="hollow"' in drawn and ">failed<" in drawn


def test_the_command_compares_a_sweep_by_its_name(runs, capsys):
    assert command.main(["s", "--runs", str(runs)]) == 0
    out = capsys.readouterr().out
    assert "total paid" in out and "made once for several runs" in out
    rows = list(csv.DictReader((runs / "s/comparison.csv").read_text().splitlines()))
    assert len(rows) == 7
    for row in rows:
        if row["state"] == "done":
            last = metrics_of_run(read_run(runs / row["run"]))[-1]
            assert float(row["eval/closed/pass_at_1"]) == last["eval/closed/pass_at_1"]
            assert float(row["diversity/open/pairwise_distance"]) == last["diversity/open/pairwise_distance"]
    assert (runs / "s/comparison.html").exists()


def test_the_command_compares_runs_that_belong_to_no_sweep(tmp_path, capsys):
    for run, k in (("first", 2), ("second", 4)):
        run_with_config(tmp_path, f"run={run}", f"select.k={k}", *FEW)
    assert command.main(["first", "second", "--runs", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    head, first, second = capsys.readouterr().out.splitlines()[:3]
    assert head.split()[:3] == ["#", "run", "select.k"]
    assert (first.split()[1:3], second.split()[1:3]) == (["first", "2"], ["second", "4"])
    assert (tmp_path / "out/comparison.csv").exists()


def test_differences_that_nobody_swept_are_told(comparison):
    cells = _done(comparison)
    cells[0] = replace(cells[0], config={**cells[0].config, "data.system": "Be brief."})
    found = unswept(compare("s", cells))
    assert list(found) == ["data.system"]
    assert "Be brief." in found["data.system"]


def test_a_long_setting_of_several_lines_leaves_the_table_whole(comparison):
    told = ["Be brief.\nBe kind.", "Be long.\n" * 40]
    cells = [replace(_done(comparison)[0], settings={}, config={"data.system": one}) for one in told]
    lines = plain_table(compare("s", cells))
    assert len("\n".join(lines).split("\n")) == 3
    assert "Be brief. Be kind." in lines[1] and lines[2].count("Be long.") == 6


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreError, match="there is no run"):
        command.main(["ghost", "--runs", str(tmp_path)])
