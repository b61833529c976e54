"""Which bias measures planted judges move: each its own, and no other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from selfreward.benchmarks.bench_table import Row, Section
from selfreward.benchmarks.gate_stops import RUNS, gate_section
from selfreward.benchmarks.labelled_items import Gold
from selfreward.benchmarks.planted_judges import JUDGES, PERFECT, Planted, moved, verdicts_on_items
from selfreward.judge_quality.estimate import Measure, Measures
from selfreward.judge_quality.measures import BIASES, judge_measures, rater_measures

MOVED = 0.5
AT_REST = 0.15

_QUALITY = ("accuracy", "kappa")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedFound:
    """One judge: its measures at the first seed, and in which share of seeds each left the perfect judge's interval.

    A measure that the judge or the perfect one lacks at the first seed has no rate.
    """

    judge: Planted
    measures: Measures
    rates: Mapping[str, float]

    @property
    def holds(self) -> bool | None:
        """Whether its own measures moved and no other; None for the perfect one, and where its own do not exist."""
        if self.judge is PERFECT or not self.judge.moves <= self.rates.keys():
            return None
        return all(rate >= MOVED if name in self.judge.moves else rate <= AT_REST for name, rate in self.rates.items())


def judge_bench(gold: Gold, seed: int, seeds: int) -> Iterator[Sequence[Section]]:
    """The sections of each part as it is done; the same gold, seed and number of seeds give the same figures."""
    found = planted(gold, seed, seeds)
    yield [_rates(gold, found, seeds), _measures(gold, found)]
    if any(len(item.verdicts) > 1 for item in gold.people):
        yield [_people(gold, seed)]
    if not gold.people:
        yield [gate_section(np.random.SeedSequence(seed), RUNS)]


def planted(gold: Gold, seed: int, seeds: int) -> list[PlantedFound]:
    """Every planted judge, asked about the items of `seeds` draws."""
    luck = np.random.SeedSequence(seed).generate_state(3 * seeds).reshape(seeds, 3).tolist()
    rounds = [_round(gold, *lots) for lots in luck]
    return [
        _found(judge, [one[judge.name] for one in rounds], [one[PERFECT.name] for one in rounds]) for judge in JUDGES
    ]


def _round(gold: Gold, draw: int, judge: int, resample: int) -> dict[str, Measures]:
    """The measures of every planted judge, by its name, on one draw of items."""
    items, own = gold.draw(draw), set() if gold.own is None else {gold.own}
    return {
        one.name: judge_measures(
            items, verdicts_on_items(one, items, gold.own, gold.scale, judge), own=own, scale=gold.scale, seed=resample
        )
        for one in JUDGES
    }


def _found(judge: Planted, rounds: Sequence[Measures], perfect: Sequence[Measures]) -> PlantedFound:
    left = [moved(*pair) for pair in zip(rounds, perfect, strict=True)]
    measures, rest = rounds[0], perfect[0]
    there = [name for name in BIASES if measures[name].interval is not None and rest[name].interval is not None]
    return PlantedFound(
        judge=judge, measures=measures, rates={name: sum(name in names for names in left) / len(left) for name in there}
    )


def _rates(gold: Gold, found: Sequence[PlantedFound], seeds: int) -> Section:
    return Section(
        title=f"Planted judges on {gold.name}: what moves",
        reading=(
            f"In which share of {seeds} draws of items and luck a bias measure leaves the perfect judge's 95% "
            "interval: the two intervals lie apart; `-` where either has none. The rule: a measure has moved, bold, if "
            f"it leaves in at least {MOVED:.0%} of the draws, because where the perfect judge's interval has no width "
            "a correct 95% interval leaves it in about 5% of them. A row holds if all measures of its own moved and "
            f"every other one left in at most {AT_REST:.0%}; nothing is asked where its own does not exist."
        ),
        columns=("its own", *BIASES),
        rows=tuple(
            Row(
                name=one.judge.name,
                cells=(
                    ", ".join(name for name in BIASES if name in one.judge.moves),
                    *(_rate(one, name) for name in BIASES),
                ),
                passed=one.holds,
            )
            for one in found
        ),
    )


def _measures(gold: Gold, found: Sequence[PlantedFound]) -> Section:
    asked = found[0].measures["parse_rate"].interval
    assert asked is not None, "every item is parsed or not"
    return Section(
        title=f"Planted judges on {gold.name}: values",
        reading=(
            f"The first draw, {asked.n:,} items: value and 95% interval, bold where the measure moved by the table "
            f"above. Accuracy and kappa are quality, not bias. {_owned(gold)}"
        ),
        columns=(*BIASES, *_QUALITY),
        rows=tuple(
            Row(
                name=one.judge.name,
                cells=(
                    *(_bold(one, name, _cell(one.measures[name])) for name in BIASES),
                    *(_cell(one.measures[name]) for name in _QUALITY),
                ),
            )
            for one in found
        ),
    )


def _people(gold: Gold, seed: int) -> Section:
    measures = rater_measures([item.verdicts for item in gold.people], seed, [item.messages for item in gold.people])
    return Section(
        title=f"People among themselves on {gold.name}",
        reading="How far they agree on all pairs of the file, the ceiling for any judge: value and 95% interval.",
        columns=("agreement", "pairs", "left out"),
        rows=tuple(
            Row(name=name, cells=(_cell(one), one.n if one.interval else None, one.left_out))
            for name, one in measures.items()
        ),
    )


def _owned(gold: Gold) -> str:
    return "No author is known." if gold.own is None else f"A judge's own answers are those by `{gold.own}`."


def _rate(found: PlantedFound, name: str) -> str:
    return _bold(found, name, f"{found.rates[name]:.2f}") if name in found.rates else "-"


def _bold(found: PlantedFound, name: str, text: str) -> str:
    return f"**{text}**" if found.rates.get(name, 0.0) >= MOVED else text


def _cell(measure: Measure) -> str:
    if measure.interval is None:
        return "-"
    # Adding 0 makes a 0 of what rounds to -0.
    value, low, high = (f"{round(one, 3) + 0.0:.3f}" for one in astuple(measure.interval)[:3])
    return f"{value} [{low}, {high}]"
