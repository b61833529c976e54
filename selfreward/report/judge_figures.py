"""A judge's figures on a page: a table with what people reach, biases beside where they rest, how scores are spread."""

from collections.abc import Iterable, Mapping, Sequence

from selfreward.judge_quality.bias import ScoreBin
from selfreward.judge_quality.estimate import Measure
from selfreward.judge_quality.measures import BIASES
from selfreward.report.calibrated import ceiling
from selfreward.report.charts import Bar, bar_chart, label, marker, nice_ticks, svg, tick_labels
from selfreward.report.figures import MINUS, count, limits, share
from selfreward.report.markup import Child, Markup, element, joined
from selfreward.report.plots import figure
from selfreward.report.tables import table, with_limits

ABOUT: Mapping[str, str] = {
    "accuracy": "pairs on which it prefers what most people prefer, a tie for half; a coin has .5",
    "kappa": "agreement with most people beyond chance; a coin has 0",
    "quadratic_kappa": "agreement of its scores with people's ratings, near misses counted less",
    "spearman": "rank correlation of its margins with people's",
    "kendall": "the same by pairs of items, tau-b",
    "calibration_error": "how far its confidence is from its accuracy; 0 is best",
    "flip_rate": "verdicts that change when the two answers change places; rests at 0",
    "same_position": "the same place wins in both orders, of decided pairs; rests at 0",
    "position_preference": "preference for the answer shown first, less one half; rests at 0",
    "length_slope": "preference gained by being twice as long, at equal human label; rests at 0",
    "self_preference": "preference for its own answers, at equal human label and length; rests at 0",
    "length_slope_corrected": "length slope without the errors of people's labels; needs several verdicts a pair",
    "self_preference_corrected": "self-preference without those errors; needs several verdicts a pair",
    "share_at_maximum": "scores at the top of the scale",
    "parse_rate": "verdicts that could be read; rests at 1",
    "mean_score": "in the judge's own unit",
    "tie_share": "pairs on which it prefers neither",
    "sensitivity": "preferred answers that it calls right: scores in the upper half of its scale",
    "specificity": "the other answers that it does not call right",
    "informedness": "sensitivity and specificity less 1; 0 tells nothing",
    "fleiss_kappa": "agreement of people beyond chance, all at once",
    "krippendorff_alpha": "the same, for any number of people",
    "mean_pairwise_kappa": "Cohen's kappa, mean over all two of them: the ceiling of the judge's kappa",
}
_RESTS = {name: 1.0 if name == "parse_rate" else 0.0 for name in BIASES if name != "share_at_maximum"}
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 460.0, 150.0, 446.0, 10.0, 27.0
_JUDGE = 0


def measures_table(measures: Sequence[Measure], people: Sequence[Measure]) -> Markup:
    """Every measure with its interval, or why it is missing; `people` are those of the people among themselves."""
    rows: list[tuple[Child, ...]] = []
    for one in measures:
        best = ceiling(one.name, people)
        rows.append((_named(one.name), *_figures(one), with_limits(None if best is None else best.interval)))
    return table(("measure", "value", "pairs", "prompts", "left out", "people"), rows)


def people_table(people: Sequence[Measure]) -> Markup:
    """How far people agree among themselves."""
    return table(
        ("measure", "value", "pairs", "prompts", "left out"), [(_named(one.name), *_figures(one)) for one in people]
    )


def missing_measures(measures: Iterable[Measure]) -> Markup:
    """A line for each measure that does not exist, with the reason; nothing where all exist."""
    lines = [element("li", f"{one.name}: {one.why_missing}") for one in measures if one.interval is None]
    return element("div", element("p", "Not measured:"), element("ul", *lines), class_="hint") if lines else joined([])


def bias_panel(measures: Sequence[Measure]) -> Markup:
    """The biases on one axis, each with its interval and, dashed, the value of a judge without it."""
    title = "Biases"
    caption = (
        "A bar that does not reach its dashed mark is a bias that chance does not explain. Share at the maximum has "
        "no such mark: it depends on how good the answers are."
    )
    given = {one.name: one.interval for one in measures}
    there = [(name, found) for name in BIASES if (found := given.get(name)) is not None]
    if not there:
        return figure(title, element("p", "None could be measured.", class_="empty"), caption)
    ticks = nice_ticks(min(0.0, *(one.low for _, one in there)), max(1.0, *(one.high for _, one in there)))

    def x(value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    bottom = _TOP + _ROW * len(there)
    parts: list[Child] = []
    for tick, written in zip(ticks, tick_labels(ticks), strict=True):
        parts.append(element("line", x1=x(tick), x2=x(tick), y1=_TOP, y2=bottom, class_="grid"))
        parts.append(label(written, x(tick), bottom + 16, "tick middle"))
    for place, (name, found) in enumerate(there):
        y = _TOP + _ROW * (place + 0.5)
        parts.append(label(name.replace("_", " "), _LEFT - 10, y + 4, "name end"))
        if (rest := _RESTS.get(name)) is not None:
            parts.append(element("line", x1=x(rest), x2=x(rest), y1=y - 9, y2=y + 9, class_="flagged"))
        told = element("title", f"{name}: {share(found.value)} {limits(found)}")
        bar = f"M{x(found.low):.1f} {y:.1f}H{x(found.high):.1f}M{x(found.low):.1f} {y - 4:.1f}v8"
        drawn = element("path", d=f"{bar}M{x(found.high):.1f} {y - 4:.1f}v8", class_="limits")
        parts.append(
            element(
                "g",
                drawn,
                element("path", told, d=marker(_JUDGE, x(found.value), y), class_="marker"),
                class_=f"k{_JUDGE}",
            )
        )
    rows = [(_named(name), share(found.value), limits(found)) for name, found in there]
    drawing = svg(_WIDTH, bottom + 24, "Biases with 95% intervals", parts)
    return figure(title, drawing, caption, table(("bias", "value", "95% interval"), rows))


def histogram(scores: Sequence[ScoreBin], judged: str) -> tuple[Markup, ...]:
    """How often each score was given to what was `judged`; nothing where the judge gives no scores."""
    if not scores:
        return ()
    bars = [Bar(_bin(one), ((one.count, _JUDGE),)) for one in scores]
    drawing = bar_chart(bars, scale=max(one.count for one in scores), title="Scores")
    return (figure("Scores", drawing, f"How often {judged} got each score, in the judge's own unit."),)


def _bin(one: ScoreBin) -> str:
    name = f"{one.low:.4g}" if one.low == one.high else f"{one.low:.3g} to {one.high:.3g}"
    return name.replace("-", MINUS)


def _named(name: str) -> Child:
    return joined((name.replace("_", " "), element("small", ABOUT[name])))


def _figures(one: Measure) -> tuple[Child, ...]:
    items, prompts = (None, None) if one.interval is None else (one.interval.n, one.prompts)
    return (with_limits(one.interval), count(items), count(prompts), count(one.left_out))
