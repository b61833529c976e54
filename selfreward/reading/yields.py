"""How many of the candidates of a round become training rows, and what one such row cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from selfreward.artifacts import Artifact
from selfreward.selection.choice import selection_counts
from selfreward.selection.training_rows import training_table

MAKING = ("sample", "judge", "select")
"""The stages that turn prompts into rows of the policy's own; what the others cost does not buy rows."""

_NOT_ELIGIBLE = ("cut", "empty", "below_threshold", "unscored:")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundYield:
    """From prompts to training rows; None where the stage that would say has not run.

    `eligible` are the candidates that selection could have chosen. `kept` are the policy's own rows, examples or
    pairs, that came into the training set this round; None until there is a training set.
    """

    prompts: int | None
    drawn: int | None
    judgments: int | None
    scored: int | None
    looked_at: int | None
    eligible: int | None
    kept: int | None


@dataclass(frozen=True, slots=True)
class RowCost:
    """Seconds and tokens for each kept row; tokens are None for a stage that counts none."""

    seconds: float
    tokens: float | None


def yield_of(stages: Mapping[str, Artifact]) -> RoundYield:
    """What the artifacts of one iteration say about its yield."""
    sampled, judged, selected = (stages.get(name) for name in MAKING)
    selection = {} if selected is None else selection_counts(selected)
    lost = sum(number for name, number in selection.items() if name.startswith(_NOT_ELIGIBLE))
    kept = selected if selected is not None and "mix" in stages else None
    return RoundYield(
        prompts=selection.get("prompts"),
        drawn=None if sampled is None else sampled.rows(),
        judgments=None if judged is None else judged.rows("evidence" if judged.has("evidence") else "rows"),
        scored=None if judged is None else int(judged.manifest.counts.get("scored", 0)),
        looked_at=selection.get("candidates"),
        eligible=None if selected is None else selection["candidates"] - lost,
        kept=None if kept is None else kept.rows(training_table(kept)[0]),
    )


def cost_per_row(stages: Mapping[str, Artifact]) -> dict[str, RowCost]:
    """What each stage of one iteration spent for each kept row; nothing where no row was kept."""
    kept = yield_of(stages).kept
    if not kept:
        return {}
    return {name: _per_row(artifact, kept) for name, artifact in stages.items()}


def making_of(costs: Mapping[str, RowCost]) -> RowCost | None:
    """The sum over the stages that make rows; None where one of them is missing."""
    if not costs.keys() >= set(MAKING):
        return None
    made = [costs[name] for name in MAKING]
    tokens = [one.tokens for one in made if one.tokens is not None]
    return RowCost(sum(one.seconds for one in made), sum(tokens) if tokens else None)


def yield_metrics(stages: Mapping[str, Artifact]) -> dict[str, int | float]:
    """`yield/...` and the costs of a kept row by their names in docs/metrics.md; what is not known is left out."""
    found, costs = yield_of(stages), cost_per_row(stages)
    row: dict[str, int | float | None] = {
        "yield/drawn": found.drawn,
        "yield/scored_share": share_of(found.scored, found.judgments),
        "yield/eligible_share": share_of(found.eligible, found.looked_at),
        "yield/kept_rows": found.kept,
        "yield/kept_share": share_of(found.kept, found.drawn),
    }
    for name, one in costs.items():
        row |= {f"cost/{name}/seconds_per_row": one.seconds, f"cost/{name}/tokens_per_row": one.tokens}
    if (made := making_of(costs)) is not None:
        row |= {"cost/per_row/seconds": made.seconds, "cost/per_row/tokens": made.tokens}
    return {name: value for name, value in row.items() if value is not None}


def share_of(part: int | None, whole: int | None) -> float | None:
    """`part` of `whole`; None where either is not known or there is no whole."""
    return part / whole if part is not None and whole else None


def _per_row(artifact: Artifact, kept: int) -> RowCost:
    tokens = None if artifact.tokens is None else artifact.tokens / kept
    return RowCost(artifact.manifest.seconds / kept, tokens)
