"""scripts/judge_table.py: what the page says of figures whose truth is known; a cell that is there is left alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from selfreward.__main__ import compose
from selfreward.config import validate
from tests.calibrated import write_gold

SCRIPTS = Path(__file__).parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))

import judge_table  # noqa: E402

NONE = {"value": None, "low": None, "high": None, "n": 0}


def measure(value: float, low: float, high: float, n: int = 200) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": n}


def row(judge: str, accuracy: dict[str, Any], gold: str = "natural", **measures: Any) -> dict[str, Any]:
    given = {"accuracy": accuracy, **{name: NONE for name in judge_table.COLUMNS if name != "accuracy"}, **measures}
    return {
        "judge": judge,
        "gold": gold,
        "pairs": 200,
        "measures": given,
        "people": {"mean_pairwise_kappa": NONE},
        "tokens": 12345,
        "seconds": 61.4,
    }


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        (measure(0.56, 0.49, 0.63), "near chance"),
        (measure(0.44, 0.38, 0.5), "near chance"),
        (measure(0.58, 0.51, 0.65), "better than chance"),
        (measure(0.41, 0.35, 0.48), "worse than chance"),
        (measure(1.0, 1.0, 1.0, n=3), "too few verdicts (3)"),
        (NONE, "not measured"),
    ],
)
def test_a_row_is_read_by_its_whole_interval(accuracy: dict[str, Any], said: str) -> None:
    assert judge_table.reading(row("likelihood", accuracy)) == said


def test_the_page_has_a_table_a_file_in_the_order_of_the_judges() -> None:
    rows = [
        row("pairwise, right answer", NONE, flip_rate=measure(0.9, 0.85, 0.94)),
        row("likelihood", measure(0.56, 0.49, 0.63)),
        row("likelihood", measure(0.7, 0.6, 0.8), gold="pandalm"),
    ]
    text = judge_table.page(rows)
    assert text.index("## natural") < text.index("| likelihood | near chance | 200 | 0.560 [0.490, 0.630] | - | - |")
    line = "| pairwise, right answer | not measured | 0 | - | - | 0.900 [0.850, 0.940] | - | - | - | 12,345 | 61 |"
    assert text.index("| likelihood | near chance") < text.index(line) < text.index("## pandalm")
    assert "There are 2 accuracies below." in text


@pytest.mark.parametrize("judge", judge_table.JUDGES)
def test_the_settings_of_every_judge_are_valid(judge: str) -> None:
    config = validate(compose(judge_table.JUDGES[judge]))
    assert config.judge.kind == judge.split(",")[0]


@pytest.mark.slow
def test_a_cell_is_asked_once_for_the_same_pairs_and_settings(tmp_path: Path) -> None:
    write_gold(tmp_path, pairs=12)

    def table(*more: str) -> tuple[str, list[Path]]:
        command = [sys.executable, str(SCRIPTS / "judge_table.py"), "gold.jsonl", "experiment=scripted", *more]
        command += ["--judges", "likelihood", "--runs", "runs", "--rows", "evidence/judges"]
        environment = {**os.environ, "PYTHONPATH": str(SCRIPTS.parent)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return done.stderr, sorted((tmp_path / "evidence/judges").glob("*"))

    said, rows = table()
    assert "gold-likelihood: judge=likelihood experiment=scripted" in said
    (path,) = rows
    found = json.loads(path.read_text())
    assert (found["pairs"], found["measures"]["accuracy"]["value"]) == (12, 1.0)
    assert str(tmp_path) not in path.read_text()
    assert "| likelihood | too few verdicts (12) |" in (tmp_path / "evidence/judges.md").read_text()
    assert table()[0] == ""
    assert "gold-likelihood" in table("--items", "6")[0]
