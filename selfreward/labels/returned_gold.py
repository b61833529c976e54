"""What people said, put back on the pairs that were shown: rows for gold and for human pairs, and what has gone stale.

A row of labels is a pair with one label a person, and `answers` with `ratings` as docs/data.md describes them: the
better answer is rated by how much better it is in the mean over people, the other one 0. Where no verdict has most
votes, or the margin points elsewhere, both are rated 0, and no pair is read from the row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from selfreward.data.readers import read_rows
from selfreward.errors import DataError
from selfreward.labels import argilla, label_studio
from selfreward.labels.blind import CHOICES, BlindAnswer, Hidden
from selfreward.labels.items import Item, Label, errors_at, read_items, row_of, write_rows
from selfreward.records import majority


def read_returned(path: Path) -> tuple[list[BlindAnswer], int]:
    """What a labelling tool gave back, and how often no choice; `path` is its file, or a folder of those. DataError."""
    found: list[BlindAnswer | None] = []
    if path.is_dir():  # of Argilla, or one of JSON files
        path = path / argilla.RECORDS if (path / argilla.RECORDS).exists() else path / "*.json"
    for place, row in read_rows(path):
        with errors_at(place):
            if "annotations" in row:
                found += label_studio.read(row, place)
            elif argilla.is_record(row):
                found += argilla.read(row, place)
            else:
                raise DataError(
                    f"{place} is no annotated task of Label Studio (its JSON export) and no record of Argilla: see "
                    "docs/labels.md for what to export"
                )
    return [one for one in found if one is not None], found.count(None)


def newest(answers: Iterable[BlindAnswer]) -> tuple[list[BlindAnswer], int]:
    """What each person said last of each pair, and how many answers it replaces. DataError where no time tells."""
    last: dict[tuple[str, str], BlindAnswer] = {}
    replaced = 0
    for one in answers:
        place = one.shown, one.labeller
        replaced += place in last
        last[place] = _later(last[place], one) if place in last else one
    return list(last.values()), replaced


def labelled_items(answers: Iterable[BlindAnswer], key: Mapping[str, Hidden]) -> list[Item]:
    """The items of the key that were labelled, in its order, with their labels by labeller.

    Each person may have one answer on an item. Raises DataError for an id that is not in the key, or an unknown choice.
    """
    labels: dict[str, dict[str, Label]] = {shown: {} for shown in key}
    for one in answers:
        if one.shown not in key:
            raise DataError(f"{one.place} has the id {one.shown[:40]!r}, which is not in the key: give its own --key")
        if one.choice not in CHOICES:
            raise DataError(f"{one.place} has the choice {one.choice[:40]!r}, which is none of {', '.join(CHOICES)}")
        assert one.labeller not in labels[one.shown], "the newest alone"
        labels[one.shown][one.labeller] = Label(
            labeller=one.labeller, margin=key[one.shown].margin(one.choice), comment=one.comment, at=one.at
        )
    return [
        labelled_by(key[shown].item, [said[name] for name in sorted(said)]) for shown, said in labels.items() if said
    ]


def labelled_by(item: Item, labels: Sequence[Label]) -> Item:
    """`item` with `labels` in place of what was said of it before; one verdict a person, in their order."""
    verdicts = tuple(label.verdict for label in labels)
    return replace(item, labels=tuple(labels), labelled=replace(item.labelled, verdicts=verdicts))


def write_labels(path: Path, items: Sequence[Item]) -> None:
    """Writes labelled items as rows that `gold_gate`, `gold_final` and `human_pairs` read; `read_items` reads all."""
    rows = []
    for item in items:
        row = row_of(item)
        answers = [row.pop("first"), row.pop("second")]
        rows.append({**row, "answers": answers, "ratings": list(ratings(item.labels))})
    write_rows(path, rows)


def read_labels(path: Path) -> list[Item]:
    """The labelled items of a file that `write_labels` wrote. Raises DataError."""
    items, _ = read_items(path)
    if not all(item.labels for item in items):
        raise DataError(f"{path} holds pairs without labels: give what `selfreward labels import` wrote")
    return items


def ratings(labels: Sequence[Label]) -> tuple[float, float]:
    """How good the first and the second answer are by these people: see above."""
    mean = sum(label.margin for label in labels) / len(labels)
    match majority([label.verdict for label in labels]):
        case "first" if mean > 0:
            return mean, 0.0
        case "second" if mean < 0:
            return 0.0, -mean
        case _:
            return 0.0, 0.0


def stale(items: Sequence[Item], rubric: str) -> list[Item]:
    """The items that were labelled under another version, or other words, of the rubric that `rubric` names."""
    # A rubric is named id@version:digest.
    id_ = rubric.partition("@")[0]
    return [one for one in items if one.rubric not in (None, rubric) and str(one.rubric).partition("@")[0] == id_]


def _later(one: BlindAnswer, other: BlindAnswer) -> BlindAnswer:
    """The later of two answers of one person on one item."""
    before, after = _time(one), _time(other)
    same = (one.choice, one.comment) == (other.choice, other.comment)
    if before is None or after is None or (before == after and not same):
        raise DataError(
            f"{other.place} is a second label of {other.labeller[:40]!r} on item {other.shown}, and no time tells "
            "which is the last: delete one of the two"
        )
    return other if after > before else one


def _time(answer: BlindAnswer) -> datetime | None:
    """When an answer was given, in UTC where it does not say; None where it does not tell."""
    try:
        found = datetime.fromisoformat(answer.at or "")
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
