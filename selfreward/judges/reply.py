"""The score or letter that a judge's reply states, and no other: nothing is guessed, rounded or filled in.

A verdict is one line, `Score: 4` or `Verdict: A`, or the end of a line after a full stop. It may be decorated
(`**Score:** 4/5`, `Final score = four out of five.`) and followed by a remark (`Score: 4 - clear, but short`);
docs/judges.md lists the forms. What the reply quotes or thinks aloud is not its verdict.
"""

import functools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from pydantic import PositiveInt, model_validator

from selfreward.spec import Spec
from selfreward.thought import split_thought

LETTERS = ("A", "B", "C")
"""The verdicts of a comparison: the answer shown first is better, the one shown second, neither."""

Value = TypeVar("Value")

_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_NUMBER_WORD = "|".join(_WORDS)

_QUOTED = re.compile(
    r"""
    (?P<fence>```|~~~).*?(?:(?P=fence)|\Z)
    | <(?P<tag>(?:answer|candidate|response)(?:_\w+)?|quote|blockquote|q|code|pre|think|thinking|thought|reasoning)>
      .*?(?:</(?P=tag)>|\Z)
    | `[^`\n]*` | "[^"]*" | “[^”]*” | „[^“”]*[“”] | «[^»]*» | 「[^」]*」 | 『[^』]*』
    | (?<!\w)'(?=\S)(?:[^']|(?<=\w)'(?=\w))*'(?!\w)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
# A line that ends in a colon leads in a quotation, unless it speaks of the verdict and of nobody else's words.
_OWN = re.compile(
    r"\b(?:verdict|score|rating|conclusion|assessment|evaluation|judge?ment|grade|result|total)\b", re.IGNORECASE
)
_OTHERS = re.compile(
    r"\b(?:answer|response|candidate|assistant|student|author|text|itself|its|says?|said|claim\w*|wr[io]te\w*|written"
    r"|ends?|states?|contains?|format|form|template|example|instruction\w*|like|quote\w*)\b",
    re.IGNORECASE,
)
# Possessive (*+): several stand side by side, and a reply of nothing but marks must not be tried in every split.
_OPENING = r"(?:[\s*_#]|</?[a-z][a-z0-9]*>)*+"
_CLOSING = r"(?:[\s*_\"'`)\]}>]|</?[a-z][a-z0-9]*>)*+"
_UNIT = r"(?:points?|pts?|stars?)?"
_NUMBERLESS = rf"(?:(?!\d|\b(?:{_NUMBER_WORD}|half)\b)[^()])*"
_LETTERLESS = r"(?:(?!\b(?-i:[ABC])\b|\bti(?:e|ed)\b)[^()])*"


def _remark(plain: str) -> str:
    """What may follow a verdict; `plain` is text that holds no other."""
    return rf"""(?:
    \((?=[^()]*[^\W\d_]){plain}\)[.!]?\s*
    | (?:(?<=\s)-+\s|[–—]|[,;]|\bbecause\s)(?!\s*(?:if|or|to|unless|when)\b)(?=[\s*_]*[^\W\d_]){plain}
    | (?:[.!]\s+|。)[*_]*(?=[^\W\d_]).*
)"""  # noqa: RUF001


_LETTER = re.compile(
    rf"""
    {_OPENING}[\[({{<"'`“]{{0,2}}{_OPENING}(?:(?:answer|option)\s+)?
    (?P<stated>(?-i:[ABC])|tie)(?![\w-])
    {_CLOSING}(?:is\s+(?:the\s+)?better(?:\s+answer)?)?{_CLOSING}
    (?:[.!。]?{_CLOSING}|(?P<remark>{_remark(_LETTERLESS)}))
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


class Scale(Spec):
    """The whole numbers from `lowest` to `highest` that a score may be, `step` apart."""

    lowest: int
    highest: int
    step: PositiveInt = 1

    @model_validator(mode="after")
    def _has_ends(self) -> "Scale":
        if self.highest <= self.lowest or (self.highest - self.lowest) % self.step:
            raise ValueError(f"a scale from {self.lowest} to {self.highest} has no steps of {self.step}")
        return self

    def values(self) -> range:
        """Every score on the scale, rising."""
        return range(self.lowest, self.highest + 1, self.step)


@dataclass(frozen=True, slots=True)
class _Verdict(Generic[Value]):
    """One verdict line: what it states, None where that is no plain value, and whether it says that it is final."""

    stated: Value | None
    final: bool


def read_score(reply: str, label: str, scale: Scale, answer: str = "") -> int | None:
    """The score on `scale` that `reply` states in a line named `label`; None where it states none, or several.

    The last verdict counts. It must be a plain number on the scale, and no verdict before it may say another number,
    unless the last alone is called final, total, overall, revised, corrected or updated. A verdict line that the
    judged `answer` holds word for word is the answer's, not the judge's.
    """
    number = _read(reply, label, _head_of(label, _ends_of(scale)), _number_on(scale), _number, answer)
    return int(number) if number is not None and number in scale.values() else None


def read_letter(reply: str, label: str) -> str | None:
    """The letter of `LETTERS` that `reply` states in a line named `label`, "tie" being C; as `read_score` reads."""
    return _read(reply, label, _head_of(label, r"A.{1,9}C"), _LETTER, _letter)


def _read(
    reply: str,
    label: str,
    head: re.Pattern[str],
    value: re.Pattern[str],
    convert: Callable[[str], Value],
    answer: str = "",
) -> Value | None:
    """What the last verdict states, unless one before it states something else."""
    foreign = {_bare(line) for line in _plain(answer).splitlines()}
    verdicts: list[_Verdict[Value]] = []
    before = ""
    for line in _own_words(reply, label).splitlines():
        quoted = line.lstrip().startswith(">") or _bare(line) in foreign or _leads_in_quotation(before, label)
        if not quoted:
            verdicts += _verdicts_of(line, head, value, convert)
        before = _bare(line) or before
    if not verdicts:
        return None
    last = verdicts[-1]
    rivals = [one for one in verdicts if one.stated is not None and one.stated != last.stated]
    settled = last.final and not any(one.final for one in rivals)
    return None if rivals and not settled else last.stated


def _own_words(reply: str, label: str) -> str:
    """What `reply` answers, with a mark for every quotation, and every thought in its midst, that names the verdict."""
    _, text = split_thought(_plain(reply))
    # Where a mark is left over, nobody can say which stretch is quoted: all that may be, is.
    if text.count("```") % 2:
        text = text.partition("```")[0]
    if text.count('"') % 2:
        text = re.sub(r'".*"', "\ufffc", text, flags=re.DOTALL)
    name = label.casefold()
    text = _QUOTED.sub(lambda found: "\ufffc" if name in found[0].casefold() else found[0], text)
    return re.sub(r"<br\s*/?>", "\n", text, flags=re.IGNORECASE)


def _plain(text: str) -> str:
    """`text` with the decimal digits of all scripts and full-width forms as ASCII, symbols and marks as spaces."""
    return re.sub(r"[^\x00-\x7f]", lambda found: _plain_character(found[0]), text)


@functools.cache
def _plain_character(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if "\uff01" <= character <= "\uff5e":
        return chr(ord(character) - 0xFEE0)
    if character in "‘’":  # noqa: RUF001
        return "'"
    if character == "−":  # noqa: RUF001
        return "-"
    return " " if character == "\ufe0f" or unicodedata.category(character) in ("Cf", "So", "Zs") else character


def _bare(line: str) -> str:
    return line.strip(" \t*_#>-").casefold()


def _leads_in_quotation(line: str, label: str) -> bool:
    own = _OWN.search(line) or label.casefold() in line
    return line.endswith(":") and not (own and not _OTHERS.search(line))


def _verdicts_of(
    line: str, head: re.Pattern[str], value: re.Pattern[str], convert: Callable[[str], Value]
) -> list[_Verdict[Value]]:
    """The verdicts in one line; one that does not start the line must end it."""
    heads = list(head.finditer(line))
    ends = [*(found.start() for found in heads), len(line)][1:]
    verdicts = []
    for found, end in zip(heads, ends, strict=True):
        stated = value.fullmatch(line[found.end() : end])
        if stated is None and found["separator"].lower() == "is":
            continue
        if stated is not None and found["inline"] is not None and stated["remark"]:
            stated = None
        verdicts.append(_Verdict(None if stated is None else convert(stated["stated"]), bool(found["final"])))
    return verdicts


def _number(text: str) -> Decimal:
    return Decimal(_WORDS.index(text.lower())) if text.lower() in _WORDS else Decimal(text)


def _letter(text: str) -> str:
    return "C" if text.lower() == "tie" else text


def _ends_of(scale: Scale) -> str:
    return rf"{scale.lowest}\s*(?:-|–|to)\s*{scale.highest}|out\sof\s{scale.highest}|/\s?{scale.highest}"  # noqa: RUF001


@functools.cache
def _head_of(label: str, ends: str) -> re.Pattern[str]:
    """A verdict up to what it states: the label with what may stand before and behind it, and a separator."""
    return re.compile(
        rf"""
        (?:^{_OPENING}(?:[-+•]\s+|\d{{1,2}}[.)]\s+)?|(?P<inline>(?:(?<=[.!?])(?=[\s*_<])|(?<=。))(?<!e\.g\.)(?<!i\.e\.)(?<!\bex\.))){_OPENING}
        (?:(?:so|thus|hence|therefore),?\s+)?(?:(?:the|my)\s+)?
        (?P<final>(?:(?:final|total|overall|revised|corrected|updated)\s+)*)
        {re.escape(label).replace(chr(92) + " ", "[ ]")}{_OPENING}(?:\((?:{ends})\))?{_OPENING}
        (?P<separator>[:=]|(?<=\s)is(?=\s))
        """,
        re.VERBOSE | re.IGNORECASE,
    )


@functools.cache
def _number_on(scale: Scale) -> re.Pattern[str]:
    """A plain number with its decoration, and with nothing behind it that makes it another number."""
    top = f"{scale.highest}" if not 0 <= scale.highest <= 10 else f"(?:{scale.highest}|{_WORDS[scale.highest]})"
    return re.compile(
        rf"""
        {_OPENING}[\[({{<"'`“]{{0,2}}{_OPENING}
        (?P<stated>-?(?:0|[1-9]\d{{0,3}})(?:\.\d{{1,4}})?|{_NUMBER_WORD})(?![\w-])
        {_CLOSING}{_UNIT}{_CLOSING}(?:\(?(?:/|\b(?:out\s)?of\b)\s*{top}\b(?![-/]|\.\d))?{_CLOSING}{_UNIT}{_CLOSING}
        (?:[.!。]?{_CLOSING}|(?P<remark>{_remark(_NUMBERLESS)}))
        """,
        re.VERBOSE | re.IGNORECASE | re.DOTALL,
    )
