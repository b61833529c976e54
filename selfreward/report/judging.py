"""The judge of a run on its page: its health on gold over the rounds, what the gate did, what it could not say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.data.roles import question_text
from selfreward.judge_quality.estimate import Measure
from selfreward.judge_quality.figures import measures_of
from selfreward.judge_quality.verdicts import Judged, Verdicts, judged, labelled
from selfreward.judge_quality.weights import weights_of
from selfreward.judges.disagreement import most_disputed
from selfreward.metrics.intervals import Interval
from selfreward.monitor.gate_rules import Action
from selfreward.reading.rounds import Round
from selfreward.records import GoldPair, Judgment, Prompt
from selfreward.report.calibrated import ceiling, weights_text
from selfreward.report.charts import Figure, Flag, Series, line_figure, points, policies
from selfreward.report.drawing import Point
from selfreward.report.judge_figures import ABOUT, histogram
from selfreward.report.judge_texts import Pair, Unread, flips, replies, unread
from selfreward.stages.gate import Gate

_LETTERS: Mapping[Action, str] = {"warn": "W", "freeze": "F", "stop": "stop"}
_COIN = {"accuracy": 0.5, "kappa": 0.0}
_JUDGE, _CHANCE, _ROUND = 0, 2, 3
_DISPUTED = 6

Measures = Mapping[str, Measure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The judge of round `t`: its measures on `pairs` gold pairs, and what the gate made of it, None before it did.

    `people` is the kappa of those who labelled the pairs among themselves, the ceiling of the judge's. `in_round` are
    the measures of the round's own judgments, and the win rate of its duel.
    """

    t: int
    pairs: int
    on_gold: Measures
    people: Measure
    gate: Gate | None
    in_round: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRead:
    """Texts on the page: flips on gold, prompts that the jury disputes, replies that were not read."""

    flips: tuple[str, list[Pair]]
    disputed: list[tuple[str, str]]
    replies: tuple[str, list[tuple[str, Unread]]]


def seen(rounds: Sequence[Round]) -> list[Seen]:
    """The judge of every round in which it was measured."""
    return [_seen(one) for one in rounds if one.health is not None]


def weights_line(last: Round) -> str | None:
    """The weights that a jury learned from gold; None where none were to be learned."""
    health = last.stages["health"]
    return weights_text(weights_of(health)) if (health.path / "weights.json").exists() else None


def missing(last: Seen) -> list[Measure]:
    """What was not measured in the last round."""
    return [one for one in (*last.on_gold.values(), last.people) if one.interval is None]


def judge_figures(rounds: Sequence[Seen]) -> list[tuple[Figure, str]]:
    """Figures over the rounds with their captions, of what was measured at all."""
    names, (first, last) = policies(rounds[-1].t + 1), (rounds[0].t, rounds[-1].t)
    figures = []
    for name, about in ABOUT.items():
        on_gold = _points(name, [(one.t, one.on_gold) for one in rounds])
        if not on_gold:
            continue
        series = [Series("judge", _JUDGE, on_gold)]
        if name in _COIN:
            coin = (Point(first, _COIN[name]), Point(last, _COIN[name]))
            series.append(Series("coin", _CHANCE, coin, dashed=True))
        title = name.replace("_", " ").capitalize()
        figure = line_figure(title, "on gold", series, names, axis="round", flags=_flags(name, rounds))
        figures.append((figure, f"{about[0].upper()}{about[1:]}."))
    in_round = [(one.t, one.in_round) for one in rounds]
    for title, unit, lines, caption in _OF_ROUNDS:
        drawn = [Series(label, kind, _points(name, in_round)) for name, label, kind in lines]
        if drawn[0].points:
            figures.append((line_figure(title, unit, drawn, names, axis="round"), caption))
    scores = () if rounds[-1].gate is None else rounds[-1].gate.scores
    told = "How often candidates of the last round got each score, in the judge's own unit."
    return [*figures, *((one, told) for one in histogram(scores))]


# What over-optimisation is looked for in, and the share of candidates that are right: title, unit, lines, caption.
_OF_ROUNDS = (
    (
        "Score of the policy's own answers",
        "by its judge",
        (("mean_score", "round", _ROUND),),
        "Rising while accuracy on gold falls is over-optimisation, and the gate then says so.",
    ),
    (
        "Win rate against M0",
        "at equal length",
        (("lc_win_rate", "round", _ROUND),),
        "Falling while the judge's scores rise is over-optimisation, and the gate then says so.",
    ),
    (
        "Right answers of the policy",
        "by its judge",
        (("right_share", "called right", _JUDGE), ("right_share_corrected", "corrected", _ROUND)),
        "Candidates with a score in the upper half of the scale; corrected: without the errors that the judge makes on "
        "gold. Missing where on gold it does not tell right answers from wrong ones.",
    ),
)


def to_read(view: RunView, last: int) -> ToRead:
    """The texts of round `last` and, of replies that were not read, of all rounds."""
    stages = view.iterations[last]
    health = stages["health"]
    return ToRead(
        flips=flips(_on_gold(view, health), health.records(Judgment, "evidence")),
        disputed=_disputed(stages),
        replies=replies(_unread(view)),
    )


def _seen(one: Round) -> Seen:
    health, gate = one.health, one.gate
    assert health is not None, "only rounds with a measured judge are seen"
    people = ceiling("kappa", measures_of(health.people))
    assert people is not None, "health says how far people agree, or why that is not known"
    in_round = () if gate is None else (*measures_of(gate.rounds[-1]), *measures_of(gate.measures))
    return Seen(
        t=one.t,
        pairs=health.pairs,
        on_gold={found.name: found for found in measures_of(health.measures)},
        people=people,
        gate=gate,
        in_round={found.name: found for found in in_round},
    )


def _flags(name: str, rounds: Sequence[Seen]) -> list[Flag]:
    """Where the gate acted on a measure."""
    found = [(one.t, finding) for one in rounds if one.gate for finding in one.gate.findings]
    return [
        Flag(t, _LETTERS[finding.action], finding.why)
        for t, finding in found
        if finding.name == name and finding.action in _LETTERS
    ]


def _points(name: str, found: Sequence[tuple[int, Measures]]) -> list[Point]:
    return points((t, _interval(measures, name)) for t, measures in found)


def _interval(measures: Measures, name: str) -> Interval | None:
    return measures[name].interval if name in measures else None


def _disputed(stages: Mapping[str, Artifact]) -> list[tuple[str, str]]:
    """How much a jury disagrees on the prompts where that is most, and their texts; nothing where no jury disagrees."""
    if "judge" not in stages or "jury_disagreement" not in stages["judge"].manifest.counts:
        return []
    found = most_disputed(list(stages["judge"].records(Judgment)), _DISPUTED)
    questions = {one.id: question_text(one.messages) for one in stages["prompts"].records(Prompt) if one.id in found}
    return [(f"{value:.2f}", questions[id_]) for id_, value in found.items()]


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
    table = "evidence" if judgments.has("evidence") else "rows"
    left = [one for one in judgments.records(Judgment, table) if one.outcome != "scored"]
    questions = {one.id: question_text(one.messages) for one in prompts.records(Prompt)} if left else {}
    for one in left:
        several = "two answers" if len(one.candidate_ids) == 2 else "an answer"
        yield Unread(one.outcome, f"{several} of M{t}", questions[one.prompt_id], one.raw)
