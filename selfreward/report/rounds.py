"""What happened between two policies: where candidates went, what human data was spent, what it cost."""

from collections.abc import Iterable

from selfreward.reading.rounds import Cost, Round, total
from selfreward.report.charts import Bar, bar_chart
from selfreward.report.figures import DASH, MINUS, count, seconds, share
from selfreward.report.markup import Child, Markup, element, joined
from selfreward.report.plots import figure
from selfreward.report.tables import table
from selfreward.selection.choice import SelectionCounts

_CANDIDATES, _OWN, _HUMAN = 7, 0, 3
_POLICY_STAGES = ("measure", "diagnose", "evaluate", "duel")
_STAGES = (*_POLICY_STAGES, "prompts", "sample", "health", "judge", "gate", "select", "decide", "mix", "update")


def funnels(steps: tuple[Round, ...]) -> Markup:
    """One bar chart for each round that has sampled, all on one scale."""
    rounds = [(step, _bars(step)) for step in steps if step.drawn is not None]
    if not rounds:
        return element("p", "Nothing sampled yet.", class_="empty")
    scale = max(sum(number for number, _ in bar.parts) for _, bars in rounds for bar in bars)
    return element("div", *(_funnel(one, bars, scale) for one, bars in rounds), class_="grid")


def human_rows(steps: tuple[Round, ...]) -> Markup:
    """What each round asked for, what it got, and what is left in the pool."""
    mixed = [(step.t, step.mixing) for step in steps if step.mixing is not None]
    if not mixed:
        return element("p", "Nothing mixed yet.", class_="empty")
    head = (
        "round",
        "share asked",
        "share got",
        "own rows",
        "human rows",
        "human rows drawn",
        "spent so far",
        "left in the pool",
        "missing",
    )
    rows = [
        (
            f"M{t} → M{t + 1}",
            share(found.real_share_asked),
            share(found.real_share),
            count(found.self_rows),
            count(found.human_rows),
            count(found.human_rows_drawn),
            count(found.human_rows_spent),
            count(found.human_rows_left),
            count(found.short),
        )
        for t, found in mixed
    ]
    return table(head, rows)


def costs(steps: tuple[Round, ...]) -> Markup:
    """Stages by iterations, with totals."""
    made = {stage for step in steps for stage in step.costs}
    rows: list[tuple[Child, ...]] = [
        (stage, *_cost_cells([step.costs.get(stage) for step in steps])) for stage in _STAGES if stage in made
    ]
    if not rows:
        return element("p", DASH)
    rows.append(("all", *_cost_cells([_together(step.costs.values()) for step in steps])))
    return table(("stage", *(f"iteration {step.t}" for step in steps), "all"), rows)


def _funnel(one: Round, bars: list[Bar], scale: int) -> Markup:
    chart = bar_chart(bars, scale=scale, title=f"Candidates of round {one.t}")
    return figure(f"M{one.t} → M{one.t + 1}", chart, _caption(one))


def _bars(found: Round) -> list[Bar]:
    bars = [_bar("drawn", found.drawn or 0)]
    if found.selection is not None:
        bars += _selection_bars(found.selection, found.drawn)
    if found.mixing is not None:
        own, human = found.mixing.self_rows, found.mixing.human_rows
        bars.append(Bar("trained on", ((own, _OWN), (human, _HUMAN)), f"{own:,} own, then {human:,} human"))
    return bars


def _selection_bars(selection: SelectionCounts, drawn: int | None) -> list[Bar]:
    left, fates = selection.candidates, selection.by_name
    human = selection.human_prompts
    note = "the first of each prompt" + (f", none of {human:,} human prompts" if human else "")
    bars = [_bar("looked at", left, note)] if left != drawn else []
    reasons = [
        ("whole", ["cut", "empty"]),
        ("scored", [name for name in fates if name.startswith("unscored:")]),
        ("good enough", ["below_threshold"]),
        ("distinct", ["duplicate"]),
        ("selected", ["passed_over", "over_cluster_cap"]),
    ]
    for name, taken in reasons:
        counted = {reason: fates[reason] for reason in taken if reason in fates}
        if name == "good enough" and not counted:
            continue
        left -= sum(counted.values())
        note = ", ".join(
            f"{MINUS}{number:,} {reason.replace('_', ' ')}" for reason, number in counted.items() if number
        )
        bars.append(_bar(name, left, note))
    return bars


def _bar(name: str, number: int, note: str = "") -> Bar:
    return Bar(name, ((number, _CANDIDATES),), note)


def _caption(found: Round) -> str:
    told = []
    if found.selection is not None:
        asked, without = found.selection.prompts, found.selection.prompts_without_selection
        told.append(f"{asked:,} prompts, {without:,} of them with nothing to select.")
        if found.selection.pairs is not None:
            told.append(f"{found.selection.pairs:,} pairs; {found.selection.ties:,} ties made none.")
    if found.judged is not None and found.judged.outcomes:
        outcomes = ", ".join(f"{name} {number:,}" for name, number in sorted(found.judged.outcomes.items()))
        told.append(f"Judgments: {outcomes}.")
    if found.training is not None:
        told.append(f"The update saw {found.training.rows_trained:,} rows.")
    return " ".join(told)


def _cost_cells(found: list[Cost | None]) -> list[Child]:
    """One cell for each iteration, and their total."""
    return [_cost(one) for one in (*found, _together(one for one in found if one is not None))]


def _cost(found: Cost | None) -> Child:
    if found is None:
        return DASH
    if found.tokens is None:
        return seconds(found.seconds)
    return joined((seconds(found.seconds), element("small", f"{found.tokens:,} tokens")))


def _together(costs: Iterable[Cost]) -> Cost | None:
    there = list(costs)
    return total(there) if there else None
