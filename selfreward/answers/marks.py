r"""The sentences of a reply, and where it marks its final answer.

Marks are a box, a line with ####, "the answer is", bold type and a concluding sentence.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from selfreward.answers.latex import boxes
from selfreward.answers.words import clean, words

BULLET = re.compile(r"^\s*(?:[-*•+]|\d{1,2}[.)])\s+(?=\S)")
_STEP = re.compile(r"^[\s*_#-]*step\s\d{1,2}\b[:.)]?", re.IGNORECASE)
_NUMBERED = re.compile(r"^[\s*_#]*\d{1,2}[.)]\s+(?=\S)")
_SENTENCE_END = re.compile(r"(?<=[.!?]) ")
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

BOX = "\ue000"
"""Stands in a text for a box that was taken out of it."""

_OPEN_BOX = re.compile(r"\\(?:boxed|fbox)\s?\{")
_HASHED = re.compile(r"^\s*####(?!#)[ \t]*(\S.*)$")
_BARE_NUMBER = re.compile(r"[*_]{0,3}[^\w\s]{0,3}\s?\d[\d,.]*\s?[^\w\s]{0,3}(?:\s[^\W\d]+){0,2}[.*_\s]*")
_LABELLED = r"(?:answer|(?:correct|right|best) (?:option|choice))s?"
_SAYS = rf"{_LABELLED}(?: to [^:.]{{0,80}}?)?(?: is\b| are\b| ?:| ?=| (?:would|will|must|should) be\b)"
_STATED = re.compile(
    rf"\b(?P<final>final )?{_SAYS}|\bis (?:the|my|our) (?P<named>final )?(?:correct |right |best )?{_LABELLED}\b"
)
_BEFORE = re.compile(rf"\b{_SAYS}", re.IGNORECASE)
_SUPPOSED = re.compile(r"\b(?:if|whether|unless|suppose)\b")
_SHORT = re.compile(r"(?:a|ans)[:=] ")
_BOLD = re.compile(r"\*\*([^*\n]{1,120})\*\*(?!\s?:)")
_MOST_BOLD = 20
_HEADED = re.compile(r"\d{1,2}[.)] |(?:step|part|case|method|example|option|stage|note|check)\b")
CONCLUDES = re.compile(
    r"(?:and |so,? )?(?:so|thus|therefore|hence|finally|consequently|in total|in all|altogether|in conclusion|total)\b"
)
"""What a conclusion opens with."""


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
    sentences = _SENTENCE_END.split(" ".join(said))
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


@lru_cache(maxsize=64)
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


@dataclass(frozen=True, slots=True)
class Mark:
    """A marked answer: a `piece` that is it alone, or a whole `sentence`; a `final` one outweighs those before it."""

    final: bool
    piece: str | None = None
    sentence: str = ""


def take_boxes(text: str) -> tuple[str, list[str]]:
    r"""`text` with BOX in place of each `\boxed{..}`, and what the boxes hold: nothing where one never closes."""
    if "box" not in text:
        return text, []
    held = boxes(text)
    ends = [0, *(end for _, end, _ in held)]
    starts = [*(start for start, _, _ in held), len(text)]
    rest = BOX.join(text[end:start] for end, start in zip(ends, starts, strict=True))
    rest, open_ = _OPEN_BOX.subn(BOX, rest)
    return rest, [content for *_, content in held] + [""] * open_


def hashed(text: str) -> list[str]:
    """What stands behind `####` at the start of a line, as the solutions of GSM8K end.

    A heading of that rank is no answer: only the last line counts, or one with nothing but a number and its unit.
    """
    lines = lines_of(text)
    found = (_behind_hashes(line, last=number == len(lines)) for number, line in enumerate(lines, 1))
    return [tail for tail in found if tail is not None]


def marks(found: Sequence[Block], held: Sequence[str], as_piece: Callable[[str], bool] | None) -> list[Mark]:
    """The marks of a reply in order: what its boxes hold, #### lines, sentences that say "the answer is" or "answer:".

    What follows "the answer is" is a piece where `as_piece` says so. A mark that is not final is left out where a final
    one follows.
    """
    boxed = iter(held)
    marked: list[Mark] = []
    for number, block in enumerate(found, 1):
        marked += _stated(block, as_piece)
        marked += [Mark(True, piece) for piece in islice(boxed, block.raw.count(BOX))]
        if (tail := _behind_hashes(block.raw, last=number == len(found))) is not None:
            marked.append(Mark(True, tail))
    last = max((place for place, mark in enumerate(marked) if mark.final), default=-1)
    return [mark for place, mark in enumerate(marked) if mark.final or place > last] or marked or _short_form(found)


def bold(found: Sequence[Block]) -> list[str]:
    """What is bold in sentences without a "not", cleaned; nothing where that is so much that it marks no answer."""
    spans = [clean(span[1]) for block in found for span in islice(_BOLD.finditer(block.raw), _MOST_BOLD + 1)]
    spans = [span for span in spans if span and not span.endswith(":") and not _HEADED.match(span)]
    said = [sentence for block in found for sentence in block.said if spans and committed(sentence)]
    return [span for span in spans if any(span in one for one in said)] if len(spans) <= _MOST_BOLD else []


def is_bare_number(line: str) -> bool:
    """Whether `line` is a number and its unit alone, in bold type or not."""
    return len(line) < 200 and _BARE_NUMBER.fullmatch(line.strip()) is not None


def _stated(block: Block, as_piece: Callable[[str], bool] | None) -> list[Mark]:
    marked: list[Mark] = []
    for sentence in block.said:
        found = _STATED.search(sentence)
        if found and BOX not in sentence and not _SUPPOSED.search(sentence[: found.start()]):
            final = found["final"] is not None or found["named"] is not None
            # "Rome is wrong, so the answer is B": a trailing clause that is the answer is not cut.
            hidden = found.end() > len(without_clause(sentence))
            marked.append(Mark(final, sentence=sentence[found.start() :] if hidden else sentence))
    if marked and as_piece is not None:
        ends = [one.end() for one in _BEFORE.finditer(block.raw)] or [len(block.raw)]
        tail = block.raw[ends[-1] :].strip(" *_")
        if BOX not in tail and as_piece(tail):
            marked[-1] = replace(marked[-1], piece=tail)
    return marked


def _behind_hashes(line: str, *, last: bool) -> str | None:
    """What stands behind the #### of `line`; None where it has none, or is a heading."""
    found = _HASHED.match(line)
    if found is None or BOX in line or not (last or is_bare_number(found[1])):
        return None
    return found[1].strip()


def _short_form(found: Sequence[Block]) -> list[Mark]:
    """The last sentence where it is "A: 18", which in a list of choices would be the first of them."""
    if not found or not found[-1].said or not _SHORT.match(found[-1].said[-1]):
        return []
    if any(block.said and block.said[0].startswith("b: ") for block in found):
        return []
    return [Mark(False, sentence=found[-1].said[-1])]
