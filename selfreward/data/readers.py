"""Rows of files in any usual form, and the digest that files count by.

JSON lines, JSON, CSV, TSV or Parquet, packed or not, a folder of them, or one that `datasets` saved.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from selfreward.artifacts.atomic_files import sha256_of
from selfreward.data.columns import Cells
from selfreward.errors import DataError
from selfreward.records import digest_of

Rows = Iterator[tuple[str, Cells]]
"""Rows, each behind its place for messages."""

Broken = Callable[[DataError], None]
"""What is done about a line that holds no row, where those after it can be read."""

# Where an object in a .json file keeps its rows.
_ROWS = ("data", "rows", "examples", "instances", "items", "records")
_LFS = b"version https://git-lfs"
_SPLIT = re.compile(r"(?:^|/)(train|test|valid|validation|val|dev|eval)(?=[^a-z])")
# What describes the data beside it.
_DESCRIPTIONS = ("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json")


def stop(error: DataError) -> None:
    """Raises `error`."""
    raise error


def read_rows(path: Path, broken: Broken = stop) -> Rows:
    """The rows of a file, of several by a pattern with `*` or of a folder, without `broken` lines. Raises DataError."""
    files = _files_of(path)
    if _is_saved(path):
        from datasets import load_from_disk

        yield from numbered(str(path), load_from_disk(str(path)))
        return
    for file in files:
        with file.open("rb") as raw:
            if raw.read(len(_LFS)) == _LFS:
                raise DataError(f"{file} is a Git LFS pointer, not the data: run `git lfs pull` in its clone")
        yield from _READERS[_form_of(file) or ""](file, broken)


def content_digest(path: Path) -> str:
    """The digest of the bytes behind `path`, its name left out. Raises DataError where there is nothing to read."""
    return digest_of([sha256_of(file) for file in _files_of(path)])


def numbered(source: str, rows: Iterable[Cells]) -> Rows:
    """`rows` behind their numbers in `source`."""
    for number, row in enumerate(rows, start=1):
        yield f"{source} row {number}", row


def _files_of(path: Path) -> list[Path]:
    """The files that the rows of `path` stand in, by name. Raises DataError."""
    if _is_saved(path):
        names = [str(entry["filename"]) for entry in json.loads((path / "state.json").read_text())["_data_files"]]
        for name in names:
            if Path(name).name != name:
                raise DataError(f"{path}/state.json names {name[:60]!r}, which is no file beside it")
        return [path / "dataset_info.json", *(path / name for name in names)]
    forms = ", ".join(_READERS)
    if "*" in path.name:
        found = sorted(file for file in path.parent.glob(path.name) if _is_read(file))
    elif path.is_dir():
        found = _shards(path)
    elif _form_of(path) is not None:
        found = [path] if path.exists() else []
    else:
        raise DataError(f"{path} is none of {forms} (.gz or .zst too) or a folder: change it into one of them")
    if not found:
        raise DataError(f"{path} does not exist or holds no {forms} file: give the path of your data")
    return found


def _is_saved(path: Path) -> bool:
    """Whether `path` is a folder written by `datasets.Dataset.save_to_disk`. Raises DataError for several splits."""
    if (path / "dataset_dict.json").is_file():
        parts = ", ".join(sorted(str(part) for part in path.iterdir() if part.is_dir()))
        raise DataError(f"{path} holds several splits: give one of {parts}")
    return (path / "state.json").is_file() and (path / "dataset_info.json").is_file()


def _shards(folder: Path) -> list[Path]:
    """The data files of a folder, as a clone of a hub data set has them. Raises DataError for several splits in one."""
    named = {file: file.relative_to(folder) for file in sorted(folder.rglob("*")) if _is_read(file)}
    found = [
        file
        for file, name in named.items()
        if name.name not in _DESCRIPTIONS and not any(part.startswith(".") for part in name.parts)
    ]
    one_of = {splits[-1]: file for file in found if (splits := _SPLIT.findall(named[file].as_posix()))}
    if len(one_of) > 1:
        split, file = min(one_of.items())
        example = file.with_name(f"{split if file.name.startswith(split) else ''}*{''.join(file.suffixes)}")
        raise DataError(
            f"{folder} holds several splits ({', '.join(sorted(one_of))}): give the files of one, as in '{example}'"
        )
    return found


def _is_read(file: Path) -> bool:
    """Whether `file` is a file in a form that is read, by its name; some writers leave a folder with such a name."""
    return _form_of(file) is not None and file.is_file()


def _form_of(file: Path) -> str | None:
    """The suffix that names the form of `file`, in lower case, without that of its packing; None for no known form."""
    packed = file.suffix.lower() in (".gz", ".zst")
    form = (file.with_suffix("") if packed else file).suffix.lower()
    return form if form in _READERS and not (packed and form == ".parquet") else None


def _jsonl(path: Path, broken: Broken) -> Rows:
    with _text_of(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                place = f"{path}:{number}"
                try:
                    row = _cells(json.loads(line, object_pairs_hook=_object), place)
                except (ValueError, RecursionError) as error:
                    broken(DataError(f"{place} is not JSON ({error})"))
                except DataError as error:
                    broken(error)
                else:
                    yield place, row


def _json(path: Path, broken: Broken) -> Rows:
    with _text_of(path) as text:
        content = text.read()
    try:
        rows = json.loads(content, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}): one object a line goes into a .jsonl file") from error
    if isinstance(rows, dict) and rows:
        rows = next((rows[name] for name in _ROWS if isinstance(rows.get(name), list)), [rows])
    if not isinstance(rows, list):
        raise DataError(f"{path} is no list of objects: write one, or one object a line into a .jsonl file")
    for place, row in numbered(str(path), rows):
        yield place, _cells(row, place)


def _csv(path: Path, broken: Broken, *, delimiter: str) -> Rows:
    # The module's own limit is 131,072 characters, less than some answers have.
    csv.field_size_limit(2**31 - 1)
    with _text_of(path, newline="") as lines:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            names = [name.strip() for name in next(reader, [])]
            if twice := _twice(names):
                raise DataError(f"{path} has two columns {twice!r}: rename one of them in the first line")
            for fields in reader:
                place = f"{path}:{reader.line_num}"
                if fields and len(fields) == len(names):
                    yield place, dict(zip(names, fields, strict=True))
                elif fields:
                    broken(DataError(f"{place} has not as many fields as the first line has names: mend the line"))
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num} is not {path.suffix[1:].upper()} ({error})") from error


def _parquet(path: Path, broken: Broken) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        if twice := _twice(file.schema_arrow.names):
            raise DataError(f"{path} has two columns {twice!r}: rename one of them")
        batches = file.iter_batches(batch_size=1024)
        yield from numbered(str(path), (row for batch in batches for row in batch.to_pylist()))
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not Parquet ({error})") from error


_READERS: dict[str, Callable[[Path, Broken], Rows]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": partial(_csv, delimiter=","),
    ".tsv": partial(_csv, delimiter="\t"),
    ".parquet": _parquet,
}
"""The forms that are read, by the suffix of a file; all but Parquet with .gz or .zst behind it too."""


@contextmanager
def _text_of(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    """The text of a file, unpacked: UTF-8, or UTF-16 where the file begins with its mark. Raises DataError."""
    try:
        with _unpack(path) as raw:
            encoding = "utf-16" if raw.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        with io.TextIOWrapper(_unpack(path), encoding=encoding, newline=newline) as text:
            yield text
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not {encoding.removesuffix('-sig').upper()} ({error.reason} at byte {error.start}): save it as "
            "UTF-8"
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be unpacked or read ({error}): fetch it again") from error


def _unpack(path: Path) -> Any:
    """The bytes of a file as a stream."""
    import pyarrow as pa

    return pa.input_stream(str(path), compression={".gz": "gzip", ".zst": "zstd"}.get(path.suffix.lower()))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if twice := _twice([name for name, _ in pairs]):
        raise ValueError(f"an object has {twice[:40]!r} twice")
    return dict(pairs)


def _twice(names: list[str]) -> str | None:
    """The first of `names` that comes again."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _cells(value: Any, place: str) -> Cells:
    if not isinstance(value, dict):
        raise DataError(f"{place} is a {type(value).__name__}, no object with columns")
    return value
