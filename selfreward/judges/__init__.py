"""Judges: one file per kind, one union to choose from."""

from typing import Annotated

from pydantic import Field

from selfreward.judges.jury import AnyMember, JurySpec

AnyJudge = AnyMember | JurySpec
JudgeSpec = Annotated[AnyJudge, Field(discriminator="kind")]
