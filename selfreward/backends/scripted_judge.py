"""How the scripted policy judges: it knows the right answer, and is noisy about it.

A judge prompt is a message with a text between `<question>` and `</question>`. Of one answer, between `<answer>` and
`</answer>`, it says afterwards "from L to H"; of two, between `<answer_a>` and `<answer_b>` tags, "A, B or C". Where
what follows also says `"NAME: N"` or `"NAME: X"`, the reply is a sentence and a line of that form, else it is the
score or the letter alone.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_TASK = re.compile(r"<question>\n(.*)\n</question>.*<answer>\n(.*)\n</answer>(.*)", re.DOTALL)
_PAIR = re.compile(
    r"<question>\n(.*)\n</question>.*<answer_a>\n(.*)\n</answer_a>.*<answer_b>\n(.*)\n</answer_b>(.*)", re.DOTALL
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareTask:
    """Two answers to compare; `label` names the verdict line, if one is asked for."""

    question: str
    first: str
    second: str
    label: str | None


def judge_task(message: str) -> JudgeTask | CompareTask | None:
    """The task in a judge prompt; None for any other message."""
    if found := _PAIR.search(message):
        form = _FORM.search(found[4])
        return CompareTask(question=found[1], first=found[2], second=found[3], label=form[1] if form else None)
    found = _TASK.search(message)
    scale = _SCALE.search(found[3]) if found else None
    if found is None or scale is None:
        return None
    form = _FORM.search(found[3])
    return JudgeTask(
        question=found[1],
        answer=found[2],
        lowest=int(scale[1]),
        highest=int(scale[2]),
        label=form[1] if form else None,
    )


def judge_reply(task: JudgeTask, *, right: bool, luck: float | None, unparsed: bool) -> str:
    """A reply with a score that is high for a right answer; `luck` in [0, 1) moves it, and is None without noise."""
    noise = 0.0 if luck is None else _NOISE * (luck - 0.5)
    share = min(max((_RIGHT if right else _WRONG) + noise, 0.0), 1.0)
    score = "N/A" if unparsed else str(task.lowest + round(share * (task.highest - task.lowest)))
    if task.label is None:
        return score
    remark = "The answer is right." if right else "The answer may not be right."
    return f"{remark}\n{task.label}: {score}"


def option_logprobs(task: JudgeTask, options: Sequence[str], *, right: bool, unparsed: bool) -> tuple[float, ...]:
    """Log-probabilities of whole-number options, highest near the score that the task deserves."""
    deserved = task.lowest + (_RIGHT if right else _WRONG) * (task.highest - task.lowest)
    weights = [math.exp(-abs(int(option) - deserved)) for option in options]
    mass = 1 - _MASS if unparsed else _MASS
    return tuple(math.log(mass * weight / sum(weights)) for weight in weights)


def compare_reply(task: CompareTask, *, merit: float, luck: float | None, unparsed: bool) -> str:
    """A reply with a letter for a first answer that is better by `merit`, -1 to 1; `luck` as in `judge_reply`."""
    noise = 0.0 if luck is None else _NOISE * (luck - 0.5)
    lead = merit * (_RIGHT - _WRONG) + noise
    letter = "X" if unparsed else "C" if abs(lead) < _TIE else "A" if lead > 0 else "B"
    remark = {"A": "The first answer is right.", "B": "The second answer is right."}.get(letter, "Hard to say.")
    return letter if task.label is None else f"{remark}\n{task.label}: {letter}"


def letter_logprobs(*, merit: float, unparsed: bool) -> tuple[float, ...]:
    """Log-probabilities of A, B and C for a first answer that is better by `merit`."""
    lead = _SHARP * merit * (_RIGHT - _WRONG)
    weights = [math.exp(lead), math.exp(-lead), 1.0]
    mass = 1 - _MASS if unparsed else _MASS
    return tuple(math.log(mass * weight / sum(weights)) for weight in weights)
