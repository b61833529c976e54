"""Rows of files in any usual form, and the digest that files count by."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selfreward.artifacts.files import sha256_of
from selfreward.data.columns import Cells
from selfreward.errors import DataError
from selfreward.records import digest_of

Rows = Iterator[tuple[str, Cells]]
"""Rows, each behind its place for messages."""

_SPLIT = re.compile(r"(?:^|/)(train|test|valid|validation|val|dev|eval)(?=[^a-z])")


def read_rows(path: Path) -> Rows:
    """The rows of `path` in order.

    `path` is a .jsonl, .json, .csv or .parquet file, a pattern with `*` for several, a folder of them, or a folder
    that `datasets` saved. Raises DataError.
    """
    if _is_saved(path):
        yield from _saved(path)
        return
    for file in files_of(path):
        yield from _READERS[file.suffix](file)


def content_digest(path: Path) -> str:
    """The digest of the bytes behind `path`, its name left out. Raises DataError where there is nothing to read."""
    return digest_of([sha256_of(file) for file in files_of(path)])


def files_of(path: Path) -> list[Path]:
    """The files that the rows of `path` stand in, by name. Raises DataError."""
    if _is_saved(path):
        names = [str(entry["filename"]) for entry in json.loads((path / "state.json").read_text())["_data_files"]]
        return [path / "dataset_info.json", *(_inside(path, name) for name in names)]
    if "*" in path.name:
        found = sorted(file for file in path.parent.glob(path.name) if _is_read(file))
    elif path.is_dir():
        found = _shards(path)
    elif path.suffix in _READERS:
        found = [path] if path.exists() else []
    else:
        raise DataError(f"{path} is none of {', '.join(_READERS)} or a folder: change it into one of them")
    if not found:
        raise DataError(f"{path} does not exist or holds no {', '.join(_READERS)} file: give the path of your data")
    return found


def _is_read(file: Path) -> bool:
    """Some writers leave a folder with the suffix of a file."""
    return file.suffix in _READERS and file.is_file()


def _inside(folder: Path, name: str) -> Path:
    if Path(name).name != name:
        raise DataError(f"{folder}/state.json names {name[:60]!r}, which is no file beside it")
    return folder / name


def _is_saved(path: Path) -> bool:
    if (path / "dataset_dict.json").is_file():
        parts = ", ".join(sorted(str(part) for part in path.iterdir() if part.is_dir()))
        raise DataError(f"{path} holds several splits: give one of {parts}")
    return (path / "state.json").is_file() and (path / "dataset_info.json").is_file()


def _shards(folder: Path) -> list[Path]:
    """The data files of a folder, as a clone of a hub data set has them. Raises DataError for several splits in one."""
    found = sorted(
        file
        for file in folder.rglob("*")
        if _is_read(file) and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    one_of = {named[-1]: file for file in found if (named := _SPLIT.findall(file.relative_to(folder).as_posix()))}
    if len(one_of) > 1:
        split, file = min(one_of.items())
        example = file.with_name(f"{split if file.name.startswith(split) else ''}*{file.suffix}")
        raise DataError(
            f"{folder} holds several splits ({', '.join(sorted(one_of))}): give the files of one, as in '{example}'"
        )
    return found


def _jsonl(path: Path) -> Rows:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(_decoded(lines, path), start=1):
            if line.strip():
                place = f"{path}:{number}"
                try:
                    yield place, _cells(json.loads(line), place)
                except (ValueError, RecursionError) as error:
                    raise DataError(f"{place} is not JSON ({error})") from error


def _json(path: Path) -> Rows:
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}): one object a line goes into a .jsonl file") from error
    if not isinstance(rows, list):
        raise DataError(f"{path} is no list of objects: write one, or one object a line into a .jsonl file")
    for number, row in enumerate(rows, start=1):
        place = f"{path} row {number}"
        yield place, _cells(row, place)


def _csv(path: Path) -> Rows:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(_decoded(lines, path), strict=True)
        try:
            for row in reader:
                place = f"{path}:{reader.line_num}"
                if None in row or None in row.values():
                    raise DataError(f"{place} has not as many fields as the first line has names: mend the line")
                yield place, row
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num} is not CSV ({error})") from error


def _parquet(path: Path) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        number = 0
        for batch in file.iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield f"{path} row {number}", row
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not Parquet ({error})") from error


def _saved(path: Path) -> Rows:
    """The rows of a folder written by `datasets.Dataset.save_to_disk`."""
    from datasets import load_from_disk

    files_of(path)
    for number, row in enumerate(load_from_disk(str(path)), start=1):
        yield f"{path} row {number}", row


_READERS: dict[str, Callable[[Path], Rows]] = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}


def _decoded(lines: Iterator[str], path: Path) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from error


def _cells(value: Any, place: str) -> Cells:
    if not isinstance(value, dict):
        raise DataError(f"{place} is a {type(value).__name__}, no object with columns")
    return value
