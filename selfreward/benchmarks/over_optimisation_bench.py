"""All parts of the bench of over-optimisation, in the order in which they are read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from selfreward.benchmarks.bench_table import Section
from selfreward.benchmarks.proxy_curves import best_of_n_section, curve_section, ensemble_section, kl_section
from selfreward.benchmarks.turn_rates import best_section, false_section, power_section


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """How many runs each part watches."""

    false: int
    power: int
    best: int


FULL = Runs(false=600, power=200, best=400)
QUICK = Runs(false=60, power=20, best=40)


def over_optimisation_bench(seed: int, runs: Runs) -> Iterator[Sequence[Section]]:
    """The sections of each part as it is done; the same seed and numbers of runs give the same figures."""
    parts: tuple[Callable[[np.random.SeedSequence], Section], ...] = (
        curve_section,
        best_of_n_section,
        kl_section,
        lambda luck: false_section(luck, runs.false),
        lambda luck: power_section(luck, runs.power),
        lambda luck: best_section(luck, runs.best),
        ensemble_section,
    )
    for part, luck in zip(parts, np.random.SeedSequence(seed).spawn(len(parts)), strict=True):
        yield [part(luck)]
