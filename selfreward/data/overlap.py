"""Texts that ask the same thing: equal ones, and near ones that differ in framing, order, inflection or slips.

Near texts are looked for twice. MinHash over letters finds pairs that look alike, templates among them ("the capital of
France", "the capital of Spain"). The second look compares content words: a template has one in place of another, a
paraphrase has them all and may add some, as long as they weigh little; rare words weigh most.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from selfreward.data.wording import Wording, normal_form, slipped, wording_of
from selfreward.spec import Spec

# 42 bands of 3 hashes: a pair whose shingles have Jaccard 0.4 is found with probability 0.94, at 0.5 with 0.996.
_BANDS, _BAND_HASHES = 42, 3
_SHINGLE = 3


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
    rarity = _Rarity([*ours.values(), *theirs])
    index = _index(theirs)
    for row, wording in ours.items():
        alike = sorted(index.query(_minhash(wording))) if wording.content else []
        similarity = {other: rarity.similarity(wording, theirs[other]) for other in alike}
        closest = max(similarity, key=similarity.__getitem__, default=None)
        if closest is not None and similarity[closest] >= near:
            yield Overlap(row, closest, "near", round(similarity[closest], 4))


class _Rarity:
    """How much the words of a set of texts weigh: log(1 + N / n) for a word in n of N texts."""

    def __init__(self, wordings: Sequence[Wording]) -> None:
        """Counts every word once a text; equal wordings are one text."""
        distinct = set(wordings)
        self._texts = len(distinct)
        self._found: Mapping[str, int] = Counter(word for one in distinct for word in one.content)

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
        return math.log1p(self._texts / self._found[word])


def _index(wordings: Sequence[Wording]) -> Any:
    from datasketch import MinHashLSH

    index = MinHashLSH(num_perm=_BANDS * _BAND_HASHES, params=(_BANDS, _BAND_HASHES))
    for number, wording in enumerate(wordings):
        if wording.content:
            index.insert(number, _minhash(wording))
    return index


def _minhash(wording: Wording) -> Any:
    """The sketch of the letter 3-grams of the content words, each word padded, so that order plays no part."""
    from datasketch import MinHash

    sketch = MinHash(num_perm=_BANDS * _BAND_HASHES)
    padded = [f" {word} " for word in wording.content]
    shingles = {word[at : at + _SHINGLE].encode() for word in padded for at in range(len(word) - _SHINGLE + 1)}
    sketch.update_batch(sorted(shingles))
    return sketch
