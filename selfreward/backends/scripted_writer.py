"""What the scripted policy writes as new prompts: sums and questions of its own words, and planted faults.

A request for new prompts shows examples between `<request>` and `</request>` and says "Write N new". Asked of one such
text whether it can be answered, "yes" or "no", it says yes unless the text asks for a picture.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

_REQUEST = re.compile(r"<request>\n(.*?)\n</request>", re.DOTALL)
_WRITE = re.compile(r"\bWrite (\d+) new\b")
_VERDICT = re.compile(r'"yes" or "no"')
_NOUNS = (
    "river stone garden window letter market school winter bread music night lamp forest bridge engine harbour "
    "kitchen mountain pencil blanket island candle saddle meadow ladder orchard piano tunnel basket compass"
)
_WORDS = _NOUNS.split()
_ASK = (
    "How does a {} change the {} of a {} in the {}?",
    "Describe the {} that stands between a {} and a {} near the {}.",
    "Why would a {} need a {} before the {} reaches the {}?",
    "Write a short note about a {}, a {} and a {} for the {}.",
)
_LARGEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteTask:
    """A request for `count` new prompts, or for a verdict on one where `count` is None; `shown` are those it shows."""

    count: int | None
    shown: Sequence[str]

    def reply(self, luck: str, *, malformed: bool, repeated_share: float) -> str:
        """The reply that `luck` makes: prompts between tags, a text without any where it is malformed, or a verdict."""
        if self.count is None:
            return "no" if "picture" in self.shown[0] else "yes"
        if malformed:
            return "Here are some ideas that I have in mind, and there would be more of them."
        told = []
        for place in range(self.count):
            repeats = bool(self.shown) and _share(f"{luck}|{place}|repeat") < repeated_share
            told.append(self.shown[place % len(self.shown)] if repeats else invented(f"{luck}|{place}"))
        return "\n".join(f"<request>\n{one}\n</request>" for one in told)


def write_task(message: str) -> WriteTask | None:
    """The task in a request for new prompts, or for a verdict on one; None for any other message."""
    shown = _REQUEST.findall(message)
    if (found := _WRITE.search(message)) is not None:
        return WriteTask(count=int(found[1]), shown=shown)
    return WriteTask(count=None, shown=shown) if shown and _VERDICT.search(message) else None


def invented(luck: str) -> str:
    """A new prompt: as often as not a sum, else a question of four words."""
    picks = hashlib.sha256(luck.encode()).digest()
    numbers = [int.from_bytes(picks[start : start + 2], "big") for start in range(0, 16, 2)]
    if numbers[0] % 2:
        return f"What is {numbers[1] % _LARGEST} + {numbers[2] % _LARGEST}?"
    return _ASK[numbers[3] % len(_ASK)].format(*(_WORDS[one % len(_WORDS)] for one in numbers[4:]))


def _share(luck: str) -> float:
    return int.from_bytes(hashlib.sha256(luck.encode()).digest()[:8], "big") / 2**64
