"""From a training row, a candidate or a prompt back to everything that led to it."""

from dataclasses import dataclass

from selfreward.artifacts.manifest import Manifest
from selfreward.artifacts.runs import RunView
from selfreward.reading.lookup import Kind, find, input_of, iterations_of, records_where
from selfreward.reading.prompt_rounds import PromptRound, chain_of, explain_round, prompt_of, tables_behind
from selfreward.reading.written_prompts import WrittenStory, example_of, stories_of
from selfreward.records import Candidate, Prompt, TrainingRow
from selfreward.row_kinds import HUMAN_ROWS, HumanRole, RowName, candidates_of, kind_of, ledger_id
from selfreward.selection.mixing import Mixing, Spent
from selfreward.selection.training_rows import row_kind
from selfreward.spec import Json
from selfreward.stages.decide import decision_of
from selfreward.stages.mix import mixing_of
from selfreward.stages.revise import candidates_in


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """A training set that holds the row, and the policy trained on it; None where the update has not been made.

    `came_in` is the iteration that brought the row into this set: a human row may be drawn in more than one.
    """

    iteration: int
    came_in: int
    key: str
    digest: str
    rows: int
    policy_key: str | None
    policy_digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanOrigin:
    """Where a human row comes from: which role of which data, when it was spent, the shares of that round and why.

    `source` are the settings of the table it was read into; `chain` the artifacts from there to the policy.
    """

    role: str
    source: dict[str, Json]
    spent: Spent
    mixing: Mixing
    why: str
    chain: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowStory:
    """A training row, every training set it is in, and its human origin if it has one."""

    kind: RowName
    row: TrainingRow
    sets: tuple[TrainingSet, ...]
    human: HumanOrigin | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All there is to know about one id. `prompt` is None for that of a human row and for a draft, never sampled.

    `written` are the drafts that make the prompt, where a model wrote it.
    """

    run: str
    id: str
    kind: Kind
    rows: tuple[RowStory, ...]
    prompt: Prompt | None
    rounds: tuple[PromptRound, ...]
    written: tuple[WrittenStory, ...] = ()


def explain(view: RunView, asked: str, iteration: int | None = None) -> Explanation:
    """What is known about the row, candidate or prompt whose id starts with `asked`.

    With `iteration`, what that iteration knows of it. Raises StoreError for an id that is unknown or ambiguous,
    CorruptArtifact for a run that is not whole.
    """
    place = find(view, asked, iteration)
    match place.kind:
        case "candidate":
            candidates = candidates_in(view.iterations[place.iteration])
            assert candidates is not None, "it was found there"
            found_there = records_where(candidates, Candidate, "id", place.id)
            prompt_id, sampled = found_there[0].prompt_id, [place.iteration]
            found = _rows(view, place.iteration, "prompt_id", prompt_id)
            rows = [row for row in found if place.id in candidates_of(row)]
        case "prompt":
            prompt_id = place.id
            sampled = [t for t in iterations_of(view, iteration) if "sample" in view.iterations[t]]
            found = [row for t in sampled for row in _rows(view, t, "prompt_id", prompt_id)]
            rows = list({row.id: row for row in found}.values())
        case _:
            rows = _rows(view, place.iteration, "id", place.id)
            prompt_id, sampled = rows[0].prompt_id, [_made_in(rows[0])] if candidates_of(rows[0]) else []
    prompts = [(t, prompt) for t in sampled if (prompt := prompt_of(view, t, prompt_id)) is not None]
    return Explanation(
        run=view.name,
        id=place.id,
        kind=place.kind,
        rows=tuple(_story(view, row) for row in rows),
        prompt=prompts[0][1] if prompts else example_of(view, prompt_id),
        rounds=tuple(explain_round(view, t, prompt) for t, prompt in prompts),
        written=stories_of(view, prompt_id, iteration),
    )


def _made_in(row: TrainingRow) -> int:
    assert row.iteration is not None, "a mix says of every row when it came in"
    return row.iteration


def _rows(view: RunView, iteration: int, column: str, value: str) -> list[TrainingRow]:
    mixed = view.iterations[iteration].get("mix")
    if mixed is None:
        return []
    kind = row_kind(mixed)
    return list(records_where(mixed, kind.record, column, value, kind.table))


def _story(view: RunView, row: TrainingRow) -> RowStory:
    later = range(_made_in(row), len(view.iterations))
    return RowStory(
        kind=kind_of(row).name,
        row=row,
        sets=tuple(_training_set(view, t, _made_in(found)) for t in later for found in _rows(view, t, "id", row.id)),
        human=_human_origin(view, row) if row.origin == "human" else None,
    )


def _training_set(view: RunView, iteration: int, came_in: int) -> TrainingSet:
    mixed, updated = view.iterations[iteration]["mix"], view.iterations[iteration].get("update")
    return TrainingSet(
        iteration=iteration,
        came_in=came_in,
        key=mixed.key,
        digest=mixed.digest,
        rows=mixed.rows(row_kind(mixed).table),
        policy_key=None if updated is None else updated.key,
        policy_digest=None if updated is None else updated.digest,
    )


def _human_origin(view: RunView, row: TrainingRow) -> HumanOrigin:
    """Where a human row was drawn from: the pool of the source, or the prompts that were sampled along."""
    iteration = _made_in(row)
    mixed = view.iterations[iteration]["mix"]
    role = next(role for role in kind_of(row).people if _holds(view, iteration, role, ledger_id(row)))
    tables = tables_behind(view, iteration, mixed, role)
    spent = records_where(mixed, Spent, "example_id", ledger_id(row), "ledger")
    return HumanOrigin(
        role=role,
        source=view.sources[role].spec,
        spent=next(one for one in spent if one.iteration == iteration),
        mixing=mixing_of(mixed),
        why=decision_of(input_of(view, iteration, mixed, "decision")).course.why,
        chain=(
            *(table.manifest for table in tables),
            *(link for link in chain_of(view, iteration) if link.stage in ("decide", "mix", "update")),
        ),
    )


def _holds(view: RunView, iteration: int, role: HumanRole, row_id: str) -> bool:
    """Whether the people's rows of a role that this round's training set could draw hold this one."""
    mixed = view.iterations[iteration]["mix"]
    if role not in mixed.manifest.inputs:
        return False
    return bool(records_where(input_of(view, iteration, mixed, role), HUMAN_ROWS[role], "id", row_id))
