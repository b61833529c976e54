"""Source: prompts, human answers and pairs as tables, what is no use left out and counted, overlaps dropped."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeVar, cast

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.output import SHARD_ROWS
from selfreward.artifacts.parquet import in_batches
from selfreward.artifacts.runs import Run
from selfreward.backends.base import Backend, Unfit
from selfreward.backends.candidates import AnswerLengths
from selfreward.data.matchable import counting_references, references_line
from selfreward.data.own import OwnData
from selfreward.data.roles import (
    PROMPT_ROLES,
    ColumnsSeen,
    HumanAnswer,
    HumanFeedback,
    HumanPair,
    Kept,
    LeftOut,
    Role,
    prompt_of,
)
from selfreward.data.sources import AnyData, DataSpec
from selfreward.errors import DataError
from selfreward.policies import Policy
from selfreward.records import Example, Feedback, GoldPair, PreferencePair, Prompt, digest_of, prompt_type
from selfreward.row_kinds import written_as
from selfreward.spec import Spec
from selfreward.stages.clean import TRAINED, CleanSpec, TrainedRole, clean, cleaning_line, likeness_line

VERSION = 6
_NEEDED: tuple[Role, ...] = ("train", "held_out", "probe", "red_team")
MEASURED: tuple[Role, ...] = ("held_out", "probe", "target", "red_team", "gold_gate", "gold_final")
LEFT_OUT, _READ, _UNREAD = "left_out:", "read:", "unread:"
_OF_SET = re.compile(rf"(\w+)/(?:{_READ}|{_UNREAD})")
Given = TypeVar("Given")


class SourceSpec(Spec):
    """One role of a data source; `content` is the fingerprint of the files behind it.

    `room` is what a prompt has to leave for an answer, in tokens; one where nobody is to answer.
    """

    role: Role
    data: DataSpec
    content: str
    room: AnswerLengths = AnswerLengths(closed=1, open=1)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The tables that a run reads from outside; those it trains on share no question with those it measures on."""

    train: Artifact
    held_out: Artifact
    probe: Artifact
    target: Artifact
    human: Artifact
    human_pairs: Artifact
    gold_gate: Artifact
    gold_final: Artifact
    feedback: Artifact | None = None
    red_team: Artifact | None = None

    @property
    def measured(self) -> dict[str, Artifact]:
        """The tables that a run measures on, of the roles that it has."""
        tables: dict[str, Artifact | None] = {role: getattr(self, role) for role in MEASURED}
        return {role: table for role, table in tables.items() if table is not None}


def load_sources(
    data: AnyData, run: Run, backend: Backend, policy: Policy, rooms: Mapping[Role, AnswerLengths]
) -> Sources:
    """The table of every role, as the `policy` that `backend` holds can be asked; answers are counted in its tokens.

    `rooms` says how long answers to the prompts of a role may get; to those of other roles nobody answers.
    """
    if data.system:
        run.store.reporter.say(f"  data.system: conversations without a system turn begin with {data.system!r}")

    def load(role: Role) -> Artifact:
        room = rooms.get(role, AnswerLengths(closed=1, open=1))
        spec = SourceSpec(role=role, data=data, content=data.fingerprint(role), room=room)
        table = run.source(role, source, spec, backend=backend, policy=policy)
        if columns := columns_line(table):
            run.store.reporter.say(f"  {role}: {columns}")
        for told in (left_out_line(role, table), references_line(role, table)):
            if told:
                run.store.reporter.say(told)
        return table

    measured = {role: load(role) for role in MEASURED if data.has(role)}
    trained: dict[TrainedRole, Artifact] = {role: load(role) for role in TRAINED if data.has(role)}
    make: Callable[..., Artifact] = run.source
    checked = {
        role: make(f"clean_{role}", clean, CleanSpec(role=role, overlap=data.overlap), table=table, **measured)
        for role, table in trained.items()
    }
    run.store.reporter.say(cleaning_line(checked))
    run.store.reporter.say(likeness_line(checked["train"]))
    # A check that drops nothing gives the table as it was, so that no key hangs on how the check is made.
    cleaned = {role: checked[role] if checked[role].rows("dropped") else table for role, table in trained.items()}
    return Sources(**cleaned, **measured)


def left_out_line(role: str, table: Artifact) -> str | None:
    """What was left out of a source, each count with what it is out of; None where nothing was."""
    left_out = counted(table.manifest.counts, LEFT_OUT)
    if not left_out:
        return None
    reasons = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in sorted(left_out.items()))
    return f"  {role}: {table.rows()} of {table.rows() + sum(left_out.values())} rows; left out: {reasons}"


def columns_line(table: Artifact) -> str | None:
    """Which columns of a source were read, as what, and which were not; None where there are no columns.

    A column that was read in some rows alone stands with their number; held-out sets with names come one by one.
    """
    counts = table.manifest.counts
    sets = dict.fromkeys(found[1] for name in counts if (found := _OF_SET.match(name)))
    told = {name: _columns_told(counted(counts, f"{name}/")) for name in sets}
    by_set = [f"{name}: {line}" for name, line in told.items() if line]
    return "; ".join(by_set) if by_set else _columns_told(counts)


def _columns_told(counts: Mapping[str, int | float]) -> str | None:
    read, unread = counted(counts, _READ), counted(counts, _UNREAD)
    if not read and not unread:
        return None
    rows = max([*read.values(), *unread.values()])
    parts = []
    for name, count in sorted(read.items()):
        what, _, column = name.partition(":")
        parts.append(f"{column} ({what}{'' if count == rows else f', {count:,} of {rows:,} rows'})")
    left = [name for name in unread if not any(part.startswith(f"{name} (") for part in parts)]
    return f"read {', '.join(parts) or 'nothing'}; not read: {', '.join(sorted(left)) or 'nothing'}"


