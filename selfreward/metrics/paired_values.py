"""Values of the same prompts under two policies, side by side."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Family = Literal["sem", "lex", "ent", "nll", "recall", "human"]


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """One value per prompt for this policy and for what it is compared with, over the prompts that have both."""

    now_P: NDArray[np.float64]
    base_P: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.now_P.ndim != 1 or self.now_P.shape != self.base_P.shape:
            raise ValueError(f"values of shapes {self.now_P.shape} and {self.base_P.shape} cannot be paired by prompt")
        if not (np.isfinite(self.now_P).all() and np.isfinite(self.base_P).all()):
            raise ValueError("a prompt without a value is left out of both sides, never nan or infinite")

    def ratio(self) -> float | None:
        """The mean now over the mean of what it is compared with; None without prompts, or where that is 0."""
        return float(self.now_P.mean() / self.base_P.mean()) if self.base_P.sum() > 0 else None


def both_known(values: Iterable[tuple[float | None, float | None]]) -> Paired:
    """The pairs (now, base) of those prompts that have both."""
    both = [(now, base) for now, base in values if now is not None and base is not None]
    return Paired(np.array([now for now, _ in both]), np.array([base for _, base in both]))
