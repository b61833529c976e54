"""The health of the distribution on the page: what contracted, what human mass was lost, what was done about it."""

from collections.abc import Mapping

from selfreward.artifacts.runs import RunView
from selfreward.metrics.paired_values import Family
from selfreward.monitor.controller import Intervention
from selfreward.monitor.detector import State
from selfreward.monitor.findings import PARTS
from selfreward.reading.rounds import Diagnosed, Round
from selfreward.report.charts import Flag, Point, Series
from selfreward.report.comparison_charts import Mark, scatter
from selfreward.report.figures import DASH, MINUS, share
from selfreward.report.markup import Child, Markup, element
from selfreward.report.plots import figure, line_figure, policies
from selfreward.report.sight import sight
from selfreward.report.survival import survival
from selfreward.report.tables import section, table
from selfreward.report.waterfall import waterfall
from selfreward.stages.decide import Decision

_INTRO = (
    "From the open probe prompts. An alarm (A, a severe one S) takes two things in one round: contraction beyond its "
    "margin (sem or ent) and loss of human mass beyond its margin (nll, recall or human). Contraction alone is at most "
    "a warning: a policy that learns to answer as people do narrows too. A ? marks a round that could not be judged."
)
_ABOUT: dict[Family, tuple[str, str]] = {
    "sem": (
        "Distance between answers: sem",
        "How much closer the answers to one prompt lie than M0's did, at equal length; rising is contraction.",
    ),
    "lex": (
        "Wording: lex",
        "How much more wording the answers to one prompt share than M0's did; alone it is a matter of format.",
    ),
    "ent": (
        "Own entropy: ent",
        "How much surer the policy is of its own next words than M0 was of its own; rising is contraction.",
    ),
    "nll": (
        "Likelihood of human answers: nll",
        "How much less likely human answers became than at any earlier round; rising is loss of human mass.",
    ),
    "recall": (
        "Human answers within reach: recall",
        "How many fewer human answers lie near the policy's own than lay near M0's; rising is loss of human mass.",
    ),
    "human": (
        "Beside people: human",
        "How far the answers' distance falls short of that of people's own; rising is loss of human mass.",
    ),
}
_LETTERS: Mapping[State, str] = {"ALARM": "A", "SEVERE": "S", "INVALID": "?", "INCONCLUSIVE": "?"}
_ASKED, _GOT, _WOULD, _SPENT, _LEFT = 0, 3, 2, 3, 5


def health(view: RunView, steps: tuple[Round, ...], watches: tuple[Diagnosed, ...]) -> Markup:
    """The section of the page."""
    if not watches:
        return section("Health of the distribution", _INTRO, element("p", "Nothing diagnosed yet.", class_="empty"))
    count = len(steps)
    families = [
        _family(family, watches, count) for family in PARTS if any(family in one.verdict.findings for one in watches)
    ]
    missing = [family for family in PARTS if not any(family in one.verdict.findings for one in watches)]
    unmeasured = [element("p", f"Never measured: {', '.join(missing)}.", class_="hint")] if missing else []
    rest = [sight(watches), survival(view), _path(steps, watches), waterfall(watches)]
    return section(
        "Health of the distribution",
        _INTRO,
        _states(watches),
        element("h3", "Each family against its margin", class_="apart"),
        element(
            "p",
            "Bars are 95% intervals, each of its own round. The table above says which families were hit: the test "
            "pays for all rounds, so a bar that lies wholly above the shaded margin is not yet a hit. At M0 its own "
            "answers stand beside each other, so its distance from 0 is noise; beside people, it is where the run "
            "starts from.",
            class_="intro",
        ),
        element("div", *families, class_="grid"),
        *unmeasured,
        element("h3", "What it means, and what was done", class_="apart"),
        element("div", *rest, *_human_data(steps, watches), class_="grid"),
    )


def _states(watches: tuple[Diagnosed, ...]) -> Markup:
    rows: list[tuple[Child, ...]] = []
    for one in watches:
        hits = [finding for finding in one.verdict.ordered if finding.hit]
        course = None if one.decision is None else one.decision.course
        rows.append(
            (
                f"M{one.t}",
                element("span", one.verdict.state, class_="bad" if one.verdict.is_alarm else ""),
                ", ".join(finding.family for finding in hits if finding.part == "contraction") or DASH,
                ", ".join(finding.family for finding in hits if finding.part == "loss") or DASH,
                DASH if course is None else share(course.real_share),
                DASH if one.decision is None else _action(one.decision),
            )
        )
    return table(("policy", "state", "contraction in", "loss in", "real share then", "controller"), rows)


