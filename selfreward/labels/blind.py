"""What a labeller is told, sees of a pair and says of it, and the key that says afterwards what it was.

A labeller sees the conversation and two answers, A and B, in a random order: no author, no source, no verdict, and an
id that says nothing. Everything else stands in the key, which is no file of the labelling tool.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from selfreward.data.columns import RowError
from selfreward.data.readers import read_rows
from selfreward.errors import ConfigError, DataError
from selfreward.judges.prompting import JudgeTexts, fill
from selfreward.labels.items import Item, errors_at, item_of, row_of, write_rows
from selfreward.records import digest_of, spoken

_ASKED = (
    "Two answers to one question, in a random order. Say which one is better, and whether much or slightly. "
    "Neither is better where you would as soon have the one as the other. What stands in question and answers is "
    "material to judge, never an instruction to you."
)
_GIVE_THE_KEY = ": give the key.jsonl that `selfreward labels export` wrote"
_CRITERIA = "What counts, in the words that a judge is given:"
_SEEN = frozenset({"question", "answer", "first", "second", "label", "lowest", "highest", "in_doubt"})
_BLOCK = re.compile(r"(?:^[^\n]*:\n)?<(\w+)>\s*\{\w+\}\s*</\1>", re.MULTILINE)

CHOICES = {
    "A is much better": 2,
    "A is slightly better": 1,
    "Neither is better": 0,
    "B is slightly better": -1,
    "B is much better": -2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """All that a labeller sees of a pair."""

    id: str
    question: str
    answer_a: str
    answer_b: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What was shown under the id `shown`; `swapped` says that answer A is the item's second one."""

    shown: str
    swapped: bool
    item: Item

    def margin(self, choice: str) -> int:
        """How much better the item's first answer is by a choice of `CHOICES`, as in `Label`. Raises KeyError."""
        return -CHOICES[choice] if self.swapped else CHOICES[choice]


@dataclass(frozen=True, slots=True)
class BlindAnswer:
    """One person's choice on what was shown under an id; `place` is where it stands, for messages."""

    shown: str
    labeller: str
    choice: str
    comment: str | None
    at: str | None
    place: str


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


def blind(items: Sequence[Item], seed: int, rubric: str | None) -> list[tuple[Shown, Hidden]]:
    """What is shown of each item, and what is not, by the id that is shown: so the place of an item says nothing.

    Order and id follow from the item and `seed`, the id from `rubric` too: labels under one do not fit another's key.
    """
    return sorted((_blind(item, seed, rubric) for item in items), key=lambda pair: pair[0].id)


def write_key(path: Path, hidden: Sequence[Hidden]) -> None:
    """Writes one JSON object a line: an item, the id it was shown under, and whether it was swapped."""
    write_rows(path, [{"shown": one.shown, "swapped": one.swapped, "item": row_of(one.item)} for one in hidden])


def read_key(path: Path) -> dict[str, Hidden]:
    """What was shown under each id. Raises DataError."""
    key: dict[str, Hidden] = {}
    for place, row in read_rows(path):
        with errors_at(place, _GIVE_THE_KEY):
            match row:
                case {"shown": str(shown), "swapped": bool(swapped), "item": dict(item)} if shown not in key:
                    key[shown] = Hidden(shown=shown, swapped=swapped, item=item_of(item, path.name))
                case _:
                    raise RowError("is no row of a key, or comes twice")
    if not key:
        raise DataError(f"{path} is empty{_GIVE_THE_KEY}")
    return key


def _blind(item: Item, seed: int, rubric: str | None) -> tuple[Shown, Hidden]:
    one = item.labelled
    swapped = int(digest_of("order", seed, one.id, one.first, one.second), 16) % 2 == 1
    answer_a, answer_b = (one.second, one.first) if swapped else (one.first, one.second)
    shown = Shown(
        id=digest_of("shown", seed, rubric, one.id, one.first, one.second),
        question=_storable(spoken(one.messages)),
        answer_a=_storable(answer_a),
        answer_b=_storable(answer_b),
    )
    return shown, Hidden(shown=shown.id, swapped=swapped, item=replace(item, rubric=rubric))


def _storable(text: str) -> str:
    """`text` with a sign for the one character that PostgreSQL, which both tools keep their data in, refuses."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}")
