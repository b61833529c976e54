"""docs/evidence/controller.md from the rows of scripts/controller_evidence.py, however many of them there are."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from statistics import fmean

from controller_evidence_compare import QUANTITIES, Row, Rows, compare, last_of, reading, seeds_of, shared_seeds

from selfreward.metrics.intervals import Interval

CONTROLLER = "replace_controller"
FROM_NOTHING = "replace_controller_from_0"
CONTROLLERS = (CONTROLLER, FROM_NOTHING)
HEALTHY = "healthy"
KEPT = (("accumulate_0", "replace_0"), ("accumulate_0.3", "replace_0.3"))
EQUAL = "replace_equal_"
ALARMS = ("ALARM", "SEVERE")


def write_table(rows: Rows, planned: Sequence[tuple[str, int]]) -> str:
    """The page in Markdown; cells of `planned` without a row are named as missing."""
    arms = list(dict.fromkeys(arm for arm, _ in planned))
    shown = [arm for arm in arms if seeds_of(rows, arm)]
    lines = [
        "# The controller beside fixed shares",
        "",
        "Written by `python scripts/controller_evidence.py --table` from the rows in [controller](controller);",
        "[README.md](README.md) says what they are and how they are made. Figures are means over seeds, in brackets",
        "each seed's own in the order of the seeds.",
        "",
        *_state_of_rows(rows, planned),
    ]
    if shown:
        lines += _section("The last policy", _last_policy(rows, shown))
        lines += _section("Round by round", _rounds(rows, shown))
        lines += _section("Which arms raise ALARM", _alarms(rows, shown))
        shares = [arm for arm in arms if arm.startswith(EQUAL)] + ["replace_0.1", "replace_0.3"]
        lines += _section("The controller beside a fixed share", _comparisons(rows, product(CONTROLLERS, shares)))
        lines += _section("Rows that are kept beside rows that are replaced", _comparisons(rows, KEPT))
        lines += _section("What the probe can see", _detectable(rows, shown))
    return "\n".join(lines).rstrip() + "\n"


def _state_of_rows(rows: Rows, planned: Sequence[tuple[str, int]]) -> Iterator[str]:
    missing = [f"{arm}:{seed}" for arm, seed in planned if (arm, seed) not in rows]
    if missing:
        yield f"**Not complete**: no row yet for {', '.join(missing)}."
    if not any(arm.startswith(EQUAL) for arm, _ in planned):
        yield f"**Not complete**: the fixed share that equals the controller's waits for all seeds of {CONTROLLER}."
    for arm, seed in planned:
        if (arm, seed) in rows and rows[arm, seed]["ended"] != "complete":
            row = rows[arm, seed]
            yield f"**{arm}:{seed}** {row['ended']} at M{last_of(row)['t']}: too few of its own answers were left."
    for name in ("model", "loop", "data", "measure", "evaluate"):
        different = {repr(rows[cell]["settings"][name]) for cell in planned if cell in rows and cell[0] != HEALTHY}
        if len(different) > 1:
            yield f"**Not comparable**: the rows were made under {len(different)} different settings of `{name}`."
    commits = {commit for cell in planned if cell in rows for commit in rows[cell]["commits"]}
    yield f"Made at {', '.join(sorted(commits)) or 'no known commit'}."


def _section(title: str, body: Iterator[str]) -> list[str]:
    return ["", f"## {title}", "", *body]


COLUMNS: dict[str, Callable[[Row], float | None]] = {
    "greedy": lambda entry: _value(entry["greedy"]),
    "pass@1": lambda entry: _value(entry["pass_at_1"]),
    "matched M0": lambda entry: entry.get("matched_pass_at_1"),
    "open diversity": lambda entry: entry["sem"],
    "people's": lambda entry: entry["human_sem"],
    "human NLL": lambda entry: entry["human_nll"],
    "its rise": lambda entry: entry["human_nll_rise"],
    "recall": lambda entry: entry["recall"],
}


def _last_policy(rows: Rows, arms: Sequence[str]) -> Iterator[str]:
    yield "Greedy accuracy and pass@1 of held-out everyday questions, and pass@1 of the start model at equal diversity;"
    yield "mean pairwise distance of the answers to an open question, and of people's answers to it, cut to one length;"
    yield "nats a token of people's answers, and how far that is above the lowest of all earlier rounds; the share of"
    yield "people's answers within reach of the policy's; human rows spent, and their share of the answer tokens."
    yield ""
    yield f"| arm | {' | '.join(COLUMNS)} | human rows | real share | first ALARM |"
    yield "|---" * (len(COLUMNS) + 4) + "|"
    start = next((arm for arm in arms if arm != HEALTHY), None)
    if start is not None:
        yield _line("start model", [rows[start, seed]["rounds"][0] for seed in seeds_of(rows, start)], ["-"] * 3)
    for arm in arms:
        own = [rows[arm, seed] for seed in seeds_of(rows, arm)]
        if arm == HEALTHY:
            yield _line("start model, its probe", [row["rounds"][0] for row in own], ["-"] * 3)
        spent = [_spent(row) for row in own]
        share = [row["mean_real_share"] for row in own]
        first = ", ".join(_policy(first_alarm(row)) for row in own)
        yield _line(arm, [last_of(row) for row in own], [_cell(spent, 0), _cell(share), first])


def _line(label: str, entries: Sequence[Row], others: Sequence[str]) -> str:
    cells = [_cell([read(entry) for entry in entries]) for read in COLUMNS.values()]
    return f"| {label} | {' | '.join([*cells, *others])} |"


def _rounds(rows: Rows, arms: Sequence[str]) -> Iterator[str]:
    yield "From M0 on; the real share is that of the training set after the policy, diversity is relative to people's."
    yield ""
    yield "| arm | seed | state | human NLL | diversity | real share | controller |"
    yield "|---" * 7 + "|"
    for arm in arms:
        for seed in seeds_of(rows, arm):
            rounds = rows[arm, seed]["rounds"]
            states = " ".join(entry.get("state", "-") for entry in rounds)
            nll = " ".join(_figure(entry["human_nll"], 2) for entry in rounds)
            level = " ".join(_figure(_ratio(entry["sem"], entry["human_sem"]), 2) for entry in rounds)
            shares = " ".join(_figure(entry["real_share"]["realised"], 2) for entry in rounds if "real_share" in entry)
            actions = " ".join(entry["action"] for entry in rounds if "action" in entry)
            yield f"| {arm} | {seed} | {states} | {nll} | {level} | {shares} | {actions} |"


def _alarms(rows: Rows, arms: Sequence[str]) -> Iterator[str]:
    yield "| arm | seeds with ALARM | first, by seed | families beyond their margins then, and their change |"
    yield "|---" * 4 + "|"
    for arm in arms:
        own = [rows[arm, seed] for seed in seeds_of(rows, arm)]
        firsts = [first_alarm(row) for row in own]
        hits = [", ".join(_hits(row, first)) for row, first in zip(own, firsts, strict=True) if first is not None]
        raised = sum(first is not None for first in firsts)
        told = ", ".join(map(_policy, firsts))
        yield f"| {arm} | {raised} of {len(own)} | {told} | {' / '.join(hits) or '-'} |"


def first_alarm(row: Row) -> int | None:
    """The first policy whose state is ALARM or SEVERE; None where there was none."""
    return next((entry["t"] for entry in row["rounds"] if entry.get("state") in ALARMS), None)


def _hits(row: Row, t: int) -> Iterator[str]:
    for family, finding in sorted(row["rounds"][t]["findings"].items()):
        if finding["hit"]:
            yield f"{family} {finding['drop']:.2f}"


def _detectable(rows: Rows, arms: Sequence[str]) -> Iterator[str]:
    yield "What a true change must add to the margin to be seen four times in five: the largest of all rounds, mean"
    yield "over seeds, with the margin behind it. Of `nll` in nats a token, else relative. A monitor that stays silent"
    yield "excludes no smaller change."
    yield ""
    families = list(dict.fromkeys(f for arm in arms for s in seeds_of(rows, arm) for f, _, _ in _found(rows[arm, s])))
    yield f"| arm | {' | '.join(families)} |"
    yield "|---" * (len(families) + 1) + "|"
    for arm in arms:
        cells = []
        for family in families:
            found = [
                [(seen, margin) for name, seen, margin in _found(rows[arm, seed]) if name == family]
                for seed in seeds_of(rows, arm)
            ]
            largest = [max(pairs) for pairs in found if pairs]
            mean = fmean(seen for seen, _ in largest) if largest else None
            cells.append("-" if mean is None else f"{mean:.3f} ({largest[0][1]:.2f})")
        yield f"| {arm} | {' | '.join(cells)} |"


def _found(row: Row) -> Iterator[tuple[str, float, float]]:
    for entry in row["rounds"][1:]:
        for family, finding in entry.get("findings", {}).items():
            yield family, finding["detectable"], finding["margin"]


def _comparisons(rows: Rows, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield "The arm minus the one it is held against, at the last policy. The first interval draws pairs of a seed and a"
    yield "question, the second draws questions, each with all its seeds; the reading takes the outer limits of both."
    yield ""
    yield "| arm | against | quantity | difference | (seed, question) | question | reading |"
    yield "|---" * 7 + "|"
    for ours, other in pairs:
        for quantity in QUANTITIES:
            found = compare(rows, ours, other, quantity.values)
            if found is None:
                yield f"| {ours} | {other} | {quantity.name} | no seed with both rows | - | - | - |"
                continue
            cells = [_cell(list(found.seeds.values()), signed=True), _limits(found.pairs), _limits(found.questions)]
            yield f"| {ours} | {other} | {quantity.name} | {' | '.join(cells)} | {reading(quantity, *found.limits)} |"
        both = shared_seeds(rows, ours, other)
        spent = [_spent(rows[ours, seed]) - _spent(rows[other, seed]) for seed in both]
        if spent:
            yield f"| {ours} | {other} | human rows spent | {_cell(spent, 0, signed=True)} | - | - | - |"


def _spent(row: Row) -> int:
    return max((entry["human_rows_spent"] for entry in row["rounds"] if "human_rows_spent" in entry), default=0)


def _value(found: Mapping[str, float] | None) -> float | None:
    return None if found is None else found["value"]


def _ratio(own: float | None, human: float | None) -> float | None:
    return None if own is None or not human else own / human


def _policy(t: int | None) -> str:
    return "none" if t is None else f"M{t}"


def _limits(found: Interval) -> str:
    return f"[{found.low:+.3f}, {found.high:+.3f}]"


def _cell(values: Sequence[float | None], digits: int = 3, signed: bool = False) -> str:
    """The mean of the values that exist, and behind it each of them."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    each = ", ".join(_figure(value, digits, signed) for value in values)
    return f"{_figure(fmean(known), digits, signed)} ({each})"


def _figure(value: float | None, digits: int, signed: bool = False) -> str:
    return "-" if value is None else f"{value:{'+' if signed else ''}.{digits}f}"
