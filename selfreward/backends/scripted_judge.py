"""How the scripted policy judges: it knows the right answer, and is noisy about it.

A judge prompt is a message with a text between `<question>` and `</question>`. Of one answer, between `<answer>` and
`</answer>`, it says afterwards "from L to H"; of two, between `<answer_a>` and `<answer_b>` tags, "A, B or C". Where
what follows also says `"NAME: N"` or `"NAME: X"`, the reply is a sentence and a line of that form, else it is the
score or the letter alone. Of two judgments, between `<judgment_a>` and `<judgment_b>` tags, the better one is that
whose score is nearer to what the answer in the `<request>` deserves.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_TASK = re.compile(r"<question>\n(.*)\n</question>.*<answer>\n(.*)\n</answer>(.*)", re.DOTALL)
_PAIR = re.compile(
    r"<question>\n(.*)\n</question>.*<answer_a>\n(.*)\n</answer_a>.*<answer_b>\n(.*)\n</answer_b>(.*)", re.DOTALL
)
_META = re.compile(
    r"<request>\n(.*)\n</request>.*<judgment_a>\n(.*)\n</judgment_a>.*<judgment_b>\n(.*)\n</judgment_b>(.*)", re.DOTALL
)
_SCALE = re.compile(r"from (\d+) to (\d+)")
_FORM = re.compile(r'"([^":]+): [NX]"')
_RIGHT, _WRONG = 0.8, 0.35
_NOISE = 0.8
_TIE = 0.1
_MASS = 0.95
_SHARP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTask:
    """An answer to judge from `lowest` to `highest`; `label` names the verdict line, if one is asked for."""

    question: str
    answer: str
    lowest: int
    highest: int
    label: str | None

    def reply(self, *, right: bool, luck: float | None, unparsed: bool) -> str:
        """A score that is high for a right answer; `luck` in [0, 1) moves it, and is None without noise."""
        share = min(max((_RIGHT if right else _WRONG) + _noise(luck), 0.0), 1.0)
        score = "N/A" if unparsed else str(self.lowest + round(share * (self.highest - self.lowest)))
        remark = "The answer is right." if right else "The answer may not be right."
        return score if self.label is None else f"{remark}\n{self.label}: {score}"

    def deserved(self, *, right: bool) -> float:
        """The score that the answer deserves."""
        return self.lowest + (_RIGHT if right else _WRONG) * (self.highest - self.lowest)

    def logprobs(self, options: Sequence[str], *, right: bool, unparsed: bool) -> tuple[float, ...]:
        """Log-probabilities of whole-number options, highest near the score that the answer deserves."""
        deserved = self.deserved(right=right)
        return _logprobs([math.exp(-abs(int(option) - deserved)) for option in options], unparsed)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareTask:
    """Two answers to compare; `label` names the verdict line, if one is asked for."""

    question: str
    first: str
    second: str
    label: str | None

    def reply(self, *, merit: float, luck: float | None, unparsed: bool) -> str:
        """A letter for the better answer; `merit` is how much better the first is, -1 to 1; `luck` as above."""
        lead = merit * (_RIGHT - _WRONG) + _noise(luck)
        letter = "X" if unparsed else "C" if abs(lead) < _TIE else "A" if lead > 0 else "B"
        remark = {"A": "The first answer is right.", "B": "The second answer is right."}.get(letter, "Hard to say.")
        return letter if self.label is None else f"{remark}\n{self.label}: {letter}"

    def logprobs(self, *, merit: float, unparsed: bool) -> tuple[float, ...]:
        """Log-probabilities of A, B and C."""
        lead = _SHARP * merit * (_RIGHT - _WRONG)
        return _logprobs([math.exp(lead), math.exp(-lead), 1.0], unparsed)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaTask(CompareTask):
    """Two judgments to compare of what was `judged`; `request` is what the judge was asked."""

    request: str
    judged: JudgeTask

    def merit(self, *, right: bool) -> float:
        """1 where the first comes nearer to the score that the answer deserves, -1 where the second does, else 0."""
        deserved = self.judged.deserved(right=right)
        first, second = (abs(score - deserved) for score in self._scores())
        return float((first < second) - (first > second))

    def lead(self) -> float:
        """1 where the first gives the higher score, -1 where the second does, else 0."""
        first, second = self._scores()
        return float((first > second) - (first < second))

    def _scores(self) -> tuple[float, float]:
        """The scores that end the judgments; one without is as far from any score as can be."""
        found = [re.search(r"(-?\d+)\s*$", text) for text in (self.first, self.second)]
        first, second = (-math.inf if one is None else float(one[1]) for one in found)
        return first, second


def judge_task(message: str) -> JudgeTask | CompareTask | None:
    """The task in a judge prompt; None for any other message."""
    if (found := _META.search(message)) and isinstance(judged := judge_task(found[1]), JudgeTask):
        label = _label(found[4])
        return MetaTask(
            question=judged.question, first=found[2], second=found[3], label=label, request=found[1], judged=judged
        )
    if found := _PAIR.search(message):
        return CompareTask(question=found[1], first=found[2], second=found[3], label=_label(found[4]))
    found = _TASK.search(message)
    scale = _SCALE.search(found[3]) if found else None
    if found is None or scale is None:
        return None
    lowest, highest = int(scale[1]), int(scale[2])
    return JudgeTask(question=found[1], answer=found[2], lowest=lowest, highest=highest, label=_label(found[3]))


def _label(told: str) -> str | None:
    form = _FORM.search(told)
    return form[1] if form else None


def _noise(luck: float | None) -> float:
    return 0.0 if luck is None else _NOISE * (luck - 0.5)


def _logprobs(weights: Sequence[float], unparsed: bool) -> tuple[float, ...]:
    mass = 1 - _MASS if unparsed else _MASS
    return tuple(math.log(mass * weight / sum(weights)) for weight in weights)
