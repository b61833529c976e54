"""Which candidates a round trains on: pools, rules, novelty, tiers, anchors. Adding a rule is one line here."""

from typing import Annotated

from pydantic import Field

from selfreward.selection.examples import BestOfK, RandomPick
from selfreward.selection.pairs import PreferencePairs

AnySelect = BestOfK | RandomPick | PreferencePairs
SelectSpec = Annotated[AnySelect, Field(discriminator="kind")]
