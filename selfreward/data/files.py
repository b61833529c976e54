"""Rows of files in any usual form, and the digest that files count by."""

import json
import re
from pathlib import Path

from selfreward.artifacts.atomic_files import sha256_of
from selfreward.data.readers import READERS, Broken, Rows, form_of, is_read, read_file, stop
from selfreward.errors import DataError
from selfreward.records import digest_of

_SPLIT = re.compile(r"(?:^|/)(train|test|valid|validation|val|dev|eval)(?=[^a-z])")
# What describes the data beside it.
_DESCRIPTIONS = ("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json")
_FORMS = ", ".join(READERS)


def read_rows(path: Path, broken: Broken = stop) -> Rows:
    """The rows of `path` in order, but for those of `broken` lines.

    `path` is a file in one of the forms of `READERS`, a pattern with `*` for several, a folder of them, or a folder
    that `datasets` saved. Raises DataError.
    """
    if _is_saved(path):
        yield from _saved(path)
        return
    for file in files_of(path):
        yield from read_file(file, broken)


def content_digest(path: Path) -> str:
    """The digest of the bytes behind `path`, its name left out. Raises DataError where there is nothing to read."""
    return digest_of([sha256_of(file) for file in files_of(path)])


def files_of(path: Path) -> list[Path]:
    """The files that the rows of `path` stand in, by name. Raises DataError."""
    if _is_saved(path):
        names = [str(entry["filename"]) for entry in json.loads((path / "state.json").read_text())["_data_files"]]
        return [path / "dataset_info.json", *(_inside(path, name) for name in names)]
    if "*" in path.name:
        found = sorted(file for file in path.parent.glob(path.name) if is_read(file))
    elif path.is_dir():
        found = _shards(path)
    elif form_of(path) is not None:
        found = [path] if path.exists() else []
    else:
        raise DataError(f"{path} is none of {_FORMS} (.gz or .zst too) or a folder: change it into one of them")
    if not found:
        raise DataError(f"{path} does not exist or holds no {_FORMS} file: give the path of your data")
    return found


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
        if is_read(file)
        and file.name not in _DESCRIPTIONS
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    one_of = {named[-1]: file for file in found if (named := _SPLIT.findall(file.relative_to(folder).as_posix()))}
    if len(one_of) > 1:
        split, file = min(one_of.items())
        ending = "".join(file.suffixes)
        example = file.with_name(f"{split if file.name.startswith(split) else ''}*{ending}")
        raise DataError(
            f"{folder} holds several splits ({', '.join(sorted(one_of))}): give the files of one, as in '{example}'"
        )
    return found


def _saved(path: Path) -> Rows:
    """The rows of a folder written by `datasets.Dataset.save_to_disk`."""
    from datasets import load_from_disk

    files_of(path)
    for number, row in enumerate(load_from_disk(str(path)), start=1):
        yield f"{path} row {number}", row
