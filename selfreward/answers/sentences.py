"""The sentences of a reply, and the parts of a sentence that may hold its answer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfreward.answers.words import clean, words

BULLET = re.compile(r"^\s*(?:[-*•+]|\d{1,2}[.)])\s+(?=\S)")
_STEP = re.compile(r"^[\s*_#-]*step\s\d{1,2}\b[:.)]?", re.IGNORECASE)
_NUMBERED = re.compile(r"^[\s*_#]*\d{1,2}[.)]\s+(?=\S)")
_HEADING = re.compile(r"(?:the )?(?:final |correct |right )?answer")
_COPULA = re.compile(
    r"=|:(?=\s|$)|\b(?:is|are|was|were|would be|will be|equals|becomes|called|known as|written as|means)\b"
    r"|\b(?:comes|follows|speaks?|uses)\b"
)
# The space of a cleaned sentence is never more than one character, so nothing here repeats.
_CLAUSE = re.compile(
    r";|(?<=[^\W\d]) -+ (?![$\d(])"
    r"|, ?(?:not|so|as|since|while|where|meaning|and (?:it|is|the))\b|,? (?:which|that|because)\b"
)
_EXPLICIT = re.compile(r"\banswer(?: is\b| are\b|:)")
_NEGATION = re.compile(r"\b(?:not|cannot)\b|n't\b")
_PREAMBLE = words("sure certainly okay ok yes hello hi of course great good question")


@dataclass(frozen=True, slots=True)
class Block:
    """A line, with those that its colon leads to: as written, and its cleaned sentences, questions left out."""

    raw: str
    said: tuple[str, ...]


def lines_of(text: str) -> list[str]:
    """The lines of `text` that hold anything."""
    return [line for line in text.splitlines() if line.strip()]


def blocks(lines: Sequence[str], *, bullets: bool) -> list[Block]:
    """`lines` as blocks, without bullets where `bullets`, else without the numbers of steps where there are several."""
    numbered = not bullets and sum(_NUMBERED.match(line) is not None for line in lines) > 1
    shown = [BULLET.sub("", one) if bullets else _NUMBERED.sub("", one) if numbered else one for one in lines]
    return [_block(group) for group in _led([_STEP.sub("", line) for line in shown])]


def _led(lines: Sequence[str]) -> Iterator[list[str]]:
    """Lines together with the line that leads to them: one that ends in a colon, or says "Final answer" alone."""
    group: list[str] = []
    for line in lines:
        group.append(line)
        end = line.rstrip(" \t*_#`")
        if not end.endswith(":") and not ("nswer" in line and _HEADING.fullmatch(clean(line[:200]))):
            yield group
            group = []
    if group:
        yield group


def _block(group: list[str]) -> Block:
    said = [clean(line) for line in group]
    said = [f"{line}:" if _HEADING.fullmatch(line) else line for line in said[:-1]] + said[-1:]
    sentences = re.split(r"(?<=[.!?]) ", " ".join(said))
    return Block(" ".join(group), tuple(one for one in sentences if not one.endswith("?")))


def first_statement(found: Sequence[Block]) -> str:
    """The first sentence of all, a leading "Sure!" skipped; empty where there is none."""
    said = [sentence for block in found for sentence in block.said]
    return next((sentence for sentence in said if not words(sentence) <= _PREAMBLE), said[-1] if said else "")


def explicit_statement(found: Sequence[Block]) -> str:
    """The last sentence that says "answer is" or "answer:", else the first statement."""
    explicit = [sentence for block in found for sentence in block.said if _EXPLICIT.search(sentence)]
    return explicit[-1] if explicit else first_statement(found)


def committed(sentence: str) -> str:
    """`sentence` without its trailing clause; empty where it still says "not"."""
    said = without_clause(sentence)
    return "" if _NEGATION.search(said) else said


def without_clause(statement: str) -> str:
    """`statement` up to its trailing clause, which does not start at the "that" of "the letter that follows A is"."""
    verb = _COPULA.search(statement)
    for clause in _CLAUSE.finditer(statement):
        if not verb or clause.start() >= verb.end() or clause[0].strip() not in ("which", "that"):
            return statement[: clause.start()]
    return statement


def parts(statement: str) -> list[str]:
    """What stands between is, are, called, =, colons and their like."""
    return _COPULA.split(statement)
