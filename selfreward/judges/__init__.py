"""Judges: one file per kind, one union to choose from."""

from typing import Annotated

from pydantic import Field

from selfreward.judges.dimensions import DimensionsSpec
from selfreward.judges.jury import JurySpec
from selfreward.judges.likelihood import LikelihoodSpec
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.judges.rubric import RubricSpec
from selfreward.judges.verifier import VerifierSpec

AnyJudge = DimensionsSpec | JurySpec | LikelihoodSpec | PairwiseSpec | RubricSpec | VerifierSpec
JudgeSpec = Annotated[AnyJudge, Field(discriminator="kind")]
