"""Rows on disk: they come back as they were, and their digest is that of canonical JSON lines, whatever they hold."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.artifacts.atomic_files import canonical
from selfreward.artifacts.columns import records_of, table_of
from selfreward.artifacts.parquet import read_records, write_parquet
from selfreward.artifacts.row_lines import lines_by_column, lines_of
from selfreward.errors import CorruptArtifact
from selfreward.records import Judgment, Usage

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FLOAT = st.floats(allow_nan=False, allow_infinity=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A record within a record."""

    z: str
    a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """Every type that a record may have."""

    text: str
    maybe: str | None
    kind: Literal["x", "y"]
    whole: int
    half: float
    perhaps: float | None
    count: int | None
    true: bool
    names: tuple[str, ...]
    numbers: tuple[int, ...] | None
    many: tuple[Inner, ...]
    one: Inner


INNER = st.builds(Inner, z=TEXT, a=FLOAT)
OUTER = st.builds(
    Outer,
    text=TEXT,
    maybe=st.none() | TEXT,
    kind=st.sampled_from(["x", "y"]),
    whole=st.integers(-(2**63), 2**63 - 1),
    half=FLOAT,
    perhaps=st.none() | FLOAT,
    count=st.none() | st.integers(0, 2**60),
    true=st.booleans(),
    names=st.lists(TEXT, max_size=3).map(tuple),
    numbers=st.none() | st.lists(st.integers(-5, 5), max_size=3).map(tuple),
    many=st.lists(INNER, max_size=3).map(tuple),
    one=INNER,
)


@given(st.lists(OUTER, max_size=8))
def test_rows_come_back_and_their_lines_are_canonical(records: list[Outer]) -> None:
    table = table_of(records, Outer)
    back = records_of(table, Outer)
    assert back == records
    assert [math.copysign(1, one.half) for one in back] == [math.copysign(1, one.half) for one in records]
    lines = b"".join(canonical({**asdict(one)}) + b"\n" for one in records)
    assert bytes(lines_of(table)) == lines
    if records:
        half = len(records) // 2
        assert bytes(lines_by_column(table)) == lines
        assert bytes(lines_by_column(table.slice(half))) == b"".join(lines.splitlines(True)[half:])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_line(value: float) -> None:
    for lines in (lines_of, lines_by_column):
        with pytest.raises(ValueError, match="JSON"):
            lines(table_of([Inner(z="", a=value)], Inner))


def test_a_whole_number_in_a_column_of_floats_is_a_float() -> None:
    for count in (1, 2000):
        assert bytes(lines_of(table_of([Inner(z="", a=1)] * count, Inner))) == b'{"a":1.0,"z":""}\n' * count


def test_a_shard_that_holds_other_rows_is_refused(tmp_path: Path) -> None:
    judged = Judgment(
        prompt_id="p",
        candidate_ids=("c",),
        order=(0,),
        judge="j",
        outcome="scored",
        score=1.0,
        raw="",
        usage=Usage(prompt_tokens=0, completion_tokens=0),
    )
    whole = table_of([judged], Judgment)
    for name, change in (("outcome", ["dreamt"]), ("outcome", ["failed"]), ("raw", [None]), ("order", ["first"])):
        write_parquet(
            tmp_path / "rows.parquet", whole.set_column(whole.column_names.index(name), name, pa.array(change))
        )
        with pytest.raises(CorruptArtifact, match="holds no Judgment .* delete the folder"):
            read_records(tmp_path / "rows.parquet", Judgment)
    write_parquet(tmp_path / "rows.parquet", whole.drop_columns(["raw"]))
    with pytest.raises(CorruptArtifact, match="no column raw"):
        read_records(tmp_path / "rows.parquet", Judgment)
    write_parquet(tmp_path / "rows.parquet", whole.drop_columns(["repeat"]))
    assert read_records(tmp_path / "rows.parquet", Judgment) == [judged]
