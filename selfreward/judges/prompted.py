"""What judges share that are asked in words: how their replies are drawn, or the probabilities of verdicts read."""

from collections.abc import Collection

from pydantic import Field, PositiveInt, model_validator

from selfreward.backends.abilities import Ability
from selfreward.backends.base import Sampling
from selfreward.judges.base import PolicyJudgeBase
from selfreward.judges.prompting import JudgeTexts, Rubric
from selfreward.spec import neutral

REASONED = "reasoned_probability"


class PromptedJudgeBase(PolicyJudgeBase):
    """Settings of a judge that is asked in words.

    With the method `sampled` replies are drawn, and `constrained` ones have to end in a verdict that can be read. Any
    other method reads the probability of every verdict as the first token of the answer, and is unparsed where
    together they have less than `min_mass`; `reasoned_probability` draws a reply first, and reads it behind that.
    """

    method: str
    temperature: float = Field(0.0, ge=0)
    top_p: float = Field(0.9, gt=0, le=1)
    max_new_tokens: PositiveInt = 128
    constrained: bool = neutral(False)
    min_mass: float = Field(0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _constrains_what_is_drawn(self) -> "PromptedJudgeBase":
        if self.constrained and self.method != "sampled":
            raise ValueError(
                f"judge.constrained=true at judge.method={self.method}, which draws no reply: set "
                "judge.method=sampled, or judge.constrained=false"
            )
        return self

    @property
    def needs(self) -> frozenset[Ability]:
        """Replies are drawn, or the probabilities of the verdicts read."""
        asked: set[Ability] = {"draw"} if self.method == "sampled" else {"score_options"}
        asked |= {"draw"} if self.method == REASONED else set()
        return super().needs | asked | ({"patterns"} if self.constrained else set())

    def ways_without(self, abilities: Collection[Ability]) -> list[str]:
        """A reply need not be held to a form; a verdict can be read from a reply, or from its probability."""
        method = ["method=sampled"] if "score_options" in abilities else []
        return method + (["constrained=false"] if "patterns" in abilities else [])

    def check_form(self, texts: JudgeTexts) -> None:
        """Raises ValueError where the method cannot have the verdict in the form that `texts` give it."""
        if self.constrained and texts.reads.kind != "line":
            raise ValueError(
                f"judge.constrained=true holds replies to a line, and {texts.id} reads a {texts.reads.kind}: set "
                "judge.constrained=false"
            )
        if self.method == "expected" and isinstance(texts, Rubric) and not texts.scale.whole:
            raise ValueError(
                f"judge.method=expected with {texts.id}, whose half points are no single tokens: set "
                "judge.method=sampled"
            )

    def sampling(self, k: int, pattern: str) -> Sampling:
        """How `k` replies to each question are drawn, held to `pattern` if they are to be."""
        return Sampling(
            k=k,
            temperature=self.temperature,
            top_p=self.top_p,
            max_new_tokens=self.max_new_tokens,
            pattern=pattern if self.constrained else None,
        )
