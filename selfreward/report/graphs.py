"""The charts of the page: which numbers go into which."""

from collections.abc import Callable, Sequence

from selfreward.metrics.evaluation import Evaluation
from selfreward.metrics.intervals import Interval
from selfreward.metrics.probe_rows import Measurement
from selfreward.reading.changes import running_minimum
from selfreward.reading.rounds import Round
from selfreward.records import Stratum
from selfreward.report.charts import Point, Series
from selfreward.report.markup import Markup
from selfreward.report.plots import line_figure, policies

# One look for each quantity, in all charts.
_GREEDY, _PASS_1, _REFERENCE, _CONTROL, _OPEN, _CLOSED, _OPEN_DISTINCT = range(7)


def quality(steps: tuple[Round, ...], control: tuple[Round, ...]) -> Markup:
    """Greedy accuracy, pass@1, the start model at matched diversity, and the control's pass@1."""
    series = [
        Series("greedy", _GREEDY, _intervals(steps, lambda one: one.greedy)),
        Series("pass@1", _PASS_1, _intervals(steps, lambda one: one.pass_1)),
        Series("M0 matched", _REFERENCE, _matched(steps), dashed=True),
        # A control may have gone on for longer than this run.
        Series("control", _CONTROL, _intervals(control[: len(steps)], lambda one: one.pass_1)),
    ]
    caption = (
        "Share of right answers to closed questions. “M0 matched” is the start model's pass@1 at the temperature where "
        "its answers are as varied as those of the policy above it: only what lies above that line is not sharpening."
    )
    return _figure("Quality", "share right", caption, series, steps)


def diversity(steps: tuple[Round, ...]) -> Markup:
    """Three measures of how varied answers are, each relative to the start model."""
    series = [
        Series("closed distinct", _CLOSED, _relative(steps, lambda one: one.closed_distinct_share)),
        Series("open distance", _OPEN, _relative(steps, lambda one: one.open_distance)),
        Series("open distinct-2", _OPEN_DISTINCT, _relative(steps, lambda one: one.open_distinct2)),
    ]
    caption = "Distinct answers to closed prompts; pairwise distance and distinct-2 of answers to open ones."
    return _figure("Diversity", "relative to M0", caption, series, steps)


def human_nll(steps: tuple[Round, ...]) -> Markup:
    """How unlikely the policies find what people wrote."""
    minimum = tuple(Point(t, value) for t, value in running_minimum(steps))
    series = [
        Series("human NLL", _OPEN, _measured(steps, lambda one: one.human_nll)),
        Series("its minimum", _REFERENCE, minimum, dashed=True),
    ]
    caption = (
        "Mean negative log-likelihood of human answers to the open probe prompts. Rising above its running minimum is "
        "an early sign of drift away from human text."
    )
    return _figure("Human text", "nats per token", caption, series, steps)


def lengths(steps: tuple[Round, ...]) -> Markup:
    """Mean answer length by stratum."""

    def of(stratum: Stratum) -> tuple[Point, ...]:
        return _measured(steps, lambda one: one.mean_tokens(stratum))

    caption = "Mean length of sampled answers to the probe, the end of turn included."
    series = [Series("closed", _CLOSED, of("closed")), Series("open", _OPEN, of("open"))]
    return _figure("Answer length", "tokens", caption, series, steps)


def _figure(title: str, unit: str, caption: str, series: Sequence[Series], steps: tuple[Round, ...]) -> Markup:
    return line_figure(title, unit, caption, series, names=policies(len(steps)))


def _intervals(steps: tuple[Round, ...], pick: Callable[[Evaluation], Interval | None]) -> tuple[Point, ...]:
    found = [(step.t, pick(step.evaluation)) for step in steps if step.evaluation is not None]
    return tuple(Point(t, one.value, one.low, one.high) for t, one in found if one is not None)


def _matched(steps: tuple[Round, ...]) -> tuple[Point, ...]:
    """The start model matches itself; later policies where they have been compared with it."""
    points = []
    for step in steps:
        if (found := step.evaluation) is None:
            continue
        if found.matched is not None:
            points.append(Point(step.t, found.matched.pass_at_1))
        elif step.t == 0 and found.pass_1 is not None:
            points.append(Point(0, found.pass_1.value))
    return tuple(points)


def _measured(steps: tuple[Round, ...], pick: Callable[[Measurement], float | None]) -> tuple[Point, ...]:
    found = [(step.t, pick(step.measurement)) for step in steps if step.measurement is not None]
    return tuple(Point(t, value) for t, value in found if value is not None)


def _relative(steps: tuple[Round, ...], pick: Callable[[Measurement], float | None]) -> tuple[Point, ...]:
    points = _measured(steps, pick)
    if not points or points[0].x != 0 or points[0].value == 0:
        return ()
    return tuple(Point(point.x, point.value / points[0].value) for point in points)
