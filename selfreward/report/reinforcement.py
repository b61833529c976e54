"""Reinforcement learning on the page of a run: what its steps did, and sentences that claim no more than that.

A reward that rises says that the policy does what is rewarded. Whether answers are better, the evaluation says.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from selfreward.reading.rounds import Round
from selfreward.reading.step_table import step_table
from selfreward.report.charts import ChartFigure
from selfreward.report.figures import DASH, MINUS, amount, arrow, below, count, decimals, plural, share
from selfreward.report.step_figures import Drawn, reached, step_figures, steps_a_place, steps_over_kl
from selfreward.report.update_curve import update_curve
from selfreward.selection.handed import ALIKE
from selfreward.stages.update import ties_to_last
from selfreward.updates import Training

_LISTED = 300  # steps
_NOTABLE = 0.1  # of what it was; a smaller change is not told
_HALF = 0.5

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinforced:
    """What the page shows: sentences, charts with their captions, all steps, and tables.

    Of each round, `drew` says what it drew and left out, `came_to` what came of it, and `sources` what each source
    said. `curve` is reward over KL. `notes` say what is left out of the charts or drawn otherwise.
    """

    told: Sequence[str]
    drew: Sequence[Row]
    came_to: Sequence[Row]
    sources: Sequence[Row]
    figures: Sequence[tuple[ChartFigure, str]]
    curve: ChartFigure
    steps: tuple[Sequence[str], Sequence[Sequence[str]]]
    notes: Sequence[str]


def reinforced(rounds: Sequence[Round]) -> Reinforced | None:
    """What there is to show of a run; None where no update drew completions."""
    trained = [(one, did) for one in rounds if (did := one.training) is not None and did.completions is not None]
    if not trained:
        return None
    drawn = [(one.t, one.rl_steps) for one, _ in trained if one.rl_steps]
    tables = [step_table(t, steps) for t, steps in drawn]
    rows = [[_cell(cell) for cell in row] for _, table in tables for row in table]
    return Reinforced(
        told=list(_told(trained)),
        drew=[_drew(one, did) for one, did in trained],
        came_to=[_came_to(one, did) for one, did in trained],
        sources=[row for one, did in trained for row in _source_rows(one, did)],
        figures=step_figures(drawn),
        curve=update_curve(list(reached(drawn)), _reference(trained[-1][0])),
        steps=(tables[0][0], rows) if tables and len(rows) <= _LISTED else ((), ()),
        notes=list(_notes(trained, drawn)),
    )


def _told(trained: Sequence[tuple[Round, Training]]) -> Iterator[str]:
    """A sentence each on the reward of the last round, and on entropy, length and flat groups where they stand out."""
    (first_round, first), (last_round, last) = trained[0], trained[-1]
    if last.reward_first is not None and last.reward_last is not None:
        said = " and ".join(last.sources or {}) or "its source"
        went = _went(last.reward_first, last.reward_last)
        yield (
            f"In {arrow(last_round.t)} the reward {went}. That is what {said} gave to completions that were trained "
            "on, and no measure of quality: the evaluation on held-out prompts is."
        )
    span = f"M{first_round.t} → M{last_round.t + 1}"
    if (fell := _changed(first.entropy_first, last.entropy_last)) is not None and fell <= -_NOTABLE:
        yield (
            f"Entropy fell by {-fell:.0%} over {span}, from {decimals(first.entropy_first, 2)} to "
            f"{decimals(last.entropy_last, 2)} nats a token: the policy says fewer different things to these prompts."
        )
    if (grew := _changed(first.tokens_first, last.tokens_last)) is not None and grew >= _NOTABLE:
        yield (
            f"Completions grew by {grew:.0%} over {span}, from {decimals(first.tokens_first, 1)} to "
            f"{decimals(last.tokens_last, 1)} tokens: look whether length is what is rewarded."
        )
    if listed := _above_half((one.t, did.flat_groups) for one, did in trained):
        yield (
            f"More than half of the groups had rewards that are all equal ({listed}): from these nothing is learned "
            "but to stay near the reference."
        )
    if listed := _above_half((one.t, did.cut) for one, did in trained):
        yield f"More than half of the completions did not end by themselves ({listed}): raise update.max_new_tokens."


def _above_half(found: Iterable[tuple[int, float | None]]) -> str:
    """The rounds with a share above one half."""
    return ", ".join(f"{arrow(t)} {value:.0%}" for t, value in found if value is not None and value > _HALF)


def _went(first: float, last: float) -> str:
    """Where a reward went, as far as its figures show it."""
    start, end = _number(first), _number(last)
    return f"stayed at {end}" if start == end else f"{'rose' if last > first else 'fell'} from {start} to {end}"


def _changed(first: float | None, last: float | None) -> float | None:
    return None if first is None or last is None or first <= 0 else last / first - 1


def _drew(one: Round, did: Training) -> Row:
    return (
        arrow(one.t),
        count(did.rows_trained),
        count(None if one.selection is None else one.selection.by_name.get(ALIKE)),
        count(did.rows_too_long),
        count(did.rows_without_reward),
        count(did.completions),
        _of(did.completions_missing, did.completions),
        count(did.tokens_drawn),
        DASH if did.human_rows is None else f"{did.human_rows:,} ({plural(did.human_tokens or 0, 'token')})",
    )


def _came_to(one: Round, did: Training) -> Row:
    return (
        arrow(one.t),
        _moved(did.reward_first, did.reward_last, _number),
        share(did.kl_to_reference),
        _moved(did.entropy_first, did.entropy_last, lambda value: decimals(value, 2)),
        _moved(did.tokens_first, did.tokens_last, lambda value: decimals(value, 1)),
        share(did.cut),
        share(did.flat_groups),
        share(did.clipped),
    )


def _source_rows(one: Round, did: Training) -> Iterator[Row]:
    for name, ends in (did.sources or {}).items():
        yield (
            below(name, arrow(one.t)),
            _of(ends.missing, ends.applied),
            _number(ends.mean_first),
            _number(ends.deviation_first),
            _number(ends.mean_last),
            _number(ends.deviation_last),
        )


def _reference(one: Round) -> str:
    return "the policy before the update" if ties_to_last(one.stages["update"]) else "M0"


def _notes(trained: Sequence[tuple[Round, Training]], drawn: Drawn) -> Iterator[str]:
    gone = [arrow(one.t) for one, _ in trained if not one.rl_steps]
    if gone:
        yield f"“selfreward gc” deleted the steps of {', '.join(gone)}; the tables are whole."
    for what, size in (("the charts over steps", steps_a_place(drawn)), ("reward over KL", steps_over_kl(drawn))):
        if size > 1:
            yield f"Each place of {what} is the mean of {size:,} steps, fewer at the end of a round."
    if len(trained) > 1 and all("reward" in one.stages for one, _ in trained):
        yield "Each round has its own reward model, so rewards of different rounds do not compare."


def _of(part: int | None, whole: int | None) -> str:
    return f"{count(part)} of {count(whole)}"


def _moved(first: float | None, last: float | None, write: Callable[[float | None], str]) -> str:
    return f"{write(first)} → {write(last)}"


def _number(value: float | None) -> str:
    """A reward, whose scale is its own."""
    return DASH if value is None else f"{value:.3g}".replace("-", MINUS)


def _cell(value: float | None) -> str:
    return DASH if value is None else amount(value)
