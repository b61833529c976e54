"""How sure the judge of a round was of the pairs that were made: by its comparisons, or by the votes of its members."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from selfreward.artifacts import Artifact
from selfreward.judges.base import Weights
from selfreward.judges.jury import weights_by_hand
from selfreward.judges.pointwise import by_prompt
from selfreward.judges.votes import preference_between
from selfreward.records import Judgment, PreferencePair, TrainingRow
from selfreward.row_kinds import label_of

Preference = Callable[[str, str], float | None]
"""How far the first of two candidates, by their ids, is preferred, 0 to 1; None where nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What counts here of a Candidate."""

    id: str
    prompt_id: str
    index: int
    text: str


def preferences(candidates: Artifact, judgments: Artifact, learned: Weights | None) -> Iterator[tuple[str, Preference]]:
    """What the judge said of any two answers to each prompt, by its id, in the order of the candidates.

    `learned` are the weights that a jury learned; those given by hand are in its settings. Of answers with the same
    text only the first may have been asked about.
    """
    weights = weights_by_hand(judgments.spec) if learned is None else learned
    both = zip(candidates.shards(_Drawn), judgments.shards(Judgment, "evidence"), strict=True)
    for drawn, evidence in both:
        asked = by_prompt(evidence)
        for prompt_id, field in _fields(drawn).items():
            said = asked.get(prompt_id, [])
            yield prompt_id, partial(_preference, said, weights, _first_alike(field))


def labelled(rows: Sequence[TrainingRow], preference: Preference, counts: Counter[str]) -> list[TrainingRow]:
    """The pairs of a prompt with their labels; to `counts` are added those without, and those that it speaks against.

    A label below one half is of a pair whose chosen answer is the better one by score, but not by the votes, or was
    chosen for another reason.
    """
    made = []
    for row in rows:
        assert isinstance(row, PreferencePair), "labels are of pairs"
        assert row.chosen_id is not None
        assert row.rejected_id is not None
        made.append(replace(row, label=preference(row.chosen_id, row.rejected_id)))
    labels = [label_of(row) for row in made]
    counts["pairs_without_label"] += labels.count(None)
    counts["labels_below_half"] += sum(label is not None and label < 0.5 for label in labels)
    return [*made]


def _fields(drawn: Sequence[_Drawn]) -> dict[str, list[_Drawn]]:
    found: dict[str, list[_Drawn]] = {}
    for one in drawn:
        found.setdefault(one.prompt_id, []).append(one)
    return found


def _first_alike(field: Sequence[_Drawn]) -> dict[str, str]:
    """For each candidate of a prompt the first by index with its text, by their ids."""
    first: dict[str, str] = {}
    by_index = sorted(field, key=lambda one: one.index)
    return {one.id: first.setdefault(one.text, one.id) for one in by_index}


def _preference(
    said: Sequence[Judgment], weights: Weights | None, first: Mapping[str, str], one: str, other: str
) -> float | None:
    if one not in first or other not in first:  # an answer of another round, or a person's
        return None
    return preference_between(first[one], first[other], said, weights)
