"""A run opened to be read: its rounds, its tables, and the examples of docs/reading.md."""

import re
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from selfreward.errors import StoreError
from selfreward.reading import OpenRun, open_run
from tests.support import run_scripted

DOCS = Path(__file__).parents[2] / "docs" / "reading.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> OpenRun:
    folder = tmp_path_factory.mktemp("opened")
    run_scripted(folder / "runs", "run=quickstart", "loop.iterations=1")
    return open_run(folder / "runs" / "quickstart")


def test_the_examples_of_the_docs_run(run: OpenRun, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    with chdir(run.view.folder.parents[1]):
        for block in blocks:
            exec(block, names)
    first, *_, last = capsys.readouterr().out.strip().splitlines()
    assert first.startswith("0 0.")
    row, others = names["row"], names["others"]
    assert row.text in last
    assert names["own"].score.tolist() == [row.score]
    assert len(others) == 3 and set(others.fate) <= {"passed_over", "duplicate"}
    assert names["candidates"].loc[row.candidate_id].text == row.text
    assert list(names["quality"].index) == [0, 1]


def test_rounds_say_what_metrics_say(run: OpenRun) -> None:
    for one, row in zip(run.rounds, run.metrics, strict=True):
        assert one.evaluation is not None and one.evaluation.pass_1 is not None
        assert one.evaluation.pass_1.value == row["eval/closed/pass_at_1"]
    first, last = run.rounds
    assert first.mixing is not None
    assert first.mixing.real_share_tokens == run.metrics[0]["mix/real_share_tokens"]
    assert (last.mixing, last.drawn, last.training) == (None, None, None)


def test_every_table_can_be_had_both_ways(run: OpenRun) -> None:
    assert {"select/rows", "select/fates", "mix/ledger"} <= set(run.tables(0))
    for t in (None, 0, 1):
        for name in run.tables(t):
            frame, dataset = run.frame(name, t), run.dataset(name, t)
            assert list(frame.columns) == dataset.column_names
            assert len(frame) == len(dataset)
    assert run.frame("sample", 0).equals(run.frame("sample/rows", 0))
    assert "train/rows" in run.tables()


def test_what_is_not_there_says_what_is(run: OpenRun, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no table 'select/fate' in iteration 0; its tables: .*select/fates"):
        run.frame("select/fate", 0)
    with pytest.raises(StoreError, match="has iterations 0 to 1, not 2"):
        run.frame("sample", 2)
    with pytest.raises(StoreError, match="there is no run"):
        open_run(tmp_path / "none")
