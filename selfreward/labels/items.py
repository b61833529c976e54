"""Pairs of answers that people may be asked about, with what was said of them before, and the file they stand in."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from selfreward.artifacts.atomic_files import canonical, write_atomically
from selfreward.data.columns import Cells, Columns, RowError, columns_held, find
from selfreward.data.formats import read_row
from selfreward.data.gathered import gathered
from selfreward.data.messages import clean
from selfreward.data.question import asked_turns, says_something
from selfreward.data.readers import read_rows
from selfreward.data.roles import LeftOut
from selfreward.data.winners import settled, winner_columns
from selfreward.errors import DataError
from selfreward.judge_quality.verdicts import Labelled, Verdicts, labelled
from selfreward.records import GoldPair, Outcome, Verdict
from selfreward.spec import Json
from selfreward.thought import answer_of

# Text that can be written again: JSON can spell what no file can hold.
Text = Annotated[str, AfterValidator(lambda text: clean(text, "text"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What one person said of a pair.

    `margin` says how much better the first answer is: 2 much, 1 slightly, 0 not, below 0 where the second is better.
    `at` is the time as the labelling tool wrote it, None where it wrote none.
    """

    labeller: Text
    margin: Annotated[int, Field(ge=-2, le=2)]
    comment: Text | None = None
    at: Text | None = None

    @property
    def verdict(self) -> Verdict:
        """Which answer is better."""
        return "tie" if self.margin == 0 else "first" if self.margin > 0 else "second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Two answers to one conversation, and what is known of them.

    `judge` is what a judge said, None where none was asked; `disagreement` how far the members of a jury were apart,
    from 0 to 1. `labels` came back from a labelling tool, `rubric` (`id@version:digest`) is what the labellers were
    told to go by, None where they were told none. `kind` names the kind of prompt.
    """

    labelled: Labelled
    judge: Verdicts | None = None
    disagreement: float | None = None
    kind: str | None = None
    labels: tuple[Label, ...] = ()
    rubric: str | None = None

    @property
    def id(self) -> str:
        """The id of the pair."""
        return self.labelled.id


class _JudgeRow(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    preference: float | None = None
    flipped: bool | None = None
    first_score: float | None = None
    second_score: float | None = None
    first_shown: float | None = None
    outcome: Outcome
    disagreement: float | None = None


class _ItemRow(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    id: Text = Field(min_length=1)
    first: Text
    second: Text
    verdicts: tuple[Verdict, ...] = ()
    source: Text
    first_author: Text | None = None
    second_author: Text | None = None
    first_rating: float | None = None
    second_rating: float | None = None
    kind: Text | None = None
    judge: _JudgeRow | None = None
    labels: tuple[Label, ...] = ()
    rubric: Text | None = None


def read_items(path: Path) -> tuple[list[Item], Counter[str]]:
    """The pairs of a file, in order, and how many were left out by reason.

    The file holds items as `write_items` leaves them, labels as `write_labels` does, or any pairs of answers that
    docs/data.md describes, labelled or not. A pair that comes again is left out. Raises DataError.
    """
    items: dict[str, Item] = {}
    left_out: Counter[str] = Counter()
    rows = list(gathered(read_rows(path), Columns()))
    every = [row for _, row in rows]
    columns = settled("gold_gate", Columns(), every, lambda: every)
    for place, row in rows:
        with errors_at(place):
            for one in _items(row, path.name, columns):
                if isinstance(one, LeftOut):
                    left_out[one.reason] += 1
                elif one.id not in items:
                    items[one.id] = one
                elif one == items[one.id]:
                    left_out["repeated"] += 1
                else:
                    raise RowError(f"has the id {one.id[:40]!r} of another row: give each row an id of its own")
    if not items:
        raise DataError(f"{path} holds no pair of answers: give a file of pairs, see docs/labels.md")
    return list(items.values()), left_out


def read_judge(path: Path) -> dict[str, tuple[Verdicts, float | None]]:
    """What a judge said of each id, and how far a jury was apart; rows as `judge` of an item, with its `id`.

    A file of items will do: what their own `judge` says is taken. Raises DataError.
    """
    said: dict[str, tuple[Verdicts, float | None]] = {}
    for place, row in read_rows(path):
        with errors_at(place):
            id_ = _text(row, "id")
            if id_ in said:
                raise RowError(f"has the id {id_[:40]!r} of another row: keep one verdict of each item")
            said[id_] = _said(id_, _JudgeRow.model_validate(row.get("judge") or row))
    return said


def write_items(path: Path, items: Sequence[Item]) -> None:
    """Writes `items`, one JSON object a line."""
    write_rows(path, [row_of(item) for item in items])


def write_rows(path: Path, rows: Sequence[Mapping[str, Json]]) -> None:
    """Writes `rows` as JSON lines, whole or not at all."""
    write_atomically(path, b"".join(canonical(dict(row)) + b"\n" for row in rows))


def row_of(item: Item) -> dict[str, Any]:
    """`item` as a JSON object; what is not known is left out."""
    row = asdict(item.labelled) | {"kind": item.kind, "labels": list(map(asdict, item.labels)), "rubric": item.rubric}
    if item.judge is not None:
        row["judge"] = asdict(item.judge) | {"disagreement": item.disagreement}
        del row["judge"]["id"]
    return {name: value for name, value in row.items() if value is not None and (name != "labels" or value)}


def item_of(row: Cells, source: str) -> Item:
    """The item of a row as `row_of` makes them, or `write_labels`, without thoughts. Raises ValueError."""
    match row:
        case {"answers": [str(first), str(second)]}:
            pass
        case {"answers": _}:
            raise RowError("has labels and not two texts in column 'answers'")
        case _:
            first, second = _text(row, "first"), _text(row, "second")
    one = _ItemRow.model_validate({"source": source, **row, "first": first, "second": second})
    turns = asked_turns(row, Columns())[0]
    if not says_something(turns):
        raise RowError("asks nothing: its last message has to be the user's and must not be empty")
    labelled = Labelled(
        **one.model_dump(exclude={"first", "second", "verdicts", "kind", "judge", "labels", "rubric"}),
        messages=tuple(turns),
        first=answer_of(first),
        second=answer_of(second),
        verdicts=tuple(label.verdict for label in one.labels) or one.verdicts,
    )
    judge, disagreement = (None, None) if one.judge is None else _said(one.id, one.judge)
    return Item(
        labelled=labelled, judge=judge, disagreement=disagreement, kind=one.kind, labels=one.labels, rubric=one.rubric
    )


@contextmanager
def errors_at(place: str, advice: str = "; see docs/labels.md") -> Iterator[None]:
    """Raises DataError, one line that says where a row stands, in place of any ValueError about it."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        wrong = f"has a wrong {'.'.join(map(str, first['loc']))!r}: {first['msg'][:120]}"
        raise DataError(f"{place} {wrong}{advice}") from error
    except ValueError as error:
        raise DataError(f"{place} {error}{advice}") from error


