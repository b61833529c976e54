"""Texts that ask the same thing: equal ones, and near ones that differ in framing, order, inflection or slips.

Near texts are looked for twice. MinHash over letters finds pairs that look alike, templates among them ("the capital of
France", "the capital of Spain"). The second look compares content words: a template has one in place of another, a
paraphrase has them all and may add some, as long as they weigh little; rare words weigh most. English only.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from pydantic import Field

from selfreward.spec import Spec

# 42 bands of 3 hashes: a pair whose shingles have Jaccard 0.4 is found with probability 0.94, at 0.5 with 0.996.
_BANDS, _BAND_HASHES = 42, 3
_SHINGLE = 3

_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "−": "-", "×": "*", "÷": "/"})  # noqa: RUF001
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*|(?<![^\W\d])[-/](?=\s*[\d(])|[+*=<>^%]")
_SIGN = re.compile(r"(?<![^\W\d])[-/*](?=\s*[\d(])|(?<=\d)%")
_NOT_LATIN = re.compile(r"[^\W\d_\u0000-\u024f\u1e00-\u1eff]")
_NUMERIC = re.compile(r"[\d+*=<>^%/-]")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
_CONTRACTED = re.compile(r"(?<=[a-z])'(?:s|re|ve|ll|d|m)\b|(?<=s)'(?=\s|$)")
_NEGATED = re.compile(r"\bcan't\b|\bwon't\b|(?<=[a-z])n't\b")

_ASK = r"(?:tell|give|show|name|explain|describe|state|answer|say|let|help|remind|inform)(?: (?:me|us|know|out))*"
_POLITE = (
    r"(?:please|kindly|thanks|thank you|cheers|hi|hello|hey|dear|excuse me|sorry|ok|okay|well|so|um|just|quick question"
    r"|(?:can|could|would|will|might|may) (?:you|i|someone|somebody|anyone|anybody)(?: (?:please|kindly|possibly|ask))*"
    r"|(?:i'm|i am|i was|just) (?:curious|wondering)(?: (?:about|if|whether))?|i wonder"
    r"|(?:i'd|i would|i) (?:really )?(?:like|love|want|need|wish) to (?:know|learn|understand|find out|hear)"
    r"|(?:do|does) (?:you|anyone|anybody|someone) (?:happen to )?know|i don't know|any idea|a question"
    rf"|{_ASK})"
)
_OPENING = re.compile(rf"^[\s,;:.!?-]*(?:{_POLITE}\b[\s,;:.!?-]*)+")
_CLOSING = re.compile(
    r"[\s,;:.!?-]*(?:\b(?:please|thanks(?: in advance| a lot| so much)?|thank you(?: very much| so much)?|cheers"
    r"|do you know|can you tell me|if you know|for me)[\s,;:.!?-]*)+$"
)

_TAIL = 120


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FRAME = _words(
    "a an the of in on at to for from by with into as about is are was were be been being am do does did has have had"
    " can could will would shall should may might must i me my you your we us our it its this that these those there"
    " and so then which what whatever it's exactly actually usually really normally generally"
    " precisely please tell describe explain"
)
_MENTIONS = _words("of to for word letter verb noun")
_RESPELT = {"whom": "who", "minus": "-", "plus": "+", "percent": "%", "cannot": "not", "never": "not", "no": "not"}
_RESPELT |= {"whats": "what", "wheres": "where", "whos": "who", "hows": "how", "whens": "when", "dont": "not"}
_RESPELT |= {"doesnt": "not", "isnt": "not", "arent": "not", "didnt": "not", "cant": "not", "wont": "not"}
_COUNTS = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_RESPELT |= {word: str(number) for number, word in enumerate(f"{_COUNTS} eighteen nineteen twenty".split(), 2)}
_RESPELT |= {word: str(number) for number, word in enumerate(_ORDINALS.split(), 1)}
# A question about one of these is no question about another; they are compared as they stand.
_HARD = _words("where when why who whose how not before after")


@dataclass(frozen=True, slots=True)
class Wording:
    """A text as it is compared: stems of its content words, and what must be the same in any paraphrase.

    `spelt` are the stems with the words they were taken from, for slips; it makes no other wording.
    `numbers` are its numbers and arithmetic signs in order; `hard` are the words that turn a question into another.
    """

    content: frozenset[str]
    hard: frozenset[str]
    numbers: tuple[str, ...]
    spelt: frozenset[tuple[str, str]] = field(default=frozenset(), compare=False)


def normal_form(text: str) -> str:
    """`text` without case, spacing and punctuation, in any language; signs of arithmetic stay."""
    plain = unicodedata.normalize("NFKC", text.translate(_QUOTES)).casefold().replace("'", "")
    signs = {found.start() for found in _SIGN.finditer(plain)}
    kept = (mark if at in signs or unicodedata.category(mark)[0] not in "PZC" else " " for at, mark in enumerate(plain))
    return " ".join("".join(kept).split())


def wording_of(text: str) -> Wording:
    """The wording of `text`; it has no content in a script whose words are not known here."""
    if _NOT_LATIN.search(unicodedata.normalize("NFKC", text)):
        return Wording(content=frozenset(), hard=frozenset(), numbers=())
    plain = _OPENING.sub("", _plain(text))
    # Only the end is searched: on a long hostile text the pattern would take quadratic time.
    plain = plain[:-_TAIL] + _CLOSING.sub("", plain[-_TAIL:])
    plain = _CONTRACTED.sub("", _NEGATED.sub(" not", _ORDINAL.sub("", plain)))
    mentioned = set(re.findall(r"[\"']([^\W\d_]+)[\"']", plain))
    tokens = [_RESPELT.get(token, token) for token in _TOKEN.findall(plain)]
    numbers = tuple(token for token in tokens if _NUMERIC.match(token))
    words = [token for token in tokens if not _NUMERIC.match(token)]
    # The text speaks about its last word ("the past tense of do"), not with it ("made of").
    mentioned |= {words[-1]} if len(words) > 1 and words[-2] in _MENTIONS else set()
    stay = [word for word in words if word not in _HARD and (word not in _FRAME or word in mentioned)]
    spelt = frozenset((_stem(word), word) for word in stay)
    return Wording(
        content=frozenset(stem for stem, _ in spelt),
        hard=frozenset(word for word in words if word in _HARD),
        numbers=numbers,
        spelt=spelt,
    )


def slipped(left: str, right: str) -> bool:
    """Whether the words differ by one letter lost, added or doubled, or by two neighbours swapped, past the first.

    A letter in place of another is no slip: it makes Ireland of Iceland.
    """
    if min(len(left), len(right)) < 4 or left[0] != right[0] or abs(len(left) - len(right)) > 1:
        return False
    short, long = sorted((left, right), key=len)
    start = next((at for at, letter in enumerate(short) if letter != long[at]), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = long[:start] + long[start : start + 2][::-1] + long[start + 2 :]
    return short == swapped and left != right


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.translate(_QUOTES).casefold())
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark)).strip()


@cache
def _stem(word: str) -> str:
    import snowballstemmer

    stem: str = snowballstemmer.stemmer("english").stemWord(word.replace("'", ""))
    return stem


class OverlapSpec(Spec):
    """What training rows may share with rows that are measured on; equal texts are always dropped.

    `near` is the least share of the weight of all content words that two texts have in common to ask the same thing;
    null drops equal texts alone.
    """

    near: float | None = Field(0.8, gt=0, le=1)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Text `row` asks what protected text `other` asks; `similarity` is the share of weight in common, in (0, 1]."""

    row: int
    other: int
    kind: Literal["exact", "near"]
    similarity: float


