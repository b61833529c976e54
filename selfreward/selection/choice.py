"""What a selection does with one prompt, and the fates and counts that follow from it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.reports import load_report
from selfreward.records import Prompt
from selfreward.selection.fates import Fate
from selfreward.selection.pool import Rated, fate_of

_NOT_ELIGIBLE = ("cut", "empty", "below_threshold", "unscored:")


def save_counts(out: Output, counts: Mapping[str, int]) -> None:
    """Writes the counts of a selection to `selection.json`."""
    out.write_json("selection", dict(counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionCounts:
    """What became of the candidates of a round: `by_name` counts each fate, prompts and pairs.

    `candidates` were looked at and `eligible` of them could have been chosen. `pairs` are None where examples were
    selected, and `ties` made no pair. `human_prompts` were sampled to set their human answer against the policy's.
    `handed` counts the prompts that the update draws answers to, None where it draws none.
    """

    by_name: Mapping[str, int]
    prompts: int
    without_selection: int
    candidates: int
    eligible: int
    pairs: int | None
    ties: int
    human_prompts: int
    handed: int | None = None


def selection_counts(selected: Artifact) -> SelectionCounts:
    """The counts of a selection."""
    found = load_report(selected, "selection", dict[str, int])
    lost = sum(number for name, number in found.items() if name.startswith(_NOT_ELIGIBLE))
    return SelectionCounts(
        by_name=found,
        prompts=found["prompts"],
        without_selection=found["prompts_without_selection"],
        candidates=found["candidates"],
        eligible=found["candidates"] - lost,
        pairs=found.get("pairs"),
        ties=found.get("ties", 0),
        human_prompts=found.get("human_pairs", 0) + found.get("human_prompts_without_pair", 0),
        handed=found.get("prompts_handed"),
    )


Picked = tuple[Rated, ...]
"""A chosen candidate and, of a preference pair, the rejected one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The candidates of a prompt that are trained on, and the others.

    `ranked` are those that could be chosen, in the order of their rank; `left_out` are the fates of the others.
    `over_cap` are picks that a cap on the whole round took away, `compared` counts pairs that were looked at in vain.
    """

    prompt: Prompt
    ranked: Sequence[Rated]
    left_out: Sequence[Fate]
    picks: Sequence[Picked]
    over_cap: Sequence[Picked] = ()
    compared: Mapping[str, int] = field(default_factory=dict)

    def fates(self) -> list[Fate]:
        """One for each candidate, by index."""
        chosen, lost = ({one.candidate.id for pick in picks for one in pick} for picks in (self.picks, self.over_cap))
        over: dict[str, tuple[str, ...]] = {}
        under: dict[str, tuple[str, ...]] = {}
        for better, worse in ((pick[0].candidate.id, pick[1].candidate.id) for pick in self.picks if len(pick) > 1):
            over[better] = (*over.get(better, ()), worse)
            under[worse] = (*under.get(worse, ()), better)
        found = list(self.left_out)
        for rank, one in enumerate(self.ranked, start=1):
            mine = one.candidate.id
            fate = "selected" if mine in chosen else "over_cluster_cap" if mine in lost else "passed_over"
            found.append(fate_of(one, fate, rank=rank, over=over.get(mine, ()), under=under.get(mine, ())))
        return sorted(found, key=attrgetter("index"))

    def without(self, over_cap: Sequence[Picked]) -> "Choice":
        """The choice that is left without those of its picks that are `over_cap`."""
        left = [pick for pick in self.picks if pick not in over_cap]
        return replace(self, picks=left, over_cap=over_cap)

    def count(self, found: Iterable[Fate], counts: Counter[str]) -> None:
        """Adds the prompt, what was compared, and what became of its candidates, whose fates were `found`."""
        for fate in (one.fate for one in found if one.fate != "beyond_k"):
            counts["candidates"] += 1
            counts[fate] += 1
        counts["prompts"] += 1
        counts["prompts_without_selection"] += not self.picks
        counts.update(self.compared)
