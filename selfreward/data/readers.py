"""The rows of one file in any usual form: JSON lines, JSON, CSV, TSV or Parquet, packed or not."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from selfreward.data.columns import Cells
from selfreward.errors import DataError

Rows = Iterator[tuple[str, Cells]]
"""Rows, each behind its place for messages."""

Broken = Callable[[DataError], None]
"""What is done about a line that holds no row, where those after it can be read."""

# Where an object in a .json file keeps its rows.
_ROWS = ("data", "rows", "examples", "instances", "items", "records")
_LFS = b"version https://git-lfs"
_LONGEST_FIELD = 2**31 - 1


def is_read(file: Path) -> bool:
    """Whether `file` is a file in a form that is read, by its name; some writers leave a folder with such a name."""
    return form_of(file) is not None and file.is_file()


def form_of(file: Path) -> str | None:
    """The suffix that names the form of `file`, in lower case, without that of its packing; None for no known form."""
    *_, last = ["", *(suffix.lower() for suffix in _unpacked(file).suffixes)]
    return last if last in READERS and (last != ".parquet" or _unpacked(file) == file) else None


def stop(error: DataError) -> None:
    """Raises `error`."""
    raise error


def read_file(file: Path, broken: Broken = stop) -> Rows:
    """The rows of a file in order, but for those of `broken` lines. Raises DataError for all else."""
    with file.open("rb") as raw:
        if raw.read(len(_LFS)) == _LFS:
            raise DataError(f"{file} is a Git LFS pointer, not the data: run `git lfs pull` in its clone")
    yield from READERS[form_of(file) or ""](file, broken)


def _unpacked(file: Path) -> Path:
    return file.with_suffix("") if file.suffix.lower() in (".gz", ".zst") else file


def _jsonl(path: Path, broken: Broken) -> Rows:
    with _text_of(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                place = f"{path}:{number}"
                try:
                    row = _cells(_loaded(line), place)
                except (ValueError, RecursionError) as error:
                    broken(DataError(f"{place} is not JSON ({error})"))
                except DataError as error:
                    broken(error)
                else:
                    yield place, row


def _json(path: Path, broken: Broken) -> Rows:
    with _text_of(path) as text:
        try:
            found = _loaded(text.read())
        except UnicodeDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} is not JSON ({error}): one object a line goes into a .jsonl file") from error
    rows = found
    if isinstance(found, dict) and found:
        held = [name for name in _ROWS if isinstance(found.get(name), list)]
        rows = found[held[0]] if held else [found]
    if not isinstance(rows, list):
        raise DataError(f"{path} is no list of objects: write one, or one object a line into a .jsonl file")
    for number, row in enumerate(rows, start=1):
        place = f"{path} row {number}"
        yield place, _cells(row, place)


def _csv(path: Path, broken: Broken, delimiter: str = ",") -> Rows:
    # The module's own limit is 131,072 characters, less than some answers have.
    csv.field_size_limit(_LONGEST_FIELD)
    with _text_of(path, newline="") as lines:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            names = [name.strip() for name in next(reader, [])]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise DataError(f"{path} has two columns {twice[0]!r}: rename one of them in the first line")
            for fields in reader:
                place = f"{path}:{reader.line_num}"
                if not fields:
                    continue
                if len(fields) == len(names):
                    yield place, dict(zip(names, fields, strict=True))
                else:
                    broken(DataError(f"{place} has not as many fields as the first line has names: mend the line"))
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num} is not {path.suffix[1:].upper()} ({error})") from error


def _tsv(path: Path, broken: Broken) -> Rows:
    yield from _csv(path, broken, "\t")


def _parquet(path: Path, broken: Broken) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DataError(f"{path} has two columns {twice[0]!r}: rename one of them")
        number = 0
        for batch in file.iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield f"{path} row {number}", row
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not Parquet ({error})") from error


READERS: dict[str, Callable[[Path, Broken], Rows]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
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
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} cannot be unpacked or read ({error}): fetch it again") from error


def _unpack(path: Path) -> Any:
    """The bytes of a file as a stream."""
    match path.suffix.lower():
        case ".gz":
            return gzip.open(path)
        case ".zst":
            import pyarrow as pa

            return pa.input_stream(str(path), compression="zstd")
        case _:
            return path.open("rb")


def _loaded(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for place, (name, _) in enumerate(pairs) if name in dict(pairs[:place]))
        raise ValueError(f"an object has {twice[:40]!r} twice")
    return found


def _cells(value: Any, place: str) -> Cells:
    if not isinstance(value, dict):
        raise DataError(f"{place} is a {type(value).__name__}, no object with columns")
    return value
