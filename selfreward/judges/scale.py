"""The scores that a rubric gives, and how a plain number states one of them."""

import functools
import re
from collections.abc import Sequence
from decimal import Decimal

from pydantic import model_validator

from selfreward.spec import Spec

NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
ANY_NUMBER_WORD = "|".join(NUMBER_WORDS)
_LONGEST_HALVES = 1000


class Scale(Spec):
    """The numbers from `lowest` to `highest` that a score may be, `step` apart: whole, or .5 for half points."""

    lowest: int
    highest: int
    step: int | float = 1

    @model_validator(mode="after")
    def _has_ends(self) -> "Scale":
        if self.step != 0.5 and not (isinstance(self.step, int) and self.step > 0):
            raise ValueError(f"a scale in steps of {self.step}: set step to a whole number above 0, or to 0.5")
        if self.highest <= self.lowest or (self.highest - self.lowest) % self.step:
            raise ValueError(f"a scale from {self.lowest} to {self.highest} has no steps of {self.step}")
        if not self.whole and self.highest - self.lowest > _LONGEST_HALVES:
            raise ValueError(
                f"half points from {self.lowest} to {self.highest}: set ends at most {_LONGEST_HALVES} apart"
            )
        return self

    @property
    def whole(self) -> bool:
        """Whether all scores are whole numbers."""
        return isinstance(self.step, int)

    def values(self) -> Sequence[float]:
        """Every score on the scale, rising; whole ones are integers."""
        if isinstance(self.step, int):
            return range(self.lowest, self.highest + 1, self.step)
        halves = range(2 * self.lowest, 2 * self.highest + 1)
        return tuple(number // 2 if number % 2 == 0 else number / 2 for number in halves)

    def at(self, number: Decimal | float) -> float | None:
        """The score that `number` is; None where it is none on the scale."""
        if not self.lowest <= number <= self.highest:
            return None
        score = int(number) if number == int(number) else float(number)
        return score if score == number and (score - self.lowest) % self.step == 0 else None


def spelled(score: float) -> str:
    """A score as a rubric writes it: 4, 3.5."""
    return str(int(score)) if score == int(score) else str(score)


def number_of(text: str) -> Decimal:
    """The number that digits or a word up to ten spell."""
    return Decimal(NUMBER_WORDS.index(text.lower())) if text.lower() in NUMBER_WORDS else Decimal(text)


@functools.cache
def denominator_of(highest: int) -> str:
    """A pattern for "/5", "out of 5" or "of five" behind a number."""
    top = f"{highest}" if not 0 <= highest <= 10 else f"(?:{highest}|{NUMBER_WORDS[highest]})"
    return rf"(?:/|\b(?:out\s)?of\b)\s*{top}\b(?![-/]|\.\d)"


def is_alone(text: str, start: int, end: int, scale: Scale | None = None) -> bool:
    """Whether `text[start:end]` is a whole word or number, but for a denominator that is the top of `scale`."""
    before, after = text[max(0, start - 2) : start], text[end : end + 40]
    if _CONTINUES_BEFORE.search(before):
        return False
    if scale is not None and (found := re.match(rf"\s*{denominator_of(scale.highest)}", after, re.IGNORECASE)):
        after = after[found.end() :]
    return _CONTINUES.match(after) is None


_CONTINUES_BEFORE = re.compile(r"(?:\w|\d[.,/]|[-+±~])$")
_CONTINUES = re.compile(r"\w|[.,]\d|%|½|\+|\s*[-–/]\s?\d|\s*(?:or|to|and)\b\s*\d|\s\d+/\d", re.IGNORECASE)  # noqa: RUF001
