"""Texts that are known already, to be asked of each new one whether it asks what one of them asks."""

from dataclasses import dataclass
from typing import Literal

from selfreward.data.overlap import Rarity, Wording, minhash, near_index, normal_form, wording_of


@dataclass(frozen=True, slots=True)
class Alike:
    """Which known text, by its number, asks the same; `similarity` as in `overlap.Overlap`."""

    other: int
    kind: Literal["exact", "near"]
    similarity: float


class KnownTexts:
    """What `overlap.find_overlaps` compares with, for texts that come one by one and are known from then on."""

    def __init__(self, near: float | None) -> None:
        """Knows nothing yet. `near` is that of `OverlapSpec`; with None only equal texts are alike."""
        self._near = near
        self._equal: dict[str, int] = {}
        self._wordings: list[Wording] = []
        self._index = None if near is None else near_index()
        self._rarity = Rarity()
        self._number = 0

    def add(self, text: str) -> None:
        """Knows one more text, by the next number from 0 on."""
        self._equal.setdefault(normal_form(text), self._number)
        if self._index is not None:
            wording = wording_of(text)
            self._wordings.append(wording)
            self._rarity.add(wording)
            if wording.content:
                self._index.insert(self._number, minhash(wording))
        self._number += 1

    def find(self, text: str) -> Alike | None:
        """The known text that asks most nearly what `text` asks; None where none asks the same."""
        if (equal := self._equal.get(normal_form(text))) is not None:
            return Alike(equal, "exact", 1.0)
        wording = wording_of(text) if self._index is not None else None
        if self._index is None or self._near is None or wording is None or not wording.content:
            return None
        # Its own words count while it is compared, as they do where two tables are.
        new = self._rarity.add(wording)
        found = {
            other: self._rarity.similarity(wording, self._wordings[other])
            for other in sorted(self._index.query(minhash(wording)))
        }
        if new:
            self._rarity.remove(wording)
        closest = max(found, key=found.__getitem__, default=None)
        if closest is None or found[closest] < self._near:
            return None
        return Alike(closest, "near", round(found[closest], 4))
