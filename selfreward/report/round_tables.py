"""What happened between two policies: where candidates went, what it cost, what one kept row cost, what was read."""

from collections.abc import Callable, Iterable, Sequence

from selfreward.artifacts.runs import RunView
from selfreward.reading.rounds import MAKING, Cost, Round, share_of, total
from selfreward.report.charts import Bar, ChartFigure, bar_chart
from selfreward.report.figures import DASH, MINUS, arrow, below, count, seconds, share
from selfreward.selection.choice import SelectionCounts
from selfreward.selection.mixing import MetaMixing
from selfreward.stages.sample import Sampled
from selfreward.stages.source import LEFT_OUT, columns_line, counted

Table = tuple[Sequence[str], Sequence[Sequence[str]]]

_CANDIDATES, _OWN, _HUMAN, _JUDGMENTS = 7, 0, 3, 2
_POLICY_STAGES = ("measure", "diagnose", "evaluate", "duel", "red_team", "overoptimisation")
_DECIDING_STAGES = ("health", "judge", "meta", "gate", "select", "decide")
_TRAINING_STAGES = ("prompts", "sample", "revise", *_DECIDING_STAGES, "mix", "reward", "update")
_STAGES = (*_POLICY_STAGES, *_TRAINING_STAGES)
# Not the bookkeeping.
_OF_A_ROW = (
    "sample",
    "revise",
    "judge",
    "meta",
    "select",
    "reward",
    "update",
    "measure",
    "evaluate",
    "health",
    "duel",
    "red_team",
    "overoptimisation",
)
_COUNTS: dict[str, Callable[[Round], str]] = {
    "candidates drawn": lambda one: count(one.drawn),
    "judgments with a score": lambda one: (
        DASH if one.judged is None else share(share_of(one.judged.scored, one.judged.judgments))
    ),
    "candidates good enough to choose": lambda one: share(one.eligible_share),
    "own rows kept": lambda one: count(one.kept),
    "rows kept of candidates drawn": lambda one: share(share_of(one.kept, one.drawn)),
}


def funnels(rounds: Sequence[Round]) -> list[tuple[Round, ChartFigure]]:
    """One bar chart for each round that has sampled, all on one scale."""
    sampled = [(one, _bars(one, one.drawn)) for one in rounds if one.drawn is not None]
    full = max((sum(number for number, _ in bar.parts) for _, bars in sampled for bar in bars), default=0)
    return [
        (one, ChartFigure(arrow(one.t), bar_chart(f"Candidates of round {one.t}", bars, full=full)))
        for one, bars in sampled
    ]


def costs(rounds: Sequence[Round]) -> Table:
    """Stages by iterations, with totals."""
    stages = dict.fromkeys((*_STAGES, *(stage for one in rounds for stage in one.costs)))
    made = {stage: [one.costs.get(stage) for one in rounds] for stage in stages}
    made["all"] = [_together(one.costs.values()) for one in rounds]
    rows = [(stage, *(cost(one) for one in (*found, _together(found)))) for stage, found in made.items() if any(found)]
    return ("stage", *(f"iteration {one.t}" for one in rounds), "all"), rows


def per_kept_row(rounds: Sequence[Round]) -> Table:
    """For every round with a training set: the yield, then what each stage spent on one kept row."""
    kept = [(one, one.costs_per_row) for one in rounds if one.costs_per_row]
    if not kept:
        return (), ()
    rows = [(name, *(write(one) for one, _ in kept)) for name, write in _COUNTS.items()]
    making = [cost(one.making_per_row, of_row=True) for one, _ in kept]
    made_by = [stage for stage in MAKING if any(stage in costs for _, costs in kept)]
    rows.append((f"what makes a row: {', '.join(made_by)}", *making))
    stages = [stage for stage in _OF_A_ROW if any(stage in costs for _, costs in kept)]
    rows += [(stage, *(cost(costs.get(stage), of_row=True) for _, costs in kept)) for stage in stages]
    return ("round", *(arrow(one.t) for one, _ in kept)), rows


