"""The judge of a run on its page: its health on gold over the rounds, what the gate did, what it could not say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.data.roles import question_text
from selfreward.judge_quality.estimate import Measure, Measures
from selfreward.judge_quality.measures import ABOUT
from selfreward.judge_quality.opinions import weights_of
from selfreward.judge_quality.verdicts import Judged, Verdicts, judged, labelled
from selfreward.judges.disagreement import Dispute, most_disputed
from selfreward.monitor.gate_rules import Action
from selfreward.reading.calibrated import ceiling, weights_text
from selfreward.reading.rounds import Round
from selfreward.records import GoldPair, Judgment, Prompt
from selfreward.report.charts import ChartFigure, Flag, Series, line_figure, points, policies
from selfreward.report.drawing import Point
from selfreward.report.judge_page import histogram
from selfreward.report.judge_texts import Flips, Replies, Unread, flips, replies, unread
from selfreward.stages.gate import Gate
from selfreward.stages.health import Health

_LETTERS: Mapping[Action, str] = {"warn": "W", "freeze": "F", "stop": "stop"}
_COIN = {"accuracy": 0.5, "kappa": 0.0}
_JUDGE, _CHANCE, _ROUND = 0, 2, 3
_DISPUTED = 6
_KINDS = 8  # colours and markers
_OVER = "is over-optimisation, and the gate then says so."
_CALLED = {"right_share": ("called right", _JUDGE), "right_share_corrected": ("corrected", _ROUND)}
# Figures of the round's own judgments: title, unit, and the line of each measure; captions by the first of them.
_IN_ROUND = (
    ("Score of the policy's own answers", "by its judge", {"mean_score": ("round", _ROUND)}),
    ("Win rate against M0", "at equal length", {"lc_win_rate": ("round", _ROUND)}),
    ("Right answers of the policy", "by its judge", _CALLED),
)
_CAPTIONS = {
    "mean_score": f"Rising while accuracy on gold falls {_OVER}",
    "lc_win_rate": f"Falling while the judge's scores rise {_OVER}",
    "right_share": "Candidates with a score in the upper half of the scale; corrected: without the errors that the "
    "judge makes on gold. Missing where on gold it does not tell right answers from wrong ones.",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """The judge of round `t`: its health, and what the gate made of it, None before it did.

    `people` is the kappa of those who labelled the pairs among themselves, the ceiling of the judge's. `in_round` are
    the measures of the round's own judgments, and the win rate of its duel.
    """

    t: int
    health: Health
    gate: Gate | None
    people: Measure
    in_round: Measures


def seen(rounds: Sequence[Round]) -> list[Seen]:
    """The judge of every round in which it was measured."""
    return [_seen(one.t, one.health, one.gate) for one in rounds if one.health is not None]


def weights_line(last: Round) -> str | None:
    """The weights that a jury learned from gold; None where none were to be learned."""
    health = last.stages["health"]
    return weights_text(weights_of(health)) if (health.path / "weights.json").exists() else None


def judge_figures(rounds: Sequence[Seen]) -> list[tuple[ChartFigure, str]]:
    """Figures over the rounds with their captions, of what was measured at all."""
    names = policies(rounds[-1].t + 1)
    figures = []
    for name, about in ABOUT.items():
        series = [Series("judge", _JUDGE, _points(name, [(one.t, one.health.measures) for one in rounds]))]
        if name in _COIN:
            coin = [Point(one.t, _COIN[name]) for one in (rounds[0], rounds[-1])]
            series.append(Series("coin", _CHANCE, coin, dashed=True))
        if series[0].points:
            title = name.replace("_", " ").capitalize()
            figure = line_figure(title, "on gold", series, names, axis="round", flags=_flags(name, rounds))
            figures.append((figure, f"{about[0].upper()}{about[1:]}."))
    for title, unit, lines in _IN_ROUND:
        found = [(one.t, one.in_round) for one in rounds]
        series = [Series(label, kind, _points(name, found)) for name, (label, kind) in lines.items()]
        if series[0].points:
            figures.append((line_figure(title, unit, series, names, axis="round"), _CAPTIONS[next(iter(lines))]))
    gate = rounds[-1].gate
    if gate is not None and (scores := histogram(gate.scores)) is not None:
        figures.append((scores, "How often candidates of the last round got each score, in the judge's own unit."))
    return figures


def member_figures(rounds: Sequence[Round]) -> list[tuple[ChartFigure, str]]:
    """The accuracy of each member of a jury over the rounds, with its caption; nothing of one judge."""
    found = [(one.t, one.members) for one in rounds if one.members]
    names = dict.fromkeys(name for _, members in found for name in members)
    gold = [(t, name, one.on_gold) for t, members in found for name, one in members.items() if one.on_gold is not None]
    series = [
        Series(name, number % _KINDS, points((t, one.accuracy.interval) for t, of, one in gold if of == name))
        for number, name in enumerate(names)
    ]
    drawn = [one for one in series if one.points]
    if not drawn:
        return []
    figure = line_figure("Accuracy of its members", "on gold", drawn, policies(found[-1][0] + 1), axis="round")
    return [(figure, "Each by itself, on the pairs of which it has a verdict.")]


def to_read(view: RunView, last: int) -> tuple[Flips, list[tuple[str, str]], Replies]:
    """Of round `last` the flips on gold and the prompts that a jury disputes; of all rounds the unread replies."""
    stages = view.iterations[last]
    evidence = stages["health"].records(Judgment, "evidence")
    return flips(_on_gold(view, stages["health"]), evidence), _disputed(stages), replies(_unread(view))


def _seen(t: int, health: Health, gate: Gate | None) -> Seen:
    people = ceiling("kappa", health.people)
    assert people is not None, "health says how far people agree, or why that is not known"
    in_round = {} if gate is None else {**gate.rounds[-1], **gate.measures}
    return Seen(t, health, gate, people, in_round)


def _flags(name: str, rounds: Sequence[Seen]) -> list[Flag]:
    """Where the gate acted on a measure."""
    found = [(one.t, finding) for one in rounds if one.gate for finding in one.gate.findings if finding.name == name]
    return [Flag(t, _LETTERS[one.action], one.why) for t, one in found if one.action in _LETTERS]


def _points(name: str, found: Sequence[tuple[int, Measures]]) -> list[Point]:
    return points((t, measures[name].interval) for t, measures in found if name in measures)


def _disputed(stages: Mapping[str, Artifact]) -> list[tuple[str, str]]:
    """How much a jury disagrees on the prompts where that is most, and their texts; nothing where no jury disagrees."""
    if "judge" not in stages or not stages["judge"].has("disputes"):
        return []
    found = most_disputed(stages["judge"].records(Dispute, "disputes"), _DISPUTED)
    questions = {one.id: question_text(one.messages) for one in stages["prompts"].records(Prompt)}
    return [(f"{one.disagreement:.2f}", questions[one.id]) for one in found]


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
            items = {item.id: item for item, _ in _on_gold(view, stages["health"])}
            said = stages["health"].records(Judgment, "evidence")
            yield from unread(items.values(), (one for one in said if one.prompt_id in items))


def _unread_candidates(t: int, judgments: Artifact, prompts: Artifact) -> Iterator[Unread]:
    table = "evidence" if judgments.has("evidence") else "rows"
    left = [one for one in judgments.records(Judgment, table) if one.outcome != "scored"]
    questions = {one.id: question_text(one.messages) for one in prompts.records(Prompt)} if left else {}
    for one in left:
        several = "two answers" if len(one.candidate_ids) == 2 else "an answer"
        yield Unread(one.outcome, f"{several} of M{t}", questions[one.prompt_id], one.raw)
