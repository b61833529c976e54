"""Source: prompts, human answers and pairs as tables, what is no use left out and counted, overlaps dropped."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.output import SHARD_ROWS
from selfreward.artifacts.runs import Run
from selfreward.artifacts.tables import in_batches
from selfreward.backends.base import Backend
from selfreward.data.own import OwnData
from selfreward.data.roles import PROMPT_ROLES, HumanAnswer, HumanPair, LeftOut, Role
from selfreward.data.sources import AnyData, DataSpec
from selfreward.errors import DataError
from selfreward.records import Example, GoldPair, Policy, PreferencePair, Prompt, digest_of
from selfreward.spec import Spec
from selfreward.stages.clean import CleanSpec, TrainedRole, clean, cleaning_told, likeness_told
from selfreward.stages.references import counting_references, references_told

VERSION = 4
_NEEDED: tuple[Role, ...] = ("train", "held_out", "probe")
_MEASURED: tuple[Role, ...] = ("held_out", "probe", "target", "gold_gate", "gold_final")
Record = TypeVar("Record")
Given = TypeVar("Given")


class SourceSpec(Spec):
    """One role of a data source; `content` is the fingerprint of the files behind it."""

    role: Role
    data: DataSpec
    content: str


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


def load_sources(data: AnyData, run: Run, backend: Backend, policy: Policy) -> Sources:
    """The table of every role, as the `policy` that `backend` holds can be asked; answers are counted in its tokens."""
    if data.system:
        run.store.reporter.say(f"  data.system: conversations without a system turn begin with {data.system!r}")

    def load(role: Role) -> Artifact:
        spec = SourceSpec(role=role, data=data, content=data.fingerprint(role))
        table = run.source(role, source, spec, backend=backend, policy=policy)
        for told in (left_out_told(role, table), references_told(role, table)):
            if told:
                run.store.reporter.say(told)
        return table

    measured = {role: load(role) for role in _MEASURED}
    trained: dict[TrainedRole, Artifact] = {
        "train": load("train"),
        "human": load("human"),
        "human_pairs": load("human_pairs"),
    }
    make: Callable[..., Artifact] = run.source
    checked = {
        role: make(f"clean_{role}", clean, CleanSpec(role=role, overlap=data.overlap), table=table, **measured)
        for role, table in trained.items()
    }
    run.store.reporter.say(cleaning_told(checked))
    run.store.reporter.say(likeness_told(checked["train"]))
    # A check that drops nothing gives the table as it was, so that no key hangs on how the check is made.
    cleaned = {role: checked[role] if checked[role].rows("dropped") else table for role, table in trained.items()}
    return Sources(**cleaned, **measured)


def left_out_told(role: str, table: Artifact) -> str | None:
    """What was left out of a source, each count with what it is out of; None where nothing was."""
    counts = table.manifest.counts
    left_out = {name.removeprefix("left_out:"): n for name, n in counts.items() if name.startswith("left_out:")}
    if not left_out:
        return None
    reasons = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in sorted(left_out.items()))
    return f"  {role}: {table.rows()} of {table.rows() + sum(left_out.values())} rows; left out: {reasons}"


def source(out: Output, spec: SourceSpec, *, backend: Backend, policy: Policy) -> None:
    """Table `rows`: Prompt, or by role Example (human), PreferencePair (human_pairs), GoldPair (gold_...).

    `backend` holds the `policy` whose chat template must take every conversation, and counts the tokens of human
    answers. Rows that are empty, repeated or of no use are counted as `left_out:<reason>`, references of closed prompts
    as `references` and, where a reply that repeats them is right, as `references_echoed`. Raises DataError for a row
    that cannot be read or rendered, and for a role without the rows that the loop cannot do without.
    """
    rows = (row for row in spec.data.rows(spec.role, backend.why_unfit) if not _left_out(out, row))
    if spec.role in PROMPT_ROLES:
        written = _write(out, Prompt, counting_references(out, cast(Iterator[Prompt], rows)))
    elif spec.role == "human":
        written = _write(out, Example, _examples(backend, cast(Iterator[HumanAnswer], rows)))
    elif spec.role == "human_pairs":
        written = _write(out, PreferencePair, _pairs(backend, cast(Iterator[HumanPair], rows)))
    else:
        written = _write(out, GoldPair, cast(Iterator[GoldPair], rows))
    if written == 0 and spec.role in _NEEDED:
        left_out = "".join(f", {name.removeprefix('left_out:')} {count}" for name, count in sorted(out.counts.items()))
        hint = f"check data.{spec.role} and its sizes"
        if isinstance(spec.data, OwnData) and getattr(spec.data, spec.role) is None:
            hint = f"give data.{spec.role} a file, or raise data.split.{spec.role}"
        raise DataError(f"there is no {spec.role} prompt{left_out}: {hint}")


def _left_out(out: Output, row: object) -> bool:
    if isinstance(row, LeftOut):
        out.count(**{f"left_out:{row.reason}": 1})
    return isinstance(row, LeftOut)


def _write(out: Output, record_type: type[Record], records: Iterator[Record]) -> int:
    with out.table(record_type) as table:
        table.write_all(records)
    return table.entry().rows


def _examples(backend: Backend, answers: Iterator[HumanAnswer]) -> Iterator[Example]:
    for answer, (tokens,) in _counted(backend, answers, lambda one: [one.raw]):
        yield Example(
            id=digest_of("human", *answer.said),
            prompt_id=answer.prompt.id,
            messages=answer.prompt.messages,
            text=answer.text,
            origin="human",
            stratum=answer.prompt.stratum,
            tokens=tokens,
            score=None,
            candidate_id=None,
            iteration=None,
            thought=answer.thought,
        )


def _pairs(backend: Backend, pairs: Iterator[HumanPair]) -> Iterator[PreferencePair]:
    for pair, (chosen_tokens, rejected_tokens) in _counted(backend, pairs, lambda one: one.raw):
        yield PreferencePair(
            id=digest_of("human_pair", *pair.said),
            prompt_id=pair.prompt.id,
            messages=pair.prompt.messages,
            chosen=pair.chosen,
            rejected=pair.rejected,
            origin="human",
            stratum=pair.prompt.stratum,
            chosen_tokens=chosen_tokens,
            rejected_tokens=rejected_tokens,
            margin=pair.margin,
            chosen_id=None,
            rejected_id=None,
            iteration=None,
            chosen_thought=pair.chosen_thought,
            rejected_thought=pair.rejected_thought,
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
