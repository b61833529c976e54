"""The score or letter that a line of a judge's reply states, and no other: nothing is guessed, rounded or filled in.

A verdict is one line, `Score: 4` or `Verdict: A`, or the end of a line after a full stop. It may be decorated and
followed by a remark (`**Score:** 4/5 - clear, but short`); docs/judges.md lists the forms. What the reply quotes or
thinks aloud is not its verdict, and neither are scores of each criterion in a list.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from typing import TypeVar

from selfreward.judges.own_words import bare, lead_in, lines_of, own_words
from selfreward.judges.parts import Stated, is_amid, item_number, part_of, settle, without_parts
from selfreward.judges.scale import ANY_NUMBER_WORD, Scale, denominator_of, number_of

LETTERS = ("A", "B", "C")
"""The verdicts of a comparison: the answer shown first is better, the one shown second, neither."""

Value = TypeVar("Value")

# Possessive (*+): several stand side by side, and a reply of nothing but marks must not be tried in every split.
_OPENING = r"(?:[\s*_#]|</?[a-z][a-z0-9]*>)*+"
_CLOSING = r"(?:[\s*_\"'`)\]}>]|</?[a-z][a-z0-9]*>)*+"
_UNIT = r"(?:points?\b|pts?\b|stars?\b)?"
_STOPS = ".!。"
_LETTERLESS = r"(?:(?!\b(?-i:[ABC])\b|\bti(?:e|ed)\b)[^()])*"
_WRITING = r"(?:answer|option|assistant|response|candidate|model|output)"
_FINAL = r"(?:(?:final|total|overall|revised|corrected|updated)\s+)*"
_TOTAL = r"(?:(?:grand|overall|final)\s+)?(?:total(?:\s+(?:points?|marks?))?|points?\s+total)"
_AFTER_A_SENTENCE = r"""(?:(?<=[.!?])(?=[\s*_<])|(?<=[.!?]["'”)\]])(?=\s)|(?<=。))(?<!e\.g\.)(?<!i\.e\.)(?<!\bex\.)"""
_HEDGE = re.compile(r"\b(?:or|maybe|perhaps|possibly|between|if|not|almost|nearly)\b", re.IGNORECASE)
_NUMBER = re.compile(rf"\d{{1,6}}(?:\.\d+)?|\b(?:{ANY_NUMBER_WORD}|half)\b", re.IGNORECASE)
_SUM = re.compile(r"(?<![\w.])\d{1,3}(?:\s*+\+\s*+\d{1,3})++(?:\s*+=\s*+(\d{1,3})(?!\w|\.\d))?")
_BLANK = re.compile(_OPENING, re.IGNORECASE)


_CHARACTERS_A_TOKEN = 2
# One line of plain text. Left out is what could hide the verdict line, or be another: line breaks and control
# characters; colons and equals signs; the marks of tags, code and fences; all of these in full width too.
_REASON = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029:=<>`~\uff1a\uff1c\uff1d\uff1e\uff40\uff5e]"


def _remark(text: str) -> str:
    """What may follow a verdict; `text` is all that may stand within brackets or before the end of the sentence."""
    return rf"""(?:
    \((?=[^()]*[^\W\d_]){text}\)[.!]?\s*
    | (?:(?<=\s)-+\s|[–—]|[,;]|:\s|\bbecause\s)(?!\s*(?:if|or|to|unless|when)\b)(?=[\s*_]*[^\W\d_]){text}
    | (?:[.!]\s+|。)[*_]*(?=[^\W\d_]).*
)"""  # noqa: RUF001


_LETTER = re.compile(
    rf"""
    {_OPENING}[\[({{<"'`“]{{0,2}}{_OPENING}(?:(?:the\s+)?{_WRITING}\s+)?
    (?P<stated>(?-i:[ABC])|tie|draw)(?![\w-])
    {_CLOSING}(?P<tie>[,(]?\s?(?:for\s+|as\s+|=\s*|i\.e\.,?\s+)?(?:an?\s+)?(?:tie|draw)\b{_CLOSING})?
    (?:(?:'?s\s+{_WRITING}\s+)?is\s+(?:(?:the|slightly|much|significantly|clearly)\s+)?better(?:\s+{_WRITING})?|wins)?
    {_CLOSING}(?:[.!。]?{_CLOSING}|(?P<remark>{_remark(_LETTERLESS)}))
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line of the judge's own words, and those around it; `doubtful` where its words may be somebody else's."""

    text: str
    number: int
    before: str
    below: Sequence[str]
    amid: bool
    doubtful: bool


def read_score(reply: str, label: str, scale: Scale, answer: str = "") -> float | None:
    """The score on `scale` that `reply` states in a line named `label`; None where it states none, or several.

    The last verdict counts. It must be a plain number on the scale, and no verdict before it may say another number,
    unless the last alone is called final, total, overall, revised, corrected or updated. Scores of parts do not count
    beside it. A verdict line that the judged `answer` holds word for word is the answer's, not the judge's.
    """
    lines, convert = _own_lines(reply, label, answer), partial(_number, scale)
    number = _read(lines, _head_of(label, scale), _number_on(scale), convert)
    return None if number is None else scale.at(number)


def read_letter(reply: str, label: str) -> str | None:
    """The letter of `LETTERS` that `reply` states in a line named `label`, "tie" being C; as `read_score` reads."""
    return _read(_own_lines(reply, label), _head_of(label), _LETTER, _letter)


def read_number(text: str, scale: Scale) -> float | None:
    """The score that `text` is, decorated or not, and nothing else; None where it is none."""
    found = _number_on(scale).fullmatch(text)
    return None if found is None or found["remark"] else scale.at(number_of(found["stated"]))


def _own_lines(reply: str, label: str, answer: str = "") -> list[_Line]:
    """The lines of a reply that are not blank, but for those that are somebody else's."""
    foreign = lines_of(answer)
    kept = []
    before = ""
    for text in own_words(reply, label).splitlines():
        lead = lead_in(bare(before), label)
        if text.strip() and not (text.lstrip().startswith(">") or bare(text) in foreign or lead == "quotation"):
            kept.append((text, before, lead == "unclear"))
        before = text if bare(text) else before
    lines = []
    items: set[int] = set()
    for number, (text, before, doubtful) in enumerate(kept):
        below = [after for after, _, _ in kept[number + 1 : number + 3]]
        amid = is_amid(items, below)
        lines.append(_Line(text=text, number=number, before=before, below=below, amid=amid, doubtful=doubtful))
        items.add(item_number(text))
    return lines


def _read(
    lines: Sequence[_Line],
    head: re.Pattern[str],
    value: re.Pattern[str],
    convert: Callable[[re.Match[str]], Value | None],
) -> Value | None:
    """What the last verdict states, by `convert` of `value` behind a `head`; None where one before it states another.

    One that does not start its line must end it, and what it states may stand below it.
    """
    verdicts: list[Stated[Value]] = []
    for line in lines:
        heads = list(head.finditer(line.text))
        ends = [*(found.start() for found in heads), len(line.text)][1:]
        several = sum(found["inline"] is not None for found in heads) > 1
        for found, end in zip(heads, ends, strict=True):
            segment = line.text[found.end() : end]
            stated = value.fullmatch(_added_up(segment))
            if end == len(line.text) and _BLANK.fullmatch(segment) and line.below:
                stated = _alone(value, line.below)
            if stated is None and found["separator"].lower() == "is":
                continue
            inline = found["inline"] is not None
            final = bool(found["final"] or found["again"] or found.groupdict().get("total"))
            # The sentence of a verdict that goes on behind it may be about anything.
            goes_on = stated is not None and bool(stated["remark"]) and stated["remark"].lstrip()[0] not in _STOPS
            verdict = Stated(
                value=None if stated is None else convert(stated),
                final=final,
                doubtful=line.doubtful or (inline and not found["so"] and goes_on),
                part=part_of(line.text, line.before, inline=inline, several=several, amid=line.amid, final=final),
                line=line.number,
            )
            verdicts.append(verdict)
    return settle(without_parts(verdicts))


def _alone(value: re.Pattern[str], below: Sequence[str]) -> re.Match[str] | None:
    """What the next line states, if it holds a value and nothing else, and the line after it does not."""
    first, *others = (value.fullmatch(_added_up(text)) for text in below)
    return None if first is None or first["remark"] or any(others) else first


def _added_up(segment: str) -> str:
    """`segment` with each sum that is right, such as 1 + 1 + 1 = 3, as what it comes to."""

    def total(found: re.Match[str]) -> str:
        terms = map(int, found[0].partition("=")[0].split("+"))
        return found[1] if found[1] and sum(terms) == int(found[1]) else found[0]

    return _SUM.sub(total, segment)


def _letter(found: re.Match[str]) -> str | None:
    letter = "C" if found["stated"].lower() in ("tie", "draw") else found["stated"]
    return letter if letter == "C" or not found["tie"] else None


def _number(scale: Scale, found: re.Match[str]) -> Decimal | None:
    """The number of a verdict; None where brackets or a remark behind it name one that it does not add up to."""
    number, remark = number_of(found["stated"]), found["remark"] or ""
    if found["check"] and not _agrees(found["check"], number):
        return None
    if remark.lstrip()[:1] in _STOPS:
        return number
    sentence = re.split(r"[.!?]\s", remark, maxsplit=1)[0]
    said = re.sub(denominator_of(scale.highest), " ", sentence, flags=re.IGNORECASE)
    return None if (_HEDGE.search(said) and _NUMBER.search(said)) or not _agrees(said, number) else number


def _agrees(said: str, number: Decimal) -> bool:
    named = [Decimal("0.5") if one.lower() == "half" else number_of(one) for one in _NUMBER.findall(said)]
    return all(one == number for one in named) or (len(named) > 1 and sum(named) == number)


@cache
def _head_of(label: str, scale: Scale | None = None) -> re.Pattern[str]:
    """A verdict up to what it states; the label may be said twice, as in "**Score:** Final score:"."""
    ends, total = r"A.{1,9}C", ""
    if scale is not None:
        lowest, highest = scale.lowest, scale.highest
        ends = rf"{lowest}\s*(?:-|–|to)\s*{highest}|out\sof\s{highest}|/\s?{highest}"  # noqa: RUF001
        total = rf"|(?P<total>{_TOTAL})"
    named = re.escape(label).replace(chr(92) + " ", "[ ]")
    separator = r"(?:[:=]|(?<=\s)is\s*[:=]|(?<=\s)is(?=\s))"
    decorated = rf"{_OPENING}(?:\((?:{ends})\))?{_OPENING}"
    return re.compile(
        rf"""
        (?:^{_OPENING}(?:[-+•]\s+|\d{{1,2}}[.)]\s+)?|(?P<inline>{_AFTER_A_SENTENCE})){_OPENING}
        (?P<so>(?:so|thus|hence|therefore|consequently|overall|in\s+(?:conclusion|summary|total)),?\s+)?
        (?:(?:the|my)\s+)?
        (?:(?P<final>{_FINAL}){named}{total}){decorated}
        (?P<separator>{separator})
        (?:{_OPENING}(?:(?:the|my)\s+)?(?P<again>{_FINAL}){named}{decorated}{separator})?
        """,
        re.VERBOSE | re.IGNORECASE,
    )


@cache
def _number_on(scale: Scale) -> re.Pattern[str]:
    """A plain number with its decoration, and with nothing behind it that makes it another number."""
    sum_ = r"\d{1,3}(?:\s*\+\s*\d{1,3})+"
    return re.compile(
        rf"""
        {_OPENING}[\[({{<"'`“]{{0,2}}{_OPENING}
        (?P<stated>-?(?:0|[1-9]\d{{0,3}})(?:\.\d{{1,4}})?|{ANY_NUMBER_WORD})(?![\w-])
        {_CLOSING}{_UNIT}{_CLOSING}(?:\(?{denominator_of(scale.highest)})?{_CLOSING}{_UNIT}{_CLOSING}
        (?P<check>(?:\(\s*(?:{sum_}|\d{{1,3}}|{ANY_NUMBER_WORD})\s*{_UNIT}\s*\)|=\s*{sum_}){_CLOSING})?
        (?:[.!。]?{_CLOSING}|(?P<remark>{_remark("[^()]*")}))
        """,
        re.VERBOSE | re.IGNORECASE | re.DOTALL,
    )


def explained_pattern(label: str, verdicts: Sequence[str], max_new_tokens: int) -> str:
    """A pattern for a line of reasons, which may be missing, and a last line `<label>: <verdict>`.

    The reasons have two characters at most for each of the `max_new_tokens` that the verdict line leaves, and where a
    character is a token can still be cut. No verdict line fits into them; a sentence like "The score is 3." does.
    """
    verdict = f"{label}: (?:{'|'.join(verdicts)})"
    # A token is a byte or more; two line breaks and the end of the turn are tokens too.
    left = max_new_tokens - len(f"{label}: {max(verdicts, key=len)}".encode()) - 3
    return rf"(?:{_REASON}{{1,{_CHARACTERS_A_TOKEN * left}}}\n\n?)?{verdict}" if left > 0 else verdict
