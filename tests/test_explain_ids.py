"""`selfreward explain` by an id: what it leads to, the list of rows, JSON, hostile text."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts import Store
from selfreward.artifacts.runs import RunView, read_run
from selfreward.commands.gc import collect
from selfreward.errors import StoreError
from selfreward.reading.chain import explain
from selfreward.records import Candidate
from tests.explained import SMALL, rounds, rows_of, shown, told
from tests.support import Silent, run_scripted


def test_a_candidate_and_a_prompt_lead_to_their_rows(examples: RunView) -> None:
    row = next(one for one in rows_of(examples, 1) if one.iteration == 1 and one.candidate_id is not None)
    by_candidate = explain(examples, row.candidate_id)
    assert (by_candidate.kind, [story.row.id for story in by_candidate.rows]) == ("candidate", [row.id])
    by_prompt = explain(examples, row.prompt_id)
    assert (by_prompt.kind, [one.iteration for one in by_prompt.rounds]) == ("prompt", [0, 1])
    assert row.id in [story.row.id for story in by_prompt.rows]
    assert [one.iteration for one in explain(examples, row.prompt_id, 1).rounds] == [1]


def test_a_candidate_without_a_row_says_so(examples: RunView) -> None:
    lost = next(c for _, one in rounds(examples) for c in one.candidates if c.fate and c.fate.fate == "cut")
    assert "No training row came of this candidate" in shown(examples, lost.candidate.id)


def test_the_start_of_an_id_will_do(examples: RunView) -> None:
    row = rows_of(examples, 0)[0]
    assert explain(examples, row.id[:10].upper()).id == row.id
    with pytest.raises(StoreError, match="at least 4"):
        explain(examples, row.id[:3])


def test_an_unknown_id_says_how_to_list_the_rows(examples: RunView) -> None:
    with pytest.raises(StoreError, match="`selfreward explain scripted` lists"):
        explain(examples, "ffffffffffffffff")
    with pytest.raises(StoreError, match="has iterations 0 to 2"):
        explain(examples, "ffffffffffffffff", 7)
    with pytest.raises(StoreError, match="has no iteration yet"):
        explain(RunView(examples.folder, {}, ()), "ffffffffffffffff", 0)
    later = next(one for one in rows_of(examples, 1) if one.iteration == 1)
    with pytest.raises(StoreError, match="in iteration 0"):
        explain(examples, later.id, 0)


def test_an_ambiguous_start_lists_what_it_could_mean(examples: RunView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfreward.reading.lookup.SHORTEST", 1)
    first = rows_of(examples, 0)[0].id[0]
    with pytest.raises(StoreError, match="give more of it") as caught:
        explain(examples, first)
    assert any("example of iteration 0" in note for note in caught.value.__notes__)
    assert "more" in caught.value.__notes__[-1]


def test_the_list_has_every_row_once(examples: RunView, capsys: pytest.CaptureFixture[str]) -> None:
    ids = {row.id for row in rows_of(examples, 1)}
    listed = [line.split()[0] for line in told(examples, capsys).split("\n") if line.startswith("  ")]
    assert sorted(listed) == sorted(ids)
    last = told(examples, capsys, "--iteration", "1")
    assert last.count("(from iteration 0)") == len(rows_of(examples, 0))
    as_json = json.loads(told(examples, capsys, "--json"))
    assert [one["iteration"] for one in as_json["iterations"]] == [0, 1]
    assert {row["id"] for one in as_json["iterations"] for row in one["rows"]} == ids


def test_json_says_the_same_as_the_text(examples: RunView, capsys: pytest.CaptureFixture[str]) -> None:
    row = rows_of(examples, 0)[0]
    found: dict[str, Any] = json.loads(told(examples, capsys, row.id, "--json"))
    assert found["rows"][0]["row"]["text"] == row.text
    (one,) = found["rounds"]
    assert [c["candidate"]["index"] for c in one["candidates"]] == [0, 1, 2, 3, 4]
    assert one["candidates"][0]["judgments"][0]["raw"]
    assert one["rule"]["spec"]["kind"] == "best_of_k" and one["rule"]["spec"]["k"] == 4
    assert one["rule"]["seed"] == examples.iterations[0]["select"].manifest.identity["seed"]


def test_text_from_files_can_neither_move_the_cursor_nor_pass_for_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b]0;owned\x07 \x9b31m red \u202e backwards \r over\n\nTraining row 0000000000000000"
    for name, words in (("train", "sea tea pea"), ("held_out", "oak elm ash"), ("probe", "tin zinc iron")):
        lines = [json.dumps({"prompt": f"{word} {evil}", "references": [evil]}) for word in words.split()]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    (tmp_path / "human.jsonl").write_text(json.dumps({"prompt": evil, "answer": evil}))
    files = [f"data.{name}={tmp_path}/{name}.jsonl" for name in ("train", "held_out", "probe", "human")]
    small = ("data.overlap.near=1", "mix.min_rows=1", "loop.iterations=1")
    view = run_scripted(tmp_path / "runs", "data=files", *files, *small)
    rows = rows_of(view, 0)
    assert {row.origin for row in rows} == {"self", "human"}
    for arguments in ([], ["--json"], *([row.id] for row in rows), [rows[0].id, "--json"]):
        out = told(view, capsys, *arguments)
        assert {one for one in out if unicodedata.category(one) in ("Cc", "Cf")} == {"\n"}
        assert not any(line.lstrip().startswith("Training row 0000") for line in out.split("\n"))
    assert "⟨U+001B⟩]0;owned⟨U+0007⟩" in told(view, capsys, rows[0].id)


def test_rows_are_told_when_the_weights_are_gone(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SMALL)
    row = rows_of(view, 0)[0]
    before = shown(view, row.id)
    reporter = Silent()
    collect([view.folder], Store(tmp_path / "store", reporter), reporter.say)
    assert any("deleting" in line for line in reporter.lines)
    assert shown(view, row.id) == before


def test_a_run_that_stopped_before_selecting_shows_its_candidates(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SMALL)
    for stage in ("select", "decide", "mix", "update"):
        (view.folder / "iter-001" / stage).unlink()
    stopped = read_run(view.folder)
    drawn = next(stopped.iterations[1]["sample"].records(Candidate))
    text = shown(stopped, drawn.id)
    assert "not selected from yet" in text and "no selection yet" in text
