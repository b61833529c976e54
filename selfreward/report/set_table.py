"""The held-out sets of a run one below the other: where a policy is good, and where it fails."""

from collections.abc import Iterable, Sequence

from selfreward.metrics.evaluation import Evaluation
from selfreward.reading.rounds import Round
from selfreward.report.figures import count, decimals, limited, share
from selfreward.report.round_tables import Table

_HEAD = (
    *("set", "policy", "questions", "greedy accuracy", "since M0", "pass@1", "since M0"),
    *("distinct share", "tokens, closed", "tokens, open"),
)


def set_table(policies: Iterable[tuple[str, Round]]) -> Table:
    """The policies by set, in the order of the settings; no rows where held-out prompts are one set without a name."""
    rows: dict[str, list[Sequence[str]]] = {}
    for policy, one in policies:
        for name, found in (one.evaluation_by_set or {}).items():
            rows.setdefault(name, []).append((name, policy, *_cells(found)))
    return _HEAD, [row for of_set in rows.values() for row in of_set]


def _cells(found: Evaluation) -> list[str]:
    closed, open_ = found.closed, found.open
    return [
        count(None if closed is None else closed.prompts),
        limited(found.greedy),
        limited(found.since_greedy, signed=True),
        limited(found.pass_1),
        limited(found.since_pass_1, signed=True),
        share(None if closed is None else closed.distinct_share),
        *(decimals(None if one is None else one.mean_tokens, 1) for one in (closed, open_)),
    ]
