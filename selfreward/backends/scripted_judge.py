"""How the scripted policy judges: it knows the right answer, and is noisy about it.

A judge prompt is a message with a text between `<question>` and `</question>`, one between `<answer>` and `</answer>`,
and after them the words "from L to H". Where those also say `"NAME: N"`, the reply is a sentence and a line of that
form, else it is the number alone.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_TASK = re.compile(r"<question>\n(.*)\n</question>.*<answer>\n(.*)\n</answer>(.*)", re.DOTALL)
_SCALE = re.compile(r"from (\d+) to (\d+)")
_FORM = re.compile(r'"([^":]+): N"')
_RIGHT, _WRONG = 0.8, 0.35
_NOISE = 0.8
_MASS = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTask:
    """An answer to judge from `lowest` to `highest`; `label` names the verdict line, if one is asked for."""

    question: str
    answer: str
    lowest: int
    highest: int
    label: str | None


def judge_task(message: str) -> JudgeTask | None:
    """The task in a judge prompt; None for any other message."""
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
