"""All parts of the bench, in the order in which they are read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from selfreward.benchmarks.alarm_rates import calibration_sections
from selfreward.benchmarks.bench_table import Section
from selfreward.benchmarks.bigram_chain import chain_section
from selfreward.benchmarks.closed_loop import alarm_section, controller_section
from selfreward.benchmarks.corruptions import corruptions_section
from selfreward.benchmarks.formulas import formula_section
from selfreward.benchmarks.length_cases import matching_sections


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much each part simulates. `chains` scales the formulas' numbers of chains, 1 is what the standard is."""

    chains: float
    texts: int
    runs: int
    loops: int
    steered: int
    prompts: int
    matched: int


FULL = Size(chains=1.0, texts=40, runs=400, loops=200, steered=30, prompts=128, matched=4)
QUICK = Size(chains=0.2, texts=30, runs=40, loops=20, steered=5, prompts=64, matched=2)


def detector_bench(seed: int, size: Size) -> Iterator[Sequence[Section]]:
    """The sections of each part as it is done; the same seed and size give the same figures."""
    parts: tuple[Callable[[np.random.SeedSequence], Sequence[Section]], ...] = (
        lambda luck: [formula_section(luck, size.chains)],
        lambda luck: [chain_section(luck, size.texts)],
        lambda luck: calibration_sections(luck, size.runs),
        lambda luck: [alarm_section(luck, size.loops)],
        lambda luck: [controller_section(luck, size.steered)],
        lambda luck: [corruptions_section(luck, size.prompts)],
        lambda luck: matching_sections(luck, size.matched),
    )
    for part, luck in zip(parts, np.random.SeedSequence(seed).spawn(len(parts)), strict=True):
        yield part(luck)
