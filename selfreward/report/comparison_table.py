"""What stands in the table of a comparison, in the terminal as on the page."""

from dataclasses import dataclass

from selfreward.metrics.intervals import Interval
from selfreward.reading.compared_runs import Cell, Comparison, paid, setting, shared, shared_seconds
from selfreward.report.figures import DASH, clipped, count, limited, plural, seconds

_LONGEST = 60  # characters of a setting; a rubric or a system prompt has many more, and lines of its own


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """A metric that runs are compared by; docs/metrics.md defines it."""

    short: str
    name: str
    metric: str
    signed: bool = False

    def of(self, cell: Cell) -> Interval | float | None:
        """What a run has of it, with limits where it has any."""
        value, low, high = (cell.metric(f"{self.metric}{end}") for end in ("", "_low", "_high"))
        return value if value is None or low is None or high is None else Interval(value, low, high, 0)


GREEDY = ComparedMetric("greedy", "greedy accuracy", "eval/closed/greedy_accuracy")
PASS_1 = ComparedMetric("pass@1", "pass@1", "eval/closed/pass_at_1")
GAIN = ComparedMetric("gain", "gain over M0 at equal diversity", "matched/gain/pass_at_1", signed=True)
DISTINCT = ComparedMetric("distinct", "distinct share", "eval/closed/distinct_share")
OPEN = ComparedMetric("open", "open pairwise distance", "diversity/open/pairwise_distance")
NLL = ComparedMetric("NLL", "human NLL", "diversity/open/human_nll")
SEM_DROP = ComparedMetric("sem drop", "drop of sem", "final/sem_drop", signed=True)
RISE = ComparedMetric("rise", "rise of human NLL over its minimum", "final/human_nll_rise", signed=True)
MEASURES = (GREEDY, PASS_1, GAIN, DISTINCT, OPEN, SEM_DROP, NLL, RISE)
_OF_RL = (
    ComparedMetric("RL KL", "KL that RL reached, nats a token", "final/kl_to_reference"),
    ComparedMetric("RL tokens", "tokens that RL drew", "final/tokens_drawn"),
)


def measures_of(comparison: Comparison) -> tuple[ComparedMetric, ...]:
    """What the runs are compared by: what all have, and what reinforcement learning has where a run has it."""
    return (*MEASURES, *(one for one in _OF_RL if any(one.of(cell) is not None for cell in comparison.cells)))


def page_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table with intervals."""
    measures = measures_of(comparison)
    head = ["#", *columns_of(comparison), "state", "policy", "first alarm", *(one.name for one in measures)]
    head += ["human rows", "time", "of it shared", "tokens"]
    rows = []
    for number, cell in enumerate(comparison.cells, start=1):
        policy = DASH if cell.last is None else f"M{last_policy(cell)}"
        told = [*identity(comparison, number, cell), policy, first_alarm(cell)]
        told += [limited(one.of(cell), signed=one.signed) for one in measures]
        times = (seconds(cell.cost.seconds), seconds(shared_seconds(comparison, cell)))
        rows.append([*told, count(cell.human_rows), *times, count(cell.cost.tokens)])
    return head, rows


def notes(comparison: Comparison) -> list[str]:
    """Below the table: what failed and why, what all of it cost, what was shared."""
    return [*failures(comparison), *cost_notes(comparison)]


def failures(comparison: Comparison) -> list[str]:
    """A line for each run that failed, by its number in the table."""
    numbered = enumerate(comparison.cells, start=1)
    return [f"{number} failed: {cell.error}" for number, cell in numbered if cell.state == "failed"]


def cost_notes(comparison: Comparison) -> list[str]:
    """What the runs cost together, beside what the dearest of them costs, and what they shared."""
    costs = [cell.cost.seconds for cell in comparison.cells]
    if not any(costs):
        return []
    together, dearest = paid(comparison.cells), max(costs)
    work = seconds(together.seconds) + ("" if together.tokens is None else f" ({plural(together.tokens, 'token')})")
    told = [
        f"total paid {work} = {together.seconds / dearest:.1f} x the dearest run ({seconds(dearest)}); "
        f"apart they would have cost {seconds(sum(costs))}"
    ]
    if several := shared(comparison.cells):
        listed = ", ".join(f"{len(uses)} {stage} (used {sum(uses)} times)" for stage, uses in several.items())
        told.append(f"made once for several runs: {listed}")
    return told


def short_name(comparison: Comparison, cell: Cell) -> str:
    """A run by what is swept, without the groups: `k=2 real_share=0.1`."""
    told = " ".join(f"{name.rpartition('.')[2]}={setting(cell, name)}" for name in comparison.columns)
    return cell.name if not told or _needs_names(comparison) else told


def _needs_names(comparison: Comparison) -> bool:
    """Whether what is swept does not tell the runs apart."""
    places = {tuple(setting(cell, name) for name in comparison.columns) for cell in comparison.cells}
    return len(places) < len(comparison.cells) or not all(cell.settings for cell in comparison.cells)


def columns_of(comparison: Comparison) -> list[str]:
    """What tells one run from another: what is swept, and the name where that is not enough."""
    return [*(["run"] if _needs_names(comparison) else []), *comparison.columns]


def identity(comparison: Comparison, number: int, cell: Cell) -> list[str]:
    """The cells that say which run it is, and its state."""
    swept = [clipped(" ".join(setting(cell, name).split()), _LONGEST) for name in comparison.columns]
    return [str(number), *([cell.name] if _needs_names(comparison) else []), *swept, cell.state]


def last_policy(cell: Cell) -> str:
    """The number of the last policy that was evaluated, or a dash."""
    return DASH if cell.last is None else str(cell.last["loop/iteration"])


def first_alarm(cell: Cell) -> str:
    """The first policy with an alarm, or a dash."""
    first = None if cell.last is None else cell.last.get("final/first_alarm")
    return DASH if first is None else f"M{first}"