def find_overlaps(texts: Sequence[str], protected: Sequence[str], near: float | None) -> list[Overlap]:
    """The closest overlap of each of `texts` that has one with `protected`, in order."""
    equal = {normal_form(text): index for index, text in reversed([*enumerate(protected)])}
    others = [equal.get(normal_form(text)) for text in texts]
    found = [Overlap(row, other, "exact", 1.0) for row, other in enumerate(others) if other is not None]
    rest = {row: texts[row] for row, other in enumerate(others) if other is None}
    if near is not None and rest and protected:
        found += _near_overlaps(rest, protected, near)
    return sorted(found, key=lambda one: one.row)


def _near_overlaps(texts: Mapping[int, str], protected: Sequence[str], near: float) -> Iterator[Overlap]:
    ours, theirs = {row: wording_of(text) for row, text in texts.items()}, [wording_of(text) for text in protected]
    rarity = Rarity([*ours.values(), *theirs])
    index = near_index()
    for other, wording in enumerate(theirs):
        if wording.content:
            index.insert(other, minhash(wording))
    for row, wording in ours.items():
        alike = sorted(index.query(minhash(wording))) if wording.content else []
        similarity = {other: rarity.similarity(wording, theirs[other]) for other in alike}
        closest = max(similarity, key=similarity.__getitem__, default=None)
        if closest is not None and similarity[closest] >= near:
            yield Overlap(row, closest, "near", round(similarity[closest], 4))


