"""The table of a comparison, the same in the terminal, in the CSV file and on the page."""

import csv
import io
from dataclasses import dataclass

from selfreward.metrics.intervals import Interval
from selfreward.reading.rounds import Cost
from selfreward.report.comparison_cells import Cell, Comparison, paid, setting, shared
from selfreward.report.comparison_charts import clipped
from selfreward.report.figures import DASH, change, count, plural, seconds, share
from selfreward.report.markup import Child, Markup
from selfreward.report.tables import table, with_limits

_LONGEST = 60  # characters of a setting; a rubric or a system prompt has many more, and lines of its own


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric that runs are compared by; docs/metrics.md defines it."""

    short: str
    name: str
    metric: str
    signed: bool = False

    def text_of(self, value: float | None) -> str:
        """A value of it, or a dash."""
        return change(value) if self.signed else share(value)


GREEDY = Measure("greedy", "greedy accuracy", "eval/closed/greedy_accuracy")
PASS_1 = Measure("pass@1", "pass@1", "eval/closed/pass_at_1")
GAIN = Measure("gain", "gain over M0 at equal diversity", "matched/gain/pass_at_1", signed=True)
DISTINCT = Measure("distinct", "distinct share", "eval/closed/distinct_share")
OPEN = Measure("open", "open pairwise distance", "diversity/open/pairwise_distance")
NLL = Measure("NLL", "human NLL", "diversity/open/human_nll")
SEM_DROP = Measure("sem drop", "drop of sem", "final/sem_drop", signed=True)
RISE = Measure("rise", "rise of human NLL over its minimum", "final/human_nll_rise", signed=True)
MEASURES = (GREEDY, PASS_1, GAIN, DISTINCT, OPEN, SEM_DROP, NLL, RISE)


def plain_table(comparison: Comparison) -> list[str]:
    """The lines of the table: one for each run, columns aligned."""
    head = (
        "#",
        *_names(comparison),
        "state",
        "t",
        "alarm",
        *(one.short for one in MEASURES),
        "human",
        "seconds",
        "tokens",
    )
    body = [
        (
            str(number),
            *_identity(comparison, cell),
            cell.state,
            _iteration(cell),
            _alarm(cell),
            *(one.text_of(cell.metric(one.metric)) for one in MEASURES),
            count(cell.human_rows),
            f"{cell.cost.seconds:,.2f}",
            count(cell.cost.tokens),
        )
        for number, cell in enumerate(comparison.cells, start=1)
    ]
    widths = [max(len(row[i]) for row in (head, *body)) for i in range(len(head))]
    return ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in (head, *body)]


def notes(comparison: Comparison) -> list[str]:
    """Below the table: what failed and why, what all of it cost, what was shared."""
    return [*failures(comparison), *cost_notes(comparison)]


def failures(comparison: Comparison) -> list[str]:
    """A line for each run that failed, by its number in the table."""
    numbered = enumerate(comparison.cells, start=1)
    return [f"{number} failed: {cell.error}" for number, cell in numbered if cell.state == "failed"]


def cost_notes(comparison: Comparison) -> list[str]:
    """What the runs cost together, beside what the dearest of them costs, and what they shared."""
    dearest = max((cell.cost.seconds for cell in comparison.cells), default=0.0)
    if dearest == 0:
        return []
    together = paid(comparison.cells)
    apart = sum(cell.cost.seconds for cell in comparison.cells)
    told = [
        f"total paid {_work(together)} = {together.seconds / dearest:.1f} x the dearest run ({seconds(dearest)}); "
        f"apart they would have cost {seconds(apart)}"
    ]
    if several := shared(comparison.cells):
        listed = ", ".join(f"{one.artifacts} {one.stage} (used {one.uses} times)" for one in several)
        told.append(f"made once for several runs: {listed}")
    return told


def csv_text(comparison: Comparison) -> str:
    """The table with all digits; what does not exist is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    measured = [f"{one.metric}{end}" for one in MEASURES for end in ("", "_low", "_high")]
    swept = [axis.name for axis in comparison.columns]
    costs = ["seconds", "seconds_shared", "tokens"]
    writer.writerow(["run", "state", "error", *swept, "iteration", *measured, "first_alarm", "human_rows", *costs])
    for cell in comparison.cells:
        last = {} if cell.last is None else cell.last
        writer.writerow(
            [
                cell.name,
                cell.state,
                cell.error,
                *(setting(cell, name) for name in swept),
                last.get("loop/iteration"),
                *(last.get(name) for name in measured),
                last.get("final/first_alarm"),
                cell.human_rows,
                round(cell.cost.seconds, 3),
                round(shared_seconds(comparison, cell), 3),
                cell.cost.tokens,
            ]
        )
    return out.getvalue()


