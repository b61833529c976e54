"""Readers: every form of file gives the same rows, and what cannot be read is told with what to do."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selfreward.data.own import HubSource
from selfreward.data.readers import read_rows
from selfreward.errors import DataError

ROWS = [{"prompt": f"What is größe {number}?", "answer": f"It is,\t{number}."} for number in range(3)]
JSONL = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in ROWS)
CSV = "prompt,answer\n" + "".join(f'{row["prompt"]},"{row["answer"]}"\n' for row in ROWS)
TSV = "prompt\tanswer\n" + "".join(f'{row["prompt"]}\t"{row["answer"]}"\n' for row in ROWS)


def zst(text: str) -> bytes:
    packed = pa.compress(text.encode(), codec="zstd", asbytes=True)
    assert isinstance(packed, bytes)
    return packed


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", JSONL.encode()),
        ("a.JSONL", JSONL.encode()),
        ("a.ndjson", JSONL.encode()),
        ("a.jsonl.gz", gzip.compress(JSONL.encode(), mtime=0)),
        ("a.Jsonl.GZ", gzip.compress(JSONL.encode(), mtime=0)),
        ("a.jsonl.zst", zst(JSONL)),
        ("a.v1.trees.jsonl.gz", gzip.compress(JSONL.encode(), mtime=0)),
        ("a.jsonl", JSONL.encode("utf-16")),
        ("a.jsonl", b"\xef\xbb\xbf" + JSONL.encode()),
        ("a.json", json.dumps(ROWS).encode()),
        ("a.json", json.dumps({"version": 1, "data": ROWS}).encode()),
        ("a.json.gz", gzip.compress(json.dumps({"examples": ROWS, "keywords": ["x"]}).encode(), mtime=0)),
        ("a.csv", CSV.encode()),
        ("a.csv", CSV.replace("prompt,answer", " prompt , answer ").encode()),
        ("a.csv", CSV.encode("utf-16")),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("a.tsv", TSV.encode()),
    ],
)
def test_every_form_gives_the_same_rows(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert [row for _, row in read_rows(tmp_path / name)] == ROWS


def test_one_object_in_a_file_is_a_row_and_a_folder_of_them_a_data_set(tmp_path: Path) -> None:
    for place, row in enumerate(ROWS):
        (tmp_path / "algebra").mkdir(exist_ok=True)
        (tmp_path / "algebra" / f"{place}.json").write_text(json.dumps(row))
    assert [row for _, row in read_rows(tmp_path)] == ROWS


def test_a_long_field_of_a_csv_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f'prompt,answer\nWhy?,"{"x" * 300_000}"\n')
    ((_, row),) = read_rows(tmp_path / "a.csv")
    assert len(row["answer"]) == 300_000


def test_what_describes_the_data_of_a_clone_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "dataset_infos.json").write_text('{"default": {"splits": []}}')
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.jsonl.gz").write_bytes(gzip.compress(JSONL.encode(), mtime=0))
    assert len(list(read_rows(tmp_path))) == 3
    (tmp_path / "data/test.jsonl.gz").write_bytes(gzip.compress(JSONL.encode(), mtime=0))
    with pytest.raises(DataError, match=r"several splits \(test, train\): .*data/test\*\.jsonl\.gz'"):
        list(read_rows(tmp_path))
    assert len(list(read_rows(tmp_path / "data/train*.jsonl.gz"))) == 3


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


def doubled(path: Path) -> bytes:
    table = pa.table([pa.array(["x"]), pa.array(["y"])], names=["answer", "answer"])
    pq.write_table(table, path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", POINTER, "is a Git LFS pointer, not the data: run `git lfs pull`"),
        ("a.parquet", POINTER, "is a Git LFS pointer"),
        ("a.jsonl.gz", POINTER, "is a Git LFS pointer"),
        ("a.jsonl.gz", gzip.compress(JSONL.encode(), mtime=0)[:-12], "cannot be unpacked or read .*: fetch it again"),
        ("a.jsonl.gz", b"no", "cannot be unpacked or read"),
        ("a.jsonl.zst", zst(JSONL)[:-4], "cannot be unpacked or read"),
        ("a.jsonl.zst", b"no", "cannot be unpacked or read"),
        ("a.csv", b"prompt,answer, answer\nx,y,z\n", "has two columns 'answer': rename one of them in the first line"),
        ("a.jsonl", b'{"prompt": "x", "prompt": "y"}\n', r"a\.jsonl:1 is not JSON \(an object has 'prompt' twice\)"),
        ("a.jsonl", JSONL.encode("utf-16")[:-1], "is not UTF-16"),
        ("a.tsv", b"prompt\tanswer\nonly\n", r"a\.tsv:2 has not as many fields"),
        ("a.parquet.gz", b"x", "none of .jsonl"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as told:
        list(read_rows(tmp_path / name))
    assert "\n" not in str(told.value)


def test_columns_of_one_name_in_parquet_are_told(tmp_path: Path) -> None:
    doubled(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="has two columns 'answer'"):
        list(read_rows(tmp_path / "a.parquet"))


def test_a_data_set_that_a_script_makes_says_where_its_rows_are(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def load_dataset(*_: Any, **__: Any) -> Any:
        raise RuntimeError("Dataset scripts are no longer supported, but found things.py")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(
        DataError, match=r"someone/things/train is made by a script, .*refs/convert/parquet as revision"
    ):
        list(HubSource(name="someone/things", revision="0" * 40).rows())
