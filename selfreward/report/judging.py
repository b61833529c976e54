"""The judge of a run on its page: its health on gold over the rounds, what the gate did, what it could not say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.data.roles import question_text
from selfreward.judge_quality.estimate import Measure
from selfreward.judge_quality.measures import measures_of
from selfreward.judge_quality.verdicts import Judged, Verdicts, judged, labelled
from selfreward.metrics.intervals import Interval
from selfreward.monitor.gate_rules import Action
from selfreward.records import GoldPair, Judgment, Prompt
from selfreward.report.calibrated import ceiling
from selfreward.report.charts import Flag, Point, Series
from selfreward.report.figures import DASH, count
from selfreward.report.judge_examples import flips, unread
from selfreward.report.judge_figures import ABOUT, histogram, missing_measures
from selfreward.report.jury import disputed, weights_line
from selfreward.report.markup import Child, Markup, element, joined
from selfreward.report.plots import line_figure, policies
from selfreward.report.tables import section, table, with_limits
from selfreward.report.unread import Unread, replies
from selfreward.stages.gate import Gate, gate_of
from selfreward.stages.health import health_of

_TITLE = "The judge"
_INTRO = (
    "Asked before every round about gold pairs that no training sees. In brackets: 95% intervals over prompts. The "
    "gate acts on whole intervals, wider ones that pay for every round: warn, freeze the judge at the last healthy "
    "policy, or stop. People's kappa is their "
    "agreement among themselves, two at a time: the ceiling of the judge's."
)
_TABLED = ("accuracy", "kappa", "flip_rate", "parse_rate")
_LETTERS: Mapping[Action, str] = {"warn": "W", "freeze": "F", "stop": "stop"}
_COIN = {"accuracy": 0.5, "kappa": 0.0}
_JUDGE, _CHANCE, _ROUND = 0, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The judge of round `t`: its measures on `pairs` gold pairs, and what the gate made of it, None before it did.

    `people` is how far those who labelled the pairs agree among themselves.
    """

    t: int
    pairs: int
    on_gold: Mapping[str, Measure]
    people: Sequence[Measure]
    gate: Gate | None

    @property
    def in_round(self) -> Mapping[str, Measure]:
        """The measures of the round's own judgments, and the win rate of its duel."""
        if self.gate is None:
            return {}
        return {one.name: one for part in (self.gate.rounds[-1], self.gate.measures) for one in measures_of(part)}

    @property
    def acted(self) -> list[str]:
        """Which measures crossed a bound that leads to something, and why."""
        findings = () if self.gate is None else self.gate.findings
        return [f"{one.action}: {one.name} {one.why}" for one in findings if one.action != "observe"]


def judging(view: RunView, *, texts: bool) -> Markup:
    """The section of the page; without a prompt, an answer or a reply unless `texts`."""
    rounds = [_seen(t, stages) for t, stages in enumerate(view.iterations) if "health" in stages]
    if not rounds:
        return section(_TITLE, _INTRO, element("p", "Not measured yet.", class_="empty"))
    names = policies(rounds[-1].t + 1)
    measured = [name for name in ABOUT if any(_interval(one.on_gold, name) for one in rounds)]
    figures = [_over_rounds(name, rounds, names) for name in measured]
    watched = [_of_round(name, rounds, names) for name in ("mean_score", "lc_win_rate")]
    figures += [one for one in (*watched, _right(rounds, names)) if one is not None]
    last = rounds[-1]
    scores = () if last.gate is None else last.gate.scores
    left_out = element("p", "Flips and replies are left out of this copy.", class_="empty")
    return section(
        _TITLE,
        _INTRO,
        _states(rounds),
        *weights_line(view.iterations[last.t]["health"]),
        _actions(rounds),
        missing_measures(one for one in (*last.on_gold.values(), _people_kappa(last)) if one.name not in measured),
        element("h3", "Over the rounds", class_="apart"),
        element("div", *figures, *histogram(scores, "candidates of the last round"), class_="grid"),
        *(_to_read(view, last.t) if texts else [left_out]),
    )


def _to_read(view: RunView, last: int) -> list[Child]:
    stages = view.iterations[last]
    return [
        element("h3", "Flips on gold", class_="apart"),
        flips(_on_gold(view, stages["health"]), stages["health"].records(Judgment, "evidence")),
        *disputed(stages),
        element("h3", "Replies without a verdict", class_="apart"),
        replies(_unread(view)),
    ]


def _seen(t: int, stages: Mapping[str, Artifact]) -> Seen:
    health = health_of(stages["health"])
    return Seen(
        t=t,
        pairs=health.pairs,
        on_gold={one.name: one for one in measures_of(health.measures)},
        people=measures_of(health.people),
        gate=gate_of(stages["gate"]) if "gate" in stages else None,
    )


def _interval(measures: Mapping[str, Measure], name: str) -> Interval | None:
    return measures[name].interval if name in measures else None


def _states(rounds: Sequence[Seen]) -> Markup:
    rows: list[tuple[Child, ...]] = []
    for one in rounds:
        figures = [_interval(one.on_gold, name) for name in _TABLED]
        figures += [_people_kappa(one).interval, _interval(one.in_round, "parse_rate")]
        rows.append((f"M{one.t}", _gate_cell(one), count(one.pairs), *(with_limits(found) for found in figures)))
    named = (*(name.replace("_", " ") for name in _TABLED), "people's kappa", "parse rate of the round")
    head = ("round", "gate", "gold pairs", *named)
    return table(head, rows)


