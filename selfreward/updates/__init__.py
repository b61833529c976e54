"""Update rules: one file per kind, one union to choose from."""

from typing import Annotated

from pydantic import Field

from selfreward.updates.base import Training
from selfreward.updates.dpo import DpoSpec
from selfreward.updates.grpo import GrpoSpec
from selfreward.updates.kto import KtoSpec
from selfreward.updates.rft import RftSpec
from selfreward.updates.rloo import RlooSpec
from selfreward.updates.scripted_update import ScriptedUpdate

AnyUpdate = RftSpec | DpoSpec | KtoSpec | GrpoSpec | RlooSpec | ScriptedUpdate
UpdateSpec = Annotated[AnyUpdate, Field(discriminator="kind")]

# What other files define.
__all__ = ["DpoSpec", "RftSpec", "ScriptedUpdate", "Training"]
