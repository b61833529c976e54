"""The graphs of the page over all policies: how good they are, how varied, how human text fares."""

from collections.abc import Iterator, Mapping, Sequence

from selfreward.metrics.evaluation import Evaluation
from selfreward.metrics.probe_rows import Measurement
from selfreward.reading.changes import running_minimum
from selfreward.reading.rounds import Round, verdicts_of
from selfreward.report.charts import ChartFigure, Series, line_figure, points, policies
from selfreward.report.comparison_charts import PlacedMark, scatter
from selfreward.report.drawing import Point
from selfreward.report.figures import share

# One look for each quantity, in all charts.
_GREEDY, _PASS_1, _REFERENCE, _CONTROL, _OPEN, _CLOSED, _OPEN_DISTINCT = range(7)


def over_policies(rounds: Sequence[Round], control: Sequence[Round]) -> tuple[ChartFigure, ...]:
    """Four graphs: how good the policies are, how varied, how unlikely human text is to them, how long they answer.

    Beside their quality stands the start model at matched diversity, and the control's.
    """
    # A control may have gone on for longer than this run.
    found, beside, probe = _evaluated(rounds), _evaluated(control[: len(rounds)]), _measured(rounds)
    opened = [(t, one.open) for t, one in probe if one.open is not None]
    quality = (
        Series("greedy", _GREEDY, points((t, one.greedy) for t, one in found)),
        Series("pass@1", _PASS_1, points((t, one.pass_1) for t, one in found)),
        Series("M0 matched", _REFERENCE, points((t, _matched(t, one)) for t, one in found), dashed=True),
        Series("control", _CONTROL, points((t, one.pass_1) for t, one in beside)),
    )
    diversity = (
        Series("closed distinct", _CLOSED, _relative([(t, one.closed_distinct_share) for t, one in probe])),
        Series("open distance", _OPEN, _relative([(t, one.open_distance) for t, one in probe])),
        Series("open distinct-2", _OPEN_DISTINCT, _relative([(t, one.across.distinct2) for t, one in opened])),
    )
    human = (
        Series("human NLL", _OPEN, points((t, one.human_nll) for t, one in probe)),
        Series("its minimum", _REFERENCE, points(running_minimum(rounds)), dashed=True),
    )
    lengths = (
        Series("closed", _CLOSED, points((t, one.closed.mean_tokens) for t, one in probe if one.closed)),
        Series("open", _OPEN, points((t, one.mean_tokens) for t, one in opened)),
    )
    names = policies(len(rounds))
    return (
        line_figure("Quality", "share right", quality, names),
        line_figure("Diversity", "relative to M0", diversity, names),
        line_figure("Human text", "nats per token", human, names),
        line_figure("Answer length", "tokens", lengths, names),
    )


def path_of(rounds: Sequence[Round], beside: Mapping[str, Sequence[Round]]) -> ChartFigure:
    """Quality against diversity, one place for each policy, joined in their order; those of other runs by name."""
    greedy = any(one.greedy is not None for _, one in _evaluated(rounds))
    title, y_name = "Quality against diversity", "greedy accuracy" if greedy else "gold accuracy"
    marks = list(_placed(rounds, greedy))
    if not marks:
        return ChartFigure(title, None)
    for kind, (name, others) in enumerate(beside.items(), start=1):
        marks += _placed(others[1:], greedy, kind, f" of {name}")
    x_name = "open diversity, relative to M0"
    rows = [(one.tooltip, share(one.at.x), share(one.at.value)) for one in marks]
    drawing = scatter(x_name, y_name, marks, kinds=["this run", *beside] if beside else (), joined=True)
    return ChartFigure(title, drawing, ("policy", x_name, y_name), rows)


def _placed(rounds: Sequence[Round], greedy: bool, kind: int = 0, of: str = "") -> Iterator[PlacedMark]:
    ratios = {t: one.sem_ratio for t, one in verdicts_of(rounds)}
    for t, one in _evaluated(rounds):
        x, y = ratios.get(t), one.greedy if greedy else None if one.gold is None else one.gold.accuracy
        if x is not None and y is not None:
            yield PlacedMark(t, f"M{t}{of}", kind, Point(x, y))


def _evaluated(rounds: Sequence[Round]) -> list[tuple[int, Evaluation]]:
    return [(one.t, one.evaluation) for one in rounds if one.evaluation is not None]


def _measured(rounds: Sequence[Round]) -> list[tuple[int, Measurement]]:
    return [(one.t, one.measurement) for one in rounds if one.measurement is not None]


def _matched(t: int, found: Evaluation) -> float | None:
    """The start model matches itself; later policies where they have been compared with it."""
    if found.matched is not None:
        return found.matched.pass_at_1
    return found.pass_1.value if t == 0 and found.pass_1 is not None else None


def _relative(found: Sequence[tuple[int, float | None]]) -> list[Point]:
    start = dict(found).get(0)
    return points((t, value / start if value is not None else None) for t, value in found) if start else []
