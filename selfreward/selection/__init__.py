"""Which candidates a round trains on: pools, rules, novelty, tiers, anchors. Adding a rule is one line here."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from selfreward.artifacts import Artifact
from selfreward.errors import CorruptArtifact
from selfreward.selection.examples import BestOfK, RandomPick
from selfreward.selection.handed import Prompts
from selfreward.selection.pairs import PreferencePairs
from selfreward.selection.revisions import RevisionPairs, Revisions
from selfreward.selection.unpaired import Unpaired

AnySelect = BestOfK | RandomPick | PreferencePairs | Unpaired | Prompts | Revisions | RevisionPairs
SelectSpec = Annotated[AnySelect, Field(discriminator="kind")]
_READER = TypeAdapter[AnySelect](SelectSpec)


def select_spec(selected: Artifact) -> AnySelect:
    """The settings of a selection. Raises CorruptArtifact where they are of no rule that this version knows."""
    try:
        return _READER.validate_python(selected.spec)
    except ValueError as error:
        raise CorruptArtifact(f"{selected.path} was made by a rule that is not known here: {error}") from error
