"""Rows of a run by their ids: a few shards are read whole, of the others the id column alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import pyarrow as pa

from selfreward.artifacts import Artifact
from selfreward.artifacts.parquet import read_records
from selfreward.artifacts.runs import RunView
from selfreward.errors import CollectedArtifact, CorruptArtifact, StoreError
from selfreward.row_kinds import RowName
from selfreward.selection.training_rows import row_kind
from selfreward.stages.revise import candidates_in

Record = TypeVar("Record")
Kind = RowName | Literal["candidate", "prompt"]

SHORTEST = 4
_WHOLE = 16  # hex digits of an id
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A row with this id, and the iteration it was first seen in."""

    id: str
    kind: Kind
    iteration: int


def find(view: RunView, asked: str, iteration: int | None = None) -> Place:
    """The one row of a run whose id starts with `asked`, among training rows, candidates and prompts.

    With `iteration`, only that one is searched. Raises StoreError for an id that is too short, unknown or ambiguous.
    """
    if len(asked) < SHORTEST:
        raise StoreError(f"{asked!r} is too short: give at least {SHORTEST} characters of an id")
    found: dict[tuple[str, Kind], Place] = {}
    for place in _places(view, asked.lower(), iteration):
        found.setdefault((place.id, place.kind), place)
        if len(asked) >= _WHOLE:
            break
    if not found:
        where = "" if iteration is None else f" in iteration {iteration}"
        raise StoreError(
            f"no training row, candidate or prompt of {view.name} has an id that starts with {asked!r}{where}: "
            f"`selfreward explain {view.name}` lists the training rows"
        )
    if len(found) > 1:
        error = StoreError(f"{asked!r} is the start of {len(found)} ids: give more of it")
        for place in list(found.values())[:_LISTED]:
            error.add_note(f"  {place.id}  {place.kind} of iteration {place.iteration}")
        if len(found) > _LISTED:
            error.add_note(f"  and {len(found) - _LISTED} more")
        raise error
    return next(iter(found.values()))


def iterations_of(view: RunView, iteration: int | None = None) -> Sequence[int]:
    """All iterations, or the one that is asked for. Raises StoreError for one that the run has not."""
    if iteration is None:
        return range(len(view.iterations))
    if not 0 <= iteration < len(view.iterations):
        known = f"iterations 0 to {len(view.iterations) - 1}" if view.iterations else "no iteration yet"
        raise StoreError(f"--iteration {iteration}: {view.name} has {known}")
    return [iteration]


def records_where(
    artifact: Artifact, record_type: type[Record], column: str, value: str, table: str = "rows"
) -> list[Record]:
    """The records of a table whose `column` is `value`, in order. Only the shards that hold one are read whole."""
    from pyarrow.compute import field

    hits = _scan(artifact, table, column, field(column) == value)["__filename"].unique().to_pylist()
    records = (record for path in sorted(hits) for record in read_records(Path(path), record_type))
    return [record for record in records if getattr(record, column) == value]


def _places(view: RunView, prefix: str, iteration: int | None) -> Iterator[Place]:
    """Training rows first, then candidates, then prompts, then drafts of prompts and their examples, asked or not."""
    asked = [(t, view.iterations[t]) for t in iterations_of(view, iteration)]
    for t, stages in asked:
        if (mixed := stages.get("mix")) is not None:
            kind = row_kind(mixed)
            yield from (Place(one, kind.name, t) for one in _ids(mixed, kind.table, prefix))
    for t, stages in asked:
        if (candidates := candidates_in(stages)) is not None:
            yield from (Place(one, "candidate", t) for one in _ids(candidates, "rows", prefix))
    for t, stages in asked:
        if (sampled := stages.get("sample")) is not None:
            yield from (Place(one, "prompt", t) for one in _ids(input_of(view, t, sampled, "prompts"), "rows", prefix))
    for t, stages in asked:
        if (prompts := stages.get("prompts")) is not None and prompts.has("written"):
            yield from (Place(one, "prompt", t) for one in _ids(prompts, "written", prefix))
            # The examples of a writer are training prompts, asked or not.
            train = input_of(view, t, prompts, "train")
            yield from (Place(one, "prompt", t) for one in _ids(train, "rows", prefix))


def input_of(view: RunView, iteration: int, artifact: Artifact, role: str) -> Artifact:
    """The artifact of the run that was an input of `artifact`, or whose part was, told by the digest of what was read.

    The same content can have been made under several keys, so the digest decides. Raises CorruptArtifact where the
    run does not hold it.
    """
    read = artifact.manifest.inputs[role]
    earlier = (one for stages in reversed(view.iterations[: iteration + 1]) for one in stages.values())
    for one in (*view.sources.values(), *earlier):
        if one.holds(read):
            return one
    raise CorruptArtifact(
        f"{artifact.path} was made from other {role} ({read.key}) than {view.name} holds: "
        "give the command of the run again"
    )


def _ids(artifact: Artifact, table: str, prefix: str) -> list[str]:
    from pyarrow.compute import field, starts_with

    return list(dict.fromkeys(_scan(artifact, table, "id", starts_with(field("id"), prefix))["id"].to_pylist()))


def _scan(artifact: Artifact, table: str, column: str, condition: Any) -> pa.Table:
    """`column` and the shard's path of every row that meets `condition`.

    Raises CollectedArtifact for bytes that `selfreward gc` deleted, CorruptArtifact for bytes that cannot be read.
    """
    # A run reads metrics through this module; these two cost it 0.2 s that only `explain` has use for.
    from pyarrow.dataset import dataset

    if artifact.manifest.collected:
        raise CollectedArtifact(f"{artifact.path} was emptied by `selfreward gc`: its rows cannot be told any more")
    paths = next(entry for entry in artifact.manifest.tables if entry.name == table).paths(artifact.path)
    try:
        shards = dataset([str(path) for path in paths], format="parquet")
        return shards.to_table(columns=[column, "__filename"], filter=condition)
    except (pa.ArrowInvalid, OSError) as error:
        raise CorruptArtifact(f"{artifact.path} cannot be read ({error}): delete the folder") from error
