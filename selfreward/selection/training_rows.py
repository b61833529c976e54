"""What the rows of a selection or a training set are: examples, or preference pairs."""

from typing import Literal

from selfreward.artifacts import Artifact
from selfreward.records import Example, PreferencePair


def training_table(artifact: Artifact) -> tuple[Literal["rows", "pairs"], type[Example] | type[PreferencePair]]:
    """The table of a selection or a training set, and its record type."""
    return ("pairs", PreferencePair) if artifact.has("pairs") else ("rows", Example)