def near_index() -> Any:
    """An empty index that finds, by their sketches (`minhash`), the texts that look alike."""
    from datasketch import MinHashLSH

    return MinHashLSH(num_perm=_BANDS * _BAND_HASHES, params=(_BANDS, _BAND_HASHES))


class Rarity:
    """How much the words of a set of texts weigh: log(1 + N / n) for a word in n of N texts."""

    def __init__(self, wordings: Sequence[Wording] = ()) -> None:
        """Counts every word once a text; equal wordings are one text."""
        self._distinct = set(wordings)
        self._found = Counter(word for one in self._distinct for word in one.content)

    def add(self, wording: Wording) -> bool:
        """Counts one more text; whether it is another than all before."""
        if wording in self._distinct:
            return False
        self._distinct.add(wording)
        self._found.update(wording.content)
        return True

    def remove(self, wording: Wording) -> None:
        """Counts a text no longer."""
        self._distinct.remove(wording)
        self._found.subtract(wording.content)

    def similarity(self, left: Wording, right: Wording) -> float:
        """The weight of the content words in common over that of all, in [0, 1].

        It is 0 for texts that ask different things: other numbers or signs, another question word, a `not`, or one
        content word in place of another, as in a template.
        """
        if left.numbers != right.numbers or left.hard != right.hard:
            return 0.0
        shared = left.content & right.content
        only_left, only_right = left.content - shared, right.content - shared
        slips = [
            (ours, theirs)
            for ours, our_word in left.spelt
            for theirs, their_word in right.spelt
            if ours in only_left and theirs in only_right and self._slip(ours, our_word, theirs, their_word)
        ]
        only_left -= {ours for ours, _ in slips}
        only_right -= {theirs for _, theirs in slips}
        if only_left and only_right:
            return 0.0
        common = math.fsum(map(self._weight, [*shared, *{theirs for _, theirs in slips}]))
        apart = math.fsum(map(self._weight, only_left | only_right))
        return common / (common + apart) if common else 0.0

    def _slip(self, left: str, left_word: str, right: str, right_word: str) -> bool:
        """Whether one word is the other misspelt: a slip stands in one text alone."""
        alone = min(self._found[left], self._found[right]) == 1
        return alone and (slipped(left_word, right_word) or slipped(left, right))

    def _weight(self, word: str) -> float:
        return math.log1p(len(self._distinct) / self._found[word])


def minhash(wording: Wording) -> Any:
    """The sketch of the letter 3-grams of the content words, each word padded, so that order plays no part."""
    from datasketch import MinHash

    sketch = MinHash(num_perm=_BANDS * _BAND_HASHES)
    padded = [f" {word} " for word in wording.content]
    shingles = {word[at : at + _SHINGLE].encode() for word in padded for at in range(len(word) - _SHINGLE + 1)}
    sketch.update_batch(sorted(shingles))
    return sketch
