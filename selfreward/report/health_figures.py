"""The health of the distribution on the page: each family, what could be seen of it, what was done about it."""

import math
from collections.abc import Mapping, Sequence

from selfreward.metrics.intervals import Family, Interval
from selfreward.monitor.controller import Intervention
from selfreward.monitor.detector import State
from selfreward.monitor.findings import PARTS, Finding
from selfreward.reading.rounds import Round, decisions_of
from selfreward.report.charts import ChartFigure, Flag, Series, line_chart, line_figure, points, policies
from selfreward.report.drawing import Point
from selfreward.report.figures import DASH, MINUS, count
from selfreward.stages.decide import Decision
from selfreward.stages.diagnose import Verdict

_TITLES: Mapping[Family, str] = {
    "sem": "Distance between answers: sem",
    "lex": "Wording: lex",
    "ent": "Own entropy: ent",
    "nll": "Likelihood of human answers: nll",
    "recall": "Human answers within reach: recall",
    "human": "Beside people: human",
}
_LETTERS: Mapping[State, str] = {"ALARM": "A", "SEVERE": "S", "INVALID": "?", "INCONCLUSIVE": "?"}
_ASKED, _GOT, _WOULD, _SPENT, _LEFT, _MARGIN = 0, 3, 2, 3, 5, 2
_KINDS: Mapping[Family, int] = dict(zip(PARTS, (0, 1, 3, 4, 5, 6), strict=True))
_SIZES = (0.5, 1, 2, 4, 8, 16)  # of the probe as it was


def families(verdicts: Sequence[tuple[int, Verdict]], among: int) -> dict[Family, ChartFigure]:
    """Each family that was measured against its margin, over `among` policies."""
    figures = {}
    for family, first in earliest(verdicts).items():
        found = [(t, one.findings[family]) for t, one in verdicts if family in one.findings]
        drops = [Point(t, Interval(one.drop, one.low, one.high, one.prompts)) for t, one in found]
        figures[family] = line_figure(
            _TITLES[family],
            "rise, nats per token" if family == "nll" else "drop, as a share",
            [Series(family, 1 if first.part == "loss" else 0, drops)],
            policies(among),
            band=(0.0, first.margin),
            flags=state_flags(verdicts),
        )
    return figures


def sight(verdicts: Sequence[tuple[int, Verdict]]) -> ChartFigure:
    """The effect that each family shows four times in five, over the number of probe prompts."""
    title, found = "What could have been seen", earliest(verdicts)
    if not found:
        return ChartFigure(title, None, missing="No family was measured.")
    prompts = max(one.prompts for one in found.values())
    series = [
        Series(family, _KINDS[family], [Point(x, in_margins(one, prompts * size)) for x, size in enumerate(_SIZES)])
        for family, one in found.items()
    ]
    series.append(Series("1 margin", _MARGIN, (Point(0, 1.0), Point(len(_SIZES) - 1, 1.0)), dashed=True))
    here = [Flag(_SIZES.index(1), "now", f"{prompts} open probe prompts")]
    names = [f"{round(prompts * size):,}" for size in _SIZES]
    drawing = line_chart(f"{title} (margins)", "margins", series, names, flags=here)
    rows, (t, last) = [], verdicts[-1]
    for family, one in found.items():
        write = ("{:.3f} nats" if family == "nll" else "{:.1%}").format
        now = last.findings.get(family)
        at_last = DASH if now is None else write(now.margin + now.detectable)
        drops = (write(one.margin), write(one.margin + one.detectable), at_last)
        rows.append((family, count(one.prompts), *drops, f"{one.prompts * in_margins(one, one.prompts) ** 2:,.0f}"))
    head = ("family", "prompts", "margin", "smallest drop seen, at first", f"at M{t}", "prompts for one margin")
    return ChartFigure(title, drawing, head, rows)


def in_margins(found: Finding, prompts: float) -> float:
    """What a probe of `prompts` would show of the family, in margins: noise falls as 1 / sqrt(prompts)."""
    return found.detectable / found.margin * math.sqrt(found.prompts / prompts)


def earliest(verdicts: Sequence[tuple[int, Verdict]]) -> dict[Family, Finding]:
    """Each family as it was first measured: M0 beside itself, or for human NLL the first round beside M0."""
    found: dict[Family, Finding] = {}
    for _, one in reversed(verdicts):
        found |= one.findings
    return {family: found[family] for family in PARTS if family in found}


def human_data(rounds: Sequence[Round]) -> tuple[ChartFigure, ChartFigure]:
    """The real share and the human rows, with what the controller did."""
    ruled = decisions_of(rounds)
    mixed = [(one.t, one.mixing) for one in rounds if one.mixing is not None]
    names, flags = policies(1 + max((t for t, _ in ruled), default=0)), action_flags(ruled)
    shares = [
        Series("asked", _ASKED, points((t, one.course.real_share) for t, one in ruled)),
        Series("got", _GOT, points((t, one.real_share) for t, one in mixed)),
    ]
    if any(not one.acts for _, one in ruled):
        would = points((t, one.course.shadow_share) for t, one in ruled)
        shares.append(Series("act would", _WOULD, would, dashed=True))
    rows = [
        Series("spent", _SPENT, points((t, one.human_rows_spent) for t, one in mixed)),
        Series("left", _LEFT, points((t, one.human_rows_left) for t, one in mixed)),
    ]
    unit = "pairs" if any(one.unit == "pairs" for _, one in mixed) else "answer tokens"
    return (
        line_figure("Real share", f"share of {unit}", shares, names, flags=flags),
        line_figure("Human rows", "rows", rows, names, flags=flags),
    )


def state_flags(verdicts: Sequence[tuple[int, Verdict]]) -> list[Flag]:
    """Where an alarm stood (A, S for a severe one) and where the monitor could not judge (?)."""
    return [Flag(t, _LETTERS[one.state], one.state) for t, one in verdicts if one.state in _LETTERS]


def action_flags(decisions: Sequence[tuple[int, Decision]]) -> list[Flag]:
    """Where the controller did something, in letters."""
    return [Flag(t, letters, one.course.why) for t, one in decisions if (letters := _letters(one.course))]


def _letters(course: Intervention) -> str:
    match course.action:
        case "raise":
            return "+"
        case "decay":
            return MINUS
        case "escalate":
            return f"R{course.rung}"
        case "stop":
            return "stop"
        case "hold":
            return "dry" if course.state == "BUDGET_EXHAUSTED" else ""
