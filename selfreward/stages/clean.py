"""Clean: a table to train on without the rows that ask what is measured, and how like it the prompts are."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.reports import load_report
from selfreward.data.held_out_sets import sets_by_prompt
from selfreward.data.overlap import OverlapSpec, find_overlaps
from selfreward.data.roles import question_text
from selfreward.errors import DataError
from selfreward.metrics.embed import embed_hashing
from selfreward.metrics.two_sample import two_sample
from selfreward.records import GoldPair, Prompt, RowPrompt, TrainingRow, prompt_type
from selfreward.row_kinds import HUMAN_ROWS, HumanRole, label_of, written_as
from selfreward.selection.training_rows import pairs_table
from selfreward.spec import Spec

VERSION = 2
_COMPARED = 500
_PERMUTATIONS = 199

TrainedRole = Literal["train"] | HumanRole
TRAINED: tuple[TrainedRole, ...] = ("train", *HUMAN_ROWS)


class CleanSpec(Spec):
    """The role of the table and what counts as an overlap."""

    role: TrainedRole
    overlap: OverlapSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A row that is not trained on: what it asks, and which prompt of which measured role asks the same."""

    id: str
    text: str
    against: str
    other_id: str
    other_text: str
    kind: Literal["exact", "near"]
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How like two sets of prompts are by their letter 3-grams: the energy distance, and the chance of more by luck.

    `compared` says how many prompts of each were compared.
    """

    energy_distance: float
    p_value: float
    compared: tuple[int, int]


def clean(
    out: Output,
    spec: CleanSpec,
    *,
    table: Artifact,
    held_out: Artifact,
    probe: Artifact,
    target: Artifact,
    gold_gate: Artifact,
    gold_final: Artifact,
    red_team: Artifact | None = None,
) -> None:
    """Table `rows` of `table` without overlaps, in order; table `dropped` of Dropped; counts for both.

    `table` may be a mixture or a selection of pairs, of an earlier run. For train prompts `prompts.json` says how far
    they are from those of `held_out`, each of its sets and `target`.

    Raises DataError where no training prompt is left.
    """
    by_role = {
        "held_out": held_out,
        "probe": probe,
        "target": target,
        "red_team": red_team,
        "gold_gate": gold_gate,
        "gold_final": gold_final,
    }
    measured = measured_rows({role: table for role, table in by_role.items() if table is not None})
    record_type: type[Prompt | TrainingRow] = RowPrompt if spec.role == "train" else HUMAN_ROWS[spec.role]
    rows = list(table.records(record_type, pairs_table(table)))
    found = find_overlaps(
        [question_text(row.messages) for row in rows],
        [question_text(row.messages) for _, row in measured],
        spec.overlap.near,
    )
    dropped = []
    for one in found:
        (against, other), row = measured[one.other], rows[one.row]
        dropped.append(
            Dropped(
                id=row.id,
                text=question_text(row.messages),
                against=against,
                other_id=other.id,
                other_text=question_text(other.messages),
                kind=one.kind,
                similarity=one.similarity,
            )
        )
    gone = {one.row for one in found}
    kept = [row for index, row in enumerate(rows) if index not in gone]
    out.count(rows=len(rows), **Counter(f"dropped:{one.against}:{one.kind}" for one in dropped))
    if spec.role == "train":
        if not kept:
            raise DataError(
                f"all {len(rows)} train prompts are asked in the roles that are measured, the first in "
                f"{dropped[0].against} ({dropped[0].text[:60]!r}): give data.train other prompts"
            )
        others = {name: list(one.records(Prompt)) for name, one in (("held_out", held_out), ("target", target))}
        sets = sets_by_prompt(held_out)
        for name in dict.fromkeys(sets.values()):
            others[f"held_out/{name}"] = [one for one in others["held_out"] if sets[one.id] == name]
        out.write_json("prompts", {name: asdict(likeness(kept, one)) for name, one in others.items() if one})
    out.write_table(_written_as(spec.role, kept), kept)
    out.write_table(Dropped, dropped, "dropped")


def measured_rows(by_role: Mapping[str, Artifact]) -> list[tuple[str, Prompt | GoldPair]]:
    """Every row that is measured on, with its role; the tables of gold hold pairs, the others prompts."""
    return [
        (role, row)
        for role, table in by_role.items()
        for row in (table.records(GoldPair) if role.startswith("gold") else table.records(Prompt))
    ]


def _written_as(role: TrainedRole, kept: Sequence[Prompt | TrainingRow]) -> type[object]:
    """What the rows of a role that are left are written as."""
    if role == "train":
        return prompt_type(kept)
    return written_as(HUMAN_ROWS[role], any(not isinstance(row, Prompt) and label_of(row) is not None for row in kept))


def likeness(train: Sequence[Prompt | TrainingRow], other: Sequence[Prompt]) -> Likeness:
    """How like the prompts of two tables are, neither of which is empty; of large ones a sample is compared."""
    draw = random.Random(0)
    texts = [[question_text(row.messages) for row in rows] for rows in (train, other)]
    samples = [draw.sample(some, min(_COMPARED, len(some))) for some in texts]
    found = two_sample(*map(embed_hashing, samples), seed=0, permutations=_PERMUTATIONS)
    assert found is not None
    compared = (len(samples[0]), len(samples[1]))
    return Likeness(energy_distance=round(found.statistic, 6), p_value=found.p_value, compared=compared)


def likeness_line(train: Artifact) -> str:
    """How like the prompts of other roles the train prompts are."""
    told = [
        f"{name} at energy distance {found.energy_distance:.3f}, p {found.p_value:.3f}"
        + (" (unlike)" if found.p_value < 0.05 else "")
        for name, found in load_report(train, "prompts", dict[str, Likeness]).items()
    ]
    return f"  train prompts beside {'; '.join(told)}"


def cleaning_line(checked: Mapping[TrainedRole, Artifact] | Mapping[str, Artifact]) -> str:
    """What the check dropped of each table, by what it is called, with what it is out of."""
    told = []
    for role, artifact in checked.items():
        counts = artifact.manifest.counts
        against: Counter[str] = Counter()
        for name, count in counts.items():
            if name.startswith("dropped:"):
                against[name.split(":")[1]] += int(count)
        where = ", ".join(f"{name} {count}" for name, count in sorted(against.items()))
        told.append(f"{artifact.rows('dropped')} of {counts['rows']} {role}" + (f" ({where})" if where else ""))
    return f"  overlap with what is measured: dropped {', '.join(told)}"
