"""The new prompts of a run on its page: what became of every draft, round by round."""

from collections.abc import Mapping, Sequence

from selfreward.reading.rounds import Round, share_of
from selfreward.report.figures import DASH, arrow, below, count, decimals, share
from selfreward.report.round_tables import Table
from selfreward.writing.rows import FILTERS

_HEAD = (
    *("round", "asked for", "replies", "drafts", *(name.replace("_", " ") for name in FILTERS)),
    *("over budget", "kept", "share of the round", "energy distance", "p"),
)


def new_prompts(rounds: Sequence[Round]) -> Table:
    """A row for each round in which new prompts were written; no rows where none were."""
    rows = []
    for one in rounds:
        if (written := one.written) is None:
            continue
        found, like = written.report, written.likeness
        told = {"form": found.faults, "overlap": found.overlaps}
        lost = [_lost(found.left_out.get(name), told.get(name, {})) for name in FILTERS]
        rows.append(
            (
                *(arrow(one.t), count(found.budget), f"{found.replies:,} of {found.max_draws:,}", count(found.drafts)),
                *(*lost, count(found.over_budget), count(found.kept), share(share_of(found.kept, found.asked))),
                DASH if like is None else below(decimals(like.energy_distance, 3), f"from {written.beside}"),
                decimals(None if like is None else like.p_value, 3),
            )
        )
    return _HEAD, rows


def _lost(number: int | None, told: Mapping[str, int]) -> str:
    why = ", ".join(f"{name.replace('_', ' ')} {of}" for name, of in told.items())
    return below(count(number), why) if why else count(number)
