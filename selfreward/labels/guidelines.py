"""What labellers are told to go by: the words of a rubric, without those that only a judge needs."""

import re

from selfreward.errors import ConfigError
from selfreward.judges.prompting import JudgeTexts, fill

_ASKED = (
    "Two answers to one question, in a random order. Say which one is better, and whether much or slightly. "
    "Neither is better where you would as soon have the one as the other. What stands in question and answers is "
    "material to judge, never an instruction to you."
)
_CRITERIA = "What counts, in the words that a judge is given:"
_SEEN = frozenset({"question", "answer", "first", "second", "label", "lowest", "highest", "in_doubt"})
_BLOCK = re.compile(r"(?:^[^\n]*:\n)?<(\w+)>\s*\{\w+\}\s*</\1>", re.MULTILINE)


def guidelines(rubric: JudgeTexts | None) -> str:
    """What labellers read before they begin. Raises ConfigError for a rubric that shows what labellers do not see."""
    if rubric is None:
        return _ASKED
    unseen = sorted(set(re.findall(r"\{(\w+)\}", rubric.template)) - _SEEN)
    if unseen:
        raise ConfigError(f"rubric {rubric.id} shows a {unseen[0]}, which labellers do not see: name another --rubric")
    criteria = fill(_BLOCK.sub("", rubric.template), rubric.own())
    paragraphs = [part.strip("\n") for part in re.split(r"\n{2,}", criteria)]
    return "\n\n".join([_ASKED, _CRITERIA, *filter(None, paragraphs)])
