"""Source: prompts, human answers and gold pairs as tables, checked once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, cast

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.runs import Run
from selfreward.artifacts.tables import in_batches
from selfreward.backends.base import Backend
from selfreward.data.sources import AnyData, DataSpec, HumanAnswer, Role, check_prompts
from selfreward.errors import DataError
from selfreward.records import Example, GoldPair, Prompt, digest_of
from selfreward.spec import Spec

VERSION = 1
_SHARD_ROWS = 4096
Record = TypeVar("Record")


class SourceSpec(Spec):
    """One role of a data source; `content` is the fingerprint of the files behind it."""

    role: Role
    data: DataSpec
    content: str


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The tables that a run reads from outside."""

    train: Artifact
    held_out: Artifact
    probe: Artifact
    human: Artifact
    gold_final: Artifact


def load_sources(data: AnyData, run: Run, backend: Backend) -> Sources:
    """The table of every role; human answers are counted in tokens of the policy that `backend` holds."""
    content = data.fingerprint()

    def load(role: Role, counter: Backend | None = None) -> Artifact:
        return run.source(role, source, SourceSpec(role=role, data=data, content=content), backend=counter)

    return Sources(
        train=load("train"),
        held_out=load("held_out"),
        probe=load("probe"),
        human=load("human", backend),
        gold_final=load("gold_final"),
    )


def source(out: Output, spec: SourceSpec, *, backend: Backend | None = None) -> None:
    """Table `rows`: Prompt (train, held_out, probe), Example (human) or GoldPair (gold_gate, gold_final).

    Human answers need a `backend` to count their tokens. Raises DataError for empty or repeated prompts, and for a
    role without the rows that the loop cannot do without.
    """
    rows = spec.data.rows(spec.role)
    if spec.role in ("train", "held_out", "probe"):
        prompts = check_prompts(cast(Iterator[Prompt], rows), spec.role)
        if _write(out, Prompt, prompts) == 0:
            raise DataError(f"there is no {spec.role} prompt: check data.{spec.role} and its sizes")
    elif spec.role == "human":
        assert backend is not None
        _write(out, Example, _examples(backend, cast(Iterator[HumanAnswer], rows)))
    else:
        _write(out, GoldPair, cast(Iterator[GoldPair], rows))


def _write(out: Output, record_type: type[Record], records: Iterator[Record]) -> int:
    written = 0
    with out.table(record_type) as table:
        for batch in in_batches(records, _SHARD_ROWS):
            written += len(table.shard(partial(list, batch)))
    return written


def _examples(backend: Backend, answers: Iterator[HumanAnswer]) -> Iterator[Example]:
    count: Callable[[list[str]], list[int]] = backend.count_tokens
    for batch in in_batches(answers, _SHARD_ROWS):
        for answer, tokens in zip(batch, count([one.text for one in batch]), strict=True):
            yield Example(
                id=digest_of("human", answer.prompt.id, answer.text),
                prompt_id=answer.prompt.id,
                messages=answer.prompt.messages,
                text=answer.text,
                origin="human",
                stratum=answer.prompt.stratum,
                tokens=tokens,
                score=None,
                candidate_id=None,
                iteration=None,
            )