def _items(row: Cells, source: str, columns: Columns) -> Iterator[Item | LeftOut]:
    """The item of a row, or the pairs of one of docs/data.md: without verdicts where nothing orders the answers."""
    if {"first", "second"} <= row.keys() or {"answers", "labels"} <= row.keys():
        yield item_of(row, source)
        return
    said = any(find(columns, name, row) is not None for name in ("chosen", "ratings", "ranks", "verdicts"))
    if find(columns, "chosen", row) is None:
        answers = find(columns, "answers", row)
        if answers is None:
            raise RowError(
                f"has no two answers; it has {columns_held(row)}: name them first and second, or chosen and rejected"
            )
        said = said or winner_columns(row, columns, answers) is not None
        if not said:
            columns = Columns(answers=answers, order="best_first")
    for one in read_row("gold_gate", row, columns, ""):
        if isinstance(one, GoldPair):
            pair = replace(labelled(one), source=source)
            yield Item(labelled=pair if said else replace(pair, verdicts=()))
        else:
            assert isinstance(one, LeftOut)
            yield one


def _said(id_: str, row: _JudgeRow) -> tuple[Verdicts, float | None]:
    return Verdicts(id=id_, **row.model_dump(exclude={"disagreement"})), row.disagreement


def _text(row: Cells, column: str) -> str:
    value = row.get(column)
    if not isinstance(value, str):
        raise RowError(f"has no text in column {column!r}; it has {columns_held(row)}")
    return clean(value, column)
