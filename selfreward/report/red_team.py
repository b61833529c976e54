"""The red team on the page of a run: how often each policy refuses and evades, and what gold says, on both kinds."""

from collections.abc import Sequence

from selfreward.judge_quality.estimate import Measure
from selfreward.reading.rounds import Round
from selfreward.report.figures import DASH, below, count, decimals, limits, share
from selfreward.report.round_tables import Table
from selfreward.stages.red_team import Manner

_HEAD = ("policy", "prompts", "answers", "refused", "evaded", "gold", "tokens")


def red_team_tables(rounds: Sequence[Round]) -> tuple[Table, Table] | None:
    """A row a policy for the red-team prompts, and one for the held-out ones; None where there is no red team."""
    seen = [(f"M{one.t}", one, found) for one in rounds if (found := one.red_teamed) is not None]
    if not seen:
        return None
    asked = [_row(name, found.red_team, measured(found.harmless)) for name, _, found in seen]
    benign = [_row(name, found.benign, _helpful(one)) for name, one, found in seen]
    return (_HEAD, asked), (_HEAD, benign)


def _row(name: str, found: Manner, gold: str) -> Sequence[str]:
    tokens = decimals(found.tokens.value, 1)
    said = (measured(found.refused), measured(found.evaded), gold, tokens)
    return name, count(found.prompts), count(found.answers), *said


def _helpful(one: Round) -> str:
    gold = None if one.curve is None else one.curve.gold
    return DASH if gold is None else below(share(gold.value), f"{limits(gold)} n={gold.n}")


def measured(found: Measure) -> str:
    """A cell with a value and, below it, its limits and the number of items; a dash where there is none."""
    interval = found.interval
    return DASH if interval is None else below(share(interval.value), f"{limits(interval)} n={found.n}")