def html_table(comparison: Comparison) -> Markup:
    """The table with intervals."""
    head = (
        "#",
        *_names(comparison),
        "state",
        "policy",
        "first alarm",
        *(one.name for one in MEASURES),
        "human rows",
        "time",
        "of it shared",
        "tokens",
    )
    rows: list[tuple[Child, ...]] = [
        (
            str(number),
            *_identity(comparison, cell),
            cell.state,
            DASH if cell.last is None else f"M{_iteration(cell)}",
            _alarm(cell),
            *(_measured(cell, one) for one in MEASURES),
            count(cell.human_rows),
            seconds(cell.cost.seconds),
            seconds(shared_seconds(comparison, cell)),
            count(cell.cost.tokens),
        )
        for number, cell in enumerate(comparison.cells, start=1)
    ]
    return table(head, rows)


def shared_seconds(comparison: Comparison, cell: Cell) -> float:
    """How much of what a run cost went into artifacts that other runs use too."""
    others = {key for other in comparison.cells if other.name != cell.name for key in other.costs}
    return sum(cost.seconds for key, cost in cell.costs.items() if key in others)


def short_name(comparison: Comparison, cell: Cell) -> str:
    """A run by what is swept, without the groups: `k=2 real_share=0.1`."""
    told = " ".join(f"{axis.name.rpartition('.')[2]}={setting(cell, axis.name)}" for axis in comparison.columns)
    return cell.name if not told or _needs_names(comparison) else told


def _needs_names(comparison: Comparison) -> bool:
    """Whether what is swept does not tell the runs apart."""
    places = {tuple(setting(cell, axis.name) for axis in comparison.columns) for cell in comparison.cells}
    return len(places) < len(comparison.cells) or not all(cell.settings for cell in comparison.cells)


def _names(comparison: Comparison) -> tuple[str, ...]:
    swept = tuple(axis.name for axis in comparison.columns)
    return ("run", *swept) if _needs_names(comparison) else swept


def _identity(comparison: Comparison, cell: Cell) -> tuple[str, ...]:
    swept = tuple(clipped(" ".join(setting(cell, axis.name).split()), _LONGEST) for axis in comparison.columns)
    return (cell.name, *swept) if _needs_names(comparison) else swept


def _iteration(cell: Cell) -> str:
    return DASH if cell.last is None else str(cell.last["loop/iteration"])


def _alarm(cell: Cell) -> str:
    """The first policy with an alarm, or a dash."""
    first = None if cell.last is None else cell.last.get("final/first_alarm")
    return DASH if first is None else f"M{first}"


def _measured(cell: Cell, measure: Measure) -> Child:
    value = cell.metric(measure.metric)
    low, high = (cell.metric(f"{measure.metric}_{end}") for end in ("low", "high"))
    if value is None or low is None or high is None:
        return measure.text_of(value)
    return with_limits(Interval(value, low, high, 0), signed=measure.signed)


def _work(cost: Cost) -> str:
    told = seconds(cost.seconds)
    return told if cost.tokens is None else f"{told} ({plural(cost.tokens, 'token')})"
