"""The kinds of rows that updates train on, and what is asked of a row of any kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from selfreward.records import Example, Feedback, PreferencePair, Prompt, TrainingRow, UnlabelledPair
from selfreward.thought import estimated_answer_tokens

RowName = Literal["example", "pair", "feedback"]
Unit = Literal["tokens", "pairs"]
HumanRole = Literal["human", "human_pairs", "feedback"]
HUMAN_ROWS: Mapping[HumanRole, type[TrainingRow]] = {
    "human": Example,
    "human_pairs": PreferencePair,
    "feedback": Feedback,
}
"""What people's rows are, by the role of data in which they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowKind:
    """A kind of row: one is called `name`, several `many`, and `told` says what it teaches.

    `table` and `record` are how training sets hold it, `unit` is what the real share counts, and `people` are the
    roles of data in which people's rows of this kind come.
    """

    name: RowName
    many: str
    told: str
    table: str
    record: type[TrainingRow]
    unit: Unit
    people: tuple[HumanRole, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptKind:
    """What an update trains on that draws its own answers: prompts, of which nothing is counted or mixed.

    The rest is as in `RowKind`.
    """

    name: Literal["prompt"] = "prompt"
    many: str = "prompts"
    told: str = "one prompt to draw answers to"
    table: str = "prompts"
    record: type[Prompt] = Prompt


EXAMPLES = RowKind(
    name="example",
    many="examples",
    told="one answer to train on",
    table="rows",
    record=Example,
    unit="tokens",
    people=("human",),
)
PAIRS = RowKind(
    name="pair",
    many="pairs",
    told="one answer over another",
    table="pairs",
    record=PreferencePair,
    unit="pairs",
    people=("human", "human_pairs"),
)
FEEDBACK = RowKind(
    name="feedback",
    many="unpaired rows",
    told="one answer to make likelier, or less likely",
    table="unpaired_rows",
    record=Feedback,
    unit="tokens",
    people=("human", "feedback"),
)
PROMPTS = PromptKind()
ROW_KINDS = (EXAMPLES, PAIRS, FEEDBACK)
_BY_RECORD = {kind.record: kind for kind in ROW_KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer in a training row: what it is there as, its text and thought, and its tokens, thought included.

    `wanted` says whether training makes it likelier; `id` is that of its candidate or human example, if it has one.
    """

    name: str
    text: str
    thought: str | None
    tokens: int
    wanted: bool
    id: str | None


def kind_of(row: TrainingRow) -> RowKind:
    """The kind of a row."""
    return _BY_RECORD[type(row)]


def as_kind(row: TrainingRow, kind: RowKind) -> TrainingRow | None:
    """A person's row as one of `kind`; None where it makes none by itself. An answer by itself is desirable."""
    if kind is FEEDBACK and isinstance(row, Example):
        return Feedback(desirable=True, **{name: getattr(row, name) for name in Example.__slots__})
    return row if isinstance(row, kind.record) else None


def answers_of(row: TrainingRow) -> tuple[Answer, ...]:
    """The answers of a row; of a pair the chosen one first."""
    match row:
        case Example():
            return (_answer("answer", row.text, row.thought, row.tokens, row.candidate_id),)
        case PreferencePair():
            return (
                _answer("chosen", row.chosen, row.chosen_thought, row.chosen_tokens, row.chosen_id),
                _answer("rejected", row.rejected, row.rejected_thought, row.rejected_tokens, row.rejected_id, False),
            )
        case Feedback():
            return (_answer("answer", row.text, row.thought, row.tokens, row.candidate_id, row.desirable),)


def margin_of(row: TrainingRow) -> float | None:
    """The margin of a pair; None of other rows, and where nobody said."""
    return row.margin if isinstance(row, PreferencePair) else None


def label_of(row: TrainingRow) -> float | None:
    """The label of a pair; None of other rows, and where nobody said."""
    return row.label if isinstance(row, PreferencePair) else None


def written_as(record: type[TrainingRow], labelled: bool) -> type[TrainingRow | UnlabelledPair]:
    """What a table of such rows is written as: pairs have a column for labels only where one may be `labelled`."""
    return UnlabelledPair if record is PreferencePair and not labelled else record


def rating_of(row: TrainingRow) -> float | None:
    """The score of a row's answer, of a pair the margin; None where there is none."""
    return row.margin if isinstance(row, PreferencePair) else row.score


def tokens_of(row: TrainingRow) -> int:
    """The tokens of the answers of a row, without those of thoughts before them; of a pair, both."""
    if isinstance(row, PreferencePair):  # told apart here, not by `answers_of`: every row of every round is counted
        chosen = estimated_answer_tokens(row.chosen_tokens, row.chosen_thought, row.chosen)
        return chosen + estimated_answer_tokens(row.rejected_tokens, row.rejected_thought, row.rejected)
    return estimated_answer_tokens(row.tokens, row.thought, row.text)


def units_of(row: TrainingRow) -> int:
    """What the real share counts of a row: the tokens of its answer, or the pair."""
    return 1 if kind_of(row).unit == "pairs" else tokens_of(row)


def ledger_id(row: TrainingRow) -> str:
    """The human row that is spent: the example behind a pair, if there is one, else the row itself."""
    return row.chosen_id if isinstance(row, PreferencePair) and row.chosen_id is not None else row.id


def facts_of(row: TrainingRow) -> Iterator[tuple[str, str | float | None]]:
    """What there is to say of a row beside its texts, by name; a score or a margin may be missing."""
    match row:
        case Example() | Feedback():
            if isinstance(row, Feedback):
                yield "label", "desirable" if row.desirable else "undesirable"
            if row.candidate_id is not None:
                yield "candidate", row.candidate_id
            yield from (("score", row.score), ("tokens", f"{row.tokens}"))
        case PreferencePair():
            yield from ((one.name, f"{one.id or 'by people'}, {one.tokens} tokens") for one in answers_of(row))
            yield "margin", row.margin
            if row.label is not None:
                yield "label", row.label


def candidates_of(row: TrainingRow) -> set[str]:
    """The candidates that a training row is made of; none for one that people wrote. Of judgments the one judged."""
    return {one.id for one in answers_of(row) if one.id is not None and (row.origin != "human" or not one.wanted)}


def wanted_candidates(row: TrainingRow) -> Iterator[str]:
    """The candidates that training on a row makes likelier; none where it is judgments that are trained on."""
    return (one.id for one in answers_of(row) if one.wanted and one.id is not None and row.origin != "meta")


def _answer(name: str, text: str, thought: str | None, tokens: int, owner: str | None, wanted: bool = True) -> Answer:
    return Answer(name=name, text=text, thought=thought, tokens=tokens, wanted=wanted, id=owner)
