"""What the rows of a selection or a training set are."""

from selfreward.artifacts import Artifact
from selfreward.row_kinds import ROW_KINDS, RowKind

HUMAN_TABLE = "human_pairs"
"""The table of a selection for the rows that set people's answers against the policy's."""


def row_kind(artifact: Artifact) -> RowKind:
    """The kind of rows that a selection or a training set holds, told by its tables."""
    return next(kind for kind in ROW_KINDS if artifact.has(kind.table))
