"""Files, folders of shards and saved folders: the same rows from each, and what cannot be read is named."""

import json
from pathlib import Path

import pytest

from selfreward.data.readers import content_digest, read_rows
from selfreward.errors import DataError
from selfreward.records import Prompt
from tests.data.owning import NO_SPLIT, ROWS, own, questions, saved, write


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv", "rows.parquet"])
def test_every_form_of_file_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    data = own(train=write(tmp_path / name), split=NO_SPLIT)
    rows = list(data.rows("train"))
    assert [(row.messages[-1].content, row.references) for row in rows if isinstance(row, Prompt)] == [
        (row["prompt"], (row["answer"],)) for row in ROWS
    ]


def test_a_saved_folder_gives_the_same_rows(tmp_path: Path) -> None:
    data = own(train=saved(tmp_path / "saved"), split=NO_SPLIT)
    assert questions(data) == [row["prompt"] for row in ROWS]


def test_a_saved_folder_counts_by_its_rows_not_its_place(tmp_path: Path) -> None:
    one, two = content_digest(saved(tmp_path / "one")), content_digest(saved(tmp_path / "two"))
    assert one == two
    assert content_digest(saved(tmp_path / "three", ROWS[1:])) != one


def test_a_saved_folder_reads_no_file_outside_itself(tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved")
    state = json.loads((folder / "state.json").read_text())
    state["_data_files"] = [{"filename": "../../secret.arrow"}]
    (folder / "state.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match="no file beside it"):
        list(read_rows(folder))


def test_several_splits_saved_together_are_told_apart(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    DatasetDict({"train": Dataset.from_list(ROWS), "test": Dataset.from_list(ROWS)}).save_to_disk(str(tmp_path / "all"))
    with pytest.raises(DataError, match="several splits: give one of .*all/test, .*all/train"):
        list(read_rows(tmp_path / "all"))
    assert len(list(read_rows(tmp_path / "all" / "train"))) == len(ROWS)


def test_a_folder_of_shards_and_a_pattern(tmp_path: Path) -> None:
    for number in range(2):
        write(tmp_path / "clone/data" / f"train-{number}.parquet", ROWS[3 * number : 3 * number + 3])
    (tmp_path / "clone/.git").mkdir()
    write(tmp_path / "clone/.git/hidden.jsonl")
    assert [row["prompt"] for _, row in read_rows(tmp_path / "clone")] == [row["prompt"] for row in ROWS]
    write(tmp_path / "clone/data/test-0.parquet")
    with pytest.raises(DataError, match=r"several splits \(test, train\): .*data/test\*\.parquet"):
        list(read_rows(tmp_path / "clone"))
    assert len(list(read_rows(tmp_path / "clone/data/train-*.parquet"))) == len(ROWS)


def test_splits_in_folders_of_their_own_are_told_apart(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        write(tmp_path / "clone/default" / split / "0000.parquet")
    (tmp_path / "clone/default/train/empty.parquet").mkdir()
    with pytest.raises(DataError, match=r"several splits \(train, validation\): .*as in '.*default/train/\*\.parquet'"):
        list(read_rows(tmp_path / "clone"))
    assert len(list(read_rows(tmp_path / "clone/default/train/*.parquet"))) == len(ROWS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"prompt": "x"}\n{"prompt": \n', r"a\.jsonl:2 is not JSON"),
        ("a.jsonl", b'["x"]\n', r"a\.jsonl:1 is a list, no object"),
        ("a.jsonl", b"[" * 100_000, r"a\.jsonl:1 is not JSON"),
        ("a.jsonl", b'{"prompt": "\xff"}', "not UTF-8"),
        ("a.json", b'"x"', "no list of objects"),
        ("a.csv", b"prompt,answer\nonly one\n", r"a\.csv:2 has not as many fields"),
        ("a.csv", b'prompt\n"x', r"a\.csv:2 is not CSV"),
        ("a.parquet", b"no", "not Parquet"),
        ("a.txt", b"x", r"none of \.jsonl, \.ndjson, \.json, \.csv, \.tsv, \.parquet \(\.gz or \.zst too\)"),
    ],
)
def test_a_broken_file_names_its_place(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read_rows(tmp_path / name))