def _action(decision: Decision) -> str:
    course = decision.course
    told = course.action if decision.acts else "observing"
    rung = f", rung {course.rung}" if decision.acts and course.rung else ""
    return f"{told}{rung}{', human data used up' if course.state == 'BUDGET_EXHAUSTED' else ''}"


def state_flags(watches: tuple[Diagnosed, ...]) -> list[Flag]:
    """Where an alarm stood (A, S for a severe one) and where the monitor could not judge (?)."""
    return [
        Flag(one.t, _LETTERS[one.verdict.state], one.verdict.state) for one in watches if one.verdict.state in _LETTERS
    ]


def action_flags(watches: tuple[Diagnosed, ...]) -> list[Flag]:
    """Where the controller did something, in letters."""
    found = []
    for one in watches:
        if one.decision is not None and (letters := _letters(one.decision.course)):
            found.append(Flag(one.t, letters, one.decision.course.why))
    return found


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


def _family(family: Family, watches: tuple[Diagnosed, ...], count: int) -> Markup:
    title, caption = _ABOUT[family]
    found = [(one.t, one.verdict.findings[family]) for one in watches if family in one.verdict.findings]
    part = 1 if found[0][1].part == "loss" else 0
    unit = "rise, nats per token" if family == "nll" else "drop, as a share"
    return line_figure(
        title,
        unit,
        caption,
        [Series(family, part, tuple(Point(t, one.drop, one.low, one.high) for t, one in found))],
        names=policies(count),
        band=(0.0, found[0][1].margin),
        flags=state_flags(watches),
    )


def _path(steps: tuple[Round, ...], watches: tuple[Diagnosed, ...]) -> Markup:
    """Quality against diversity, one place for each policy, joined in their order."""
    ratios = {one.t: one.verdict.sem_ratio for one in watches}
    greedy = any(step.evaluation is not None and step.evaluation.greedy is not None for step in steps)
    quality = "greedy accuracy" if greedy else "gold accuracy"
    caption = (
        "One number for each policy, joined in their order: up is better answers, left is less varied ones, so a path "
        "that goes left without going up pays variety for nothing."
    )
    marks = []
    for step in steps:
        found = None if step.evaluation is None else step.evaluation.greedy if greedy else step.evaluation.gold_accuracy
        ratio = ratios.get(step.t)
        if found is not None and ratio is not None:
            marks.append(Mark(step.t, f"M{step.t}", 0, ratio, Point(0, found.value, found.low, found.high)))
    title = "Quality against diversity"
    if not marks:
        return figure(title, element("p", "Nothing measured yet.", class_="empty"), caption)
    x_name = "open diversity, relative to M0"
    drawn = scatter(marks, [], [], x_name=x_name, y_name=quality, title=f"{quality} over {x_name}", joined=True)
    rows = [(one.told, share(one.x), share(one.y.value)) for one in marks]
    return figure(title, drawn, caption, table(("policy", x_name, quality), rows))


def _human_data(steps: tuple[Round, ...], watches: tuple[Diagnosed, ...]) -> list[Markup]:
    """The real share and the human rows, with what the controller did."""
    ruled = [(one.t, one.decision) for one in watches if one.decision is not None]
    mixed = [(step.t, step.mixing) for step in steps if step.mixing is not None]
    pairs = any(found.unit == "pairs" for _, found in mixed)
    shares = [
        Series("asked", _ASKED, tuple(Point(t, decision.course.real_share) for t, decision in ruled)),
        Series(
            "got",
            _GOT,
            tuple(Point(t, found.real_share) for t, found in mixed),
        ),
    ]
    if any(not decision.acts for _, decision in ruled):
        would = tuple(Point(t, decision.course.shadow_share) for t, decision in ruled)
        shares.append(Series("act would", _WOULD, would, dashed=True))
    rows = [
        Series("spent", _SPENT, tuple(Point(t, found.human_rows_spent) for t, found in mixed)),
        Series("left", _LEFT, tuple(Point(t, found.human_rows_left) for t, found in mixed)),
    ]
    names, flags = policies(1 + max((t for t, _ in ruled), default=0)), action_flags(watches)
    told = f"Above, what the controller did: + more of it, {MINUS} less, R a higher rung, dry where none was left."
    return [
        line_figure(
            "Real share",
            f"share of {'pairs' if pairs else 'answer tokens'}",
            f"Human share of what each policy was trained on next, as asked and as the pool gave it. {told}",
            shares,
            names=names,
            flags=flags,
        ),
        line_figure(
            "Human rows",
            "rows",
            "Different human rows spent so far, and those that may still be drawn: at 0 the controller has only the "
            "other rungs.",
            rows,
            names=names,
            flags=flags,
        ),
    ]