def counted(counts: Mapping[str, int | float], prefix: str) -> dict[str, int]:
    """The counts whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): int(count) for name, count in counts.items() if name.startswith(prefix)}


def source(out: Output, spec: SourceSpec, *, backend: Backend, policy: Policy) -> None:
    """Table `rows`: prompts of their `prompt_type`, or by role Example, PreferencePair, Feedback or GoldPair.

    `backend` holds the `policy` whose chat template must take every conversation, and counts the tokens of human
    answers. Rows that are empty, repeated or of no use are counted as `left_out:<reason>`. The rows in which a column
    was read are counted as `read:<as what>:<column>`, those in which it was not as `unread:<column>`, both behind
    `<set>/` where held-out sets have names; references of closed prompts as `references` and, where a reply that
    repeats them is right, as `references_echoed`. Raises DataError for a row that cannot be read or asked, and for a
    role or a set without the rows that the loop cannot do without.
    """

    def why_unfit(row: Kept) -> Unfit | None:
        messages, stratum = prompt_of(row)
        return backend.why_unfit(messages, spec.room.of(stratum))

    rows = (row for row in spec.data.rows(spec.role, why_unfit) if not _counted_only(out, row))
    if spec.role in PROMPT_ROLES:
        prompts = counting_references(out, cast(Iterator[Prompt], rows))
        first = [*islice(prompts, 1)]
        written = out.write_table(prompt_type(first), chain(first, prompts))
    elif spec.role == "human":
        written = out.write_table(Example, _examples(backend, cast(Iterator[HumanAnswer], rows)))
    elif spec.role == "human_pairs":
        pairs = list(_pairs(backend, cast(Iterator[HumanPair], rows)))
        written = out.write_table(written_as(PreferencePair, any(one.label is not None for one in pairs)), pairs)
    elif spec.role == "feedback":
        written = out.write_table(Feedback, _feedback(backend, cast(Iterator[HumanFeedback], rows)))
    else:
        written = out.write_table(GoldPair, cast(Iterator[GoldPair], rows))
    if written == 0 and spec.role in _NEEDED:
        left_out = "".join(f", {name} {count}" for name, count in sorted(counted(out.counts, LEFT_OUT).items()))
        hint = f"check data.{spec.role} and its sizes"
        if isinstance(spec.data, OwnData) and getattr(spec.data, spec.role) is None:
            hint = f"give data.{spec.role} a file, or raise data.split.{spec.role}"
        elif spec.role == "red_team":
            hint = "give data.red_team a file with prompts, or null"
        raise DataError(f"there is no {spec.role} prompt{left_out}: {hint}")


def _counted_only(out: Output, row: object) -> bool:
    """Whether a row is none of the table; counts what it says."""
    match row:
        case LeftOut():
            out.count(**{f"{LEFT_OUT}{row.reason}": 1})
        case ColumnsSeen():
            of_set = "" if row.set_name is None else f"{row.set_name}/"
            out.count(**{f"{of_set}{_READ}{name}:{column}": count for (column, name), count in row.read.items()})
            out.count(**{f"{of_set}{_UNREAD}{column}": count for column, count in row.unread.items()})
        case _:
            return False
    return True


def _examples(backend: Backend, answers: Iterator[HumanAnswer]) -> Iterator[Example]:
    for answer, (tokens,) in _counted(backend, answers, lambda one: [one.raw]):
        yield Example(
            id=digest_of("human", *answer.identity),
            prompt_id=answer.prompt.id,
            messages=answer.prompt.messages,
            text=answer.text,
            origin="human",
            stratum=answer.prompt.stratum,
            tokens=tokens,
            thought=answer.thought,
        )


def _feedback(backend: Backend, answers: Iterator[HumanFeedback]) -> Iterator[Feedback]:
    for answer, (tokens,) in _counted(backend, answers, lambda one: [one.raw]):
        yield Feedback(
            id=digest_of("feedback", *answer.identity),
            prompt_id=answer.prompt.id,
            messages=answer.prompt.messages,
            text=answer.text,
            desirable=answer.desirable,
            origin="human",
            stratum=answer.prompt.stratum,
            tokens=tokens,
            thought=answer.thought,
        )


def _pairs(backend: Backend, pairs: Iterator[HumanPair]) -> Iterator[PreferencePair]:
    for pair, (chosen_tokens, rejected_tokens) in _counted(backend, pairs, lambda one: one.raw):
        yield PreferencePair(
            id=digest_of("human_pair", *pair.identity),
            prompt_id=pair.prompt.id,
            messages=pair.prompt.messages,
            chosen=pair.chosen,
            rejected=pair.rejected,
            origin="human",
            stratum=pair.prompt.stratum,
            chosen_tokens=chosen_tokens,
            rejected_tokens=rejected_tokens,
            margin=pair.margin,
            chosen_thought=pair.chosen_thought,
            rejected_thought=pair.rejected_thought,
            label=pair.label,
        )


def _counted(
    backend: Backend, rows: Iterator[Given], texts_of: Callable[[Given], Sequence[str]]
) -> Iterator[tuple[Given, list[int]]]:
    """Each row with the tokens of its texts, thoughts included."""
    for batch in in_batches(rows, SHARD_ROWS):
        texts = [texts_of(row) for row in batch]
        counts = iter(backend.count_tokens([text for group in texts for text in group]))
        for row, group in zip(batch, texts, strict=True):
            yield row, [next(counts) for _ in group]