def _people_kappa(one: Seen) -> Measure:
    """Cohen's kappa of the people among themselves, the ceiling of the judge's."""
    found = ceiling("kappa", one.people)
    assert found is not None, "health says how far people agree, or why that is not known"
    return found


def _gate_cell(one: Seen) -> Child:
    if one.gate is None:
        return DASH
    action = element("span", one.gate.action, class_="" if one.gate.healthy else "bad")
    return joined((action, element("small", "judge frozen"))) if one.gate.frozen else action


def _actions(rounds: Sequence[Seen]) -> Markup:
    """What the gate acted on, round by round."""
    lines = [element("li", f"M{one.t}, {told}") for one in rounds for told in one.acted]
    return element("ul", *lines, class_="hint") if lines else element("p", "No bound was crossed.", class_="hint")


def _flags(name: str, rounds: Sequence[Seen]) -> list[Flag]:
    """Where the gate acted on a measure."""
    found = [(one.t, finding) for one in rounds if one.gate for finding in one.gate.findings]
    return [
        Flag(t, _LETTERS[finding.action], finding.why)
        for t, finding in found
        if finding.name == name and finding.action in _LETTERS
    ]


def _over_rounds(name: str, rounds: Sequence[Seen], names: Sequence[str]) -> Markup:
    series = [Series("judge", _JUDGE, _points(name, [(one.t, one.on_gold) for one in rounds]))]
    if name in _COIN:
        series.append(
            Series("coin", _CHANCE, tuple(Point(t, _COIN[name]) for t in (rounds[0].t, rounds[-1].t)), dashed=True)
        )
    return line_figure(
        name.replace("_", " ").capitalize(),
        "on gold",
        f"{ABOUT[name][0].upper()}{ABOUT[name][1:]}.",
        series,
        names=names,
        axis="round",
        flags=_flags(name, rounds),
    )


def _of_round(name: str, rounds: Sequence[Seen], names: Sequence[str]) -> Markup | None:
    """A figure that over-optimisation is looked for in; None where no round has it."""
    points = _points(name, [(one.t, one.in_round) for one in rounds])
    if not points:
        return None
    told = {
        "mean_score": ("Score of the policy's own answers", "by its judge", "Rising while accuracy on gold falls is "),
        "lc_win_rate": ("Win rate against M0", "at equal length", "Falling while the judge's scores rise is "),
    }
    title, unit, start = told[name]
    caption = f"{start}over-optimisation, and the gate then says so."
    return line_figure(title, unit, caption, [Series("round", _ROUND, points)], names=names, axis="round")


def _right(rounds: Sequence[Seen], names: Sequence[str]) -> Markup | None:
    """The share of candidates that the judge calls right, and that share corrected; None where it has no scale."""
    found = [(one.t, one.in_round) for one in rounds]
    if not (called := _points("right_share", found)):
        return None
    series = [Series("called right", _JUDGE, called)]
    if corrected := _points("right_share_corrected", found):
        series.append(Series("corrected", _ROUND, corrected))
    caption = (
        "Candidates with a score in the upper half of the scale; corrected: without the errors that the judge makes on "
        "gold. Missing where on gold it does not tell right answers from wrong ones."
    )
    return line_figure("Right answers of the policy", "by its judge", caption, series, names=names, axis="round")


def _points(name: str, found: Sequence[tuple[int, Mapping[str, Measure]]]) -> tuple[Point, ...]:
    there = [(t, interval) for t, measures in found if (interval := _interval(measures, name)) is not None]
    return tuple(Point(t, one.value, one.low, one.high) for t, one in there)


def _on_gold(view: RunView, health: Artifact) -> list[Judged]:
    said = {one.id: one for one in health.records(Verdicts)}
    if "gold_gate" not in view.sources:
        return []
    items = [labelled(pair) for pair in view.sources["gold_gate"].records(GoldPair) if pair.id in said]
    return judged(items, [said[item.id] for item in items])


def _unread(view: RunView) -> Iterator[Unread]:
    """What could not be read, of gold pairs and of candidates, the last round first."""
    for t, stages in reversed(list(enumerate(view.iterations))):
        if "judge" in stages and "prompts" in stages:
            yield from _unread_candidates(t, stages["judge"], stages["prompts"])
        if "health" in stages:
            items = [item for item, _ in _on_gold(view, stages["health"])]
            known = {item.id for item in items}
            said = stages["health"].records(Judgment, "evidence")
            yield from unread(items, (one for one in said if one.prompt_id in known))


def _unread_candidates(t: int, judgments: Artifact, prompts: Artifact) -> Iterator[Unread]:
    table_ = "evidence" if judgments.has("evidence") else "rows"
    left = [one for one in judgments.records(Judgment, table_) if one.outcome != "scored"]
    questions = {one.id: question_text(one.messages) for one in prompts.records(Prompt)} if left else {}
    for one in left:
        several = "two answers" if len(one.candidate_ids) == 2 else "an answer"
        yield Unread(one.outcome, f"{several} of M{t}", questions[one.prompt_id], one.raw)
