"""Made rounds of a probe: so much lost of each family, with little noise."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from selfreward.metrics.intervals import Family, Paired
from selfreward.monitor.detector import DetectorSpec, Diagnosis, ProbeRound
from selfreward.monitor.findings import Finding

SPEC = DetectorSpec()
PROMPTS = 64
BASE_P = 0.6 + 0.1 * np.cos(np.arange(PROMPTS))


def spread(round_: int, prompts: int = PROMPTS, sd: float = 1.0) -> NDArray[np.float64]:
    """Noise of one round, its mean exactly 0 and its standard deviation exactly `sd`."""
    noise_P = np.random.default_rng(round_).normal(size=prompts)
    noise_P -= noise_P.mean()
    return noise_P * sd / noise_P.std()


def fallen(drop: float, round_: int, base_P: NDArray[np.float64] = BASE_P, sd: float = 0.02) -> Paired:
    return Paired((1 - drop) * base_P + spread(round_, len(base_P), sd), base_P)


def human_nll(means_T: Sequence[float], prompts: int = PROMPTS, sd: float = 0.02) -> list[dict[str, float]]:
    return [
        {f"p{i}": float(value) for i, value in enumerate(mean + spread(100 + round_, prompts, sd))}
        for round_, mean in enumerate(means_T)
    ]


def probe(number: int = 2, *, rise: float = 0.0, **drops: float) -> ProbeRound:
    """A round with little noise: `rise` of the human NLL over all earlier rounds, and the drops of the families."""
    families: Mapping[Family, Paired] = {
        family: fallen(drops.get(family, 0.0), number) for family in ("sem", "lex", "ent", "recall", "human")
    }
    return ProbeRound(
        number=number,
        draws=8,
        baseline_draws=32,
        families=families,
        human_nll=human_nll([3.0] * number + [3.0 + rise]),
        start_over_people=1.0,
        raw_sem_drop=drops.get("sem", 0.0),
        duplicate_rate=0.0,
        truncation_rate=0.1,
        baseline_truncation_rate=0.1,
        mismatch=None,
    )


def found(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {finding.family: finding for finding in diagnosis.findings}
