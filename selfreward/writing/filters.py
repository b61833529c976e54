"""The filters of new prompts but the last: form, language, length, near duplicates, overlap with what is measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from selfreward.data.known_texts import KnownTexts
from selfreward.writing.drafts import Draft
from selfreward.writing.language import is_english
from selfreward.writing.rows import FILTERS, Filter
from selfreward.writing.settings import WriterBase


@dataclass(frozen=True, slots=True)
class Text:
    """A prompt that is there already: its id, what it asks, and the role of the data that it belongs to."""

    id: str
    asks: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """The filter that a draft did not pass, and what that found: see `WrittenPrompt`."""

    by: Filter
    why: str | None = None
    other_id: str | None = None
    similarity: float | None = None


class Filters:
    """The filters in order, and the prompts that a new one may not repeat."""

    def __init__(self, spec: WriterBase, known: Iterable[Text], measured: Iterable[Text]) -> None:
        """`known` are training prompts and the new ones of earlier rounds, `measured` those that are measured on."""
        self._spec = spec
        self._known, self._measured = _Asked(spec.overlap.near, known), _Asked(spec.overlap.near, measured)

    def left_out(self, draft: Draft) -> LeftOut | None:
        """The first filter that a draft does not pass; None where it passes all of these."""
        if draft.fault is not None:
            return LeftOut(by="form", why=draft.fault)
        if self._spec.language == "english" and not is_english(draft.text):
            return LeftOut(by="language")
        words = len(draft.text.split())
        if words < self._spec.min_words:
            return LeftOut(by="length", why=f"{words} words")
        if len(draft.text) > self._spec.max_characters:
            return LeftOut(by="length", why=f"{len(draft.text)} characters")
        return self._known.same(draft.text, "near_duplicate") or self._measured.same(draft.text, "overlap")

    def know(self, *texts: Text) -> None:
        """From now on, what asks the same is a near duplicate."""
        self._known.add(*texts)


class _Asked:
    """Prompts that are there already."""

    def __init__(self, near: float | None, texts: Iterable[Text]) -> None:
        self._index = KnownTexts(near)
        self._texts: dict[str, Text] = {}
        self._ids: list[str] = []
        self.add(*texts)

    def add(self, *texts: Text) -> None:
        for one in texts:
            if one.id not in self._texts:
                self._index.add(one.asks)
                self._texts[one.id] = one
                self._ids.append(one.id)

    def same(self, text: str, by: Filter) -> LeftOut | None:
        found = self._index.find(text)
        if found is None:
            return None
        other = self._texts[self._ids[found.other]]
        return LeftOut(by=by, why=other.role, other_id=other.id, similarity=found.similarity)


def asked_filters(spec: WriterBase) -> Sequence[Filter]:
    """The filters that these settings ask for, in order."""
    off = {"language": spec.language == "any", "answerable": not spec.answerable}
    return [one for one in FILTERS if not off.get(one)]