def data_read(view: RunView) -> list[tuple[str, str, str, str]]:
    """A row for each role of the data; none where nothing was left out and no columns were read."""
    rows = []
    for role, kept in view.sources.items():
        left_out, columns = counted(kept.manifest.counts, LEFT_OUT), columns_line(kept)
        if left_out or columns:
            reasons = ", ".join(f"{reason.replace('_', ' ')} {n:,}" for reason, n in sorted(left_out.items()))
            rows.append((role, count(kept.rows()), reasons or "nothing", columns or ""))
    return rows


def _bars(found: Round, drawn: int) -> list[Bar]:
    bars = [_bar("drawn", drawn, _drawn_by(found.sampled))]
    if found.revising is not None:
        drawn += found.revising.revised
        bars.append(_bar("with revisions", drawn, f"+{found.revising.revised:,} revised"))
    if found.selection is not None:
        bars += selection_bars(found.selection, drawn)
    if found.mixing is not None:
        own, human = found.mixing.self_rows, found.mixing.human_rows
        judgments = found.mixing.meta_rows if isinstance(found.mixing, MetaMixing) else 0
        parts = ((own, _OWN), (human, _HUMAN), *(((judgments, _JUDGMENTS),) if judgments else ()))
        anew = found.selection is not None and found.selection.handed is not None and found.selection.pairs is None
        told = f"{own:,} {'prompts' if anew else 'own'}, then {human:,} human"
        told += f", then {judgments:,} of judgments" if judgments else ""
        bars.append(Bar("trained on", parts, count(own + human + judgments), told))
    return bars


def selection_bars(selection: SelectionCounts, drawn: int) -> list[Bar]:
    """What is left of `drawn` candidates after each reason to leave some out, and how many each took."""
    left, human, fates = selection.candidates, selection.human_prompts, selection.by_name
    note = "the first of each prompt" + (f", none of {human:,} human prompts" if human else "")
    bars = [_bar("looked at", left, note)] if left != drawn else []
    reasons = {
        "whole": ["cut", "empty"],
        "scored": [name for name in fates if name.startswith("unscored:")],
        "good enough": ["below_threshold"],
        "distinct": ["duplicate"],
        "selected": ["not_agreed", "passed_over", "over_cluster_cap"],
    }
    for name, taken in reasons.items():
        lost = {reason: fates[reason] for reason in taken if reason in fates}
        if name == "good enough" and not lost:
            continue
        left -= sum(lost.values())
        told = [f"{MINUS}{number:,} {reason.replace('_', ' ')}" for reason, number in lost.items() if number]
        bars.append(_bar(name, left, ", ".join(told)))
    return bars


def _drawn_by(sampled: Sampled | None) -> str:
    """Who drew how many candidates; nothing where the live policy drew all."""
    by = {} if sampled is None or sampled.by.keys() == {"live"} else sampled.by
    return ", ".join(f"{name} {number:,}" for name, number in by.items())


def _bar(name: str, number: int, note: str = "") -> Bar:
    return Bar(name, ((number, _CANDIDATES),), count(number), note)


def cost(found: Cost | None, *, of_row: bool = False) -> str:
    """Time, tokens and money; `of_row` writes parts of tokens and of a second, which one row takes."""
    if found is None:
        return DASH
    # Of 99.5 ms and more, two digits would be 1e+02.
    brief = of_row and found.seconds < 0.0995
    time = f"{1000 * found.seconds:.2g} ms" if brief else seconds(found.seconds)
    told = [] if found.tokens is None else [f"{found.tokens:,.1f} tokens" if of_row else f"{found.tokens:,} tokens"]
    told += [] if found.money is None else [f"money {found.money:.3g}"]
    return below(time, ", ".join(told)) if told else time


def _together(found: Iterable[Cost | None]) -> Cost | None:
    there = [one for one in found if one is not None]
    return total(there) if there else None
