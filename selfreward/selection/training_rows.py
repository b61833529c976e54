"""What the rows of a selection or a training set are."""

from collections.abc import Iterable
from dataclasses import dataclass

from selfreward.artifacts import Artifact
from selfreward.row_kinds import PAIRS, ROW_KINDS, RowKind

HUMAN_TABLE = "human_pairs"
"""The table of a selection for the rows that set people's answers against the policy's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labelled:
    """What counts here of a PreferencePair."""

    label: float | None = None


def has_labels(artifacts: Iterable[Artifact], table: str) -> bool:
    """Whether a row in a table of this name, in one of the artifacts, has a label."""
    return any(one.label is not None for artifact in artifacts for one in artifact.records(_Labelled, table))


def pairs_table(artifact: Artifact) -> str:
    """The table of pairs in a selection or a training set; in any other artifact its rows."""
    return PAIRS.table if artifact.has(PAIRS.table) else "rows"


def row_kind(artifact: Artifact) -> RowKind:
    """The kind of rows that a selection or a training set holds, told by its tables."""
    return next(kind for kind in ROW_KINDS if artifact.has(kind.table))
