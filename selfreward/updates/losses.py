"""The losses of TRL's DPOTrainer, and what goes with which."""

from typing import Literal

Loss = Literal[
    "sigmoid",
    "sigmoid_norm",
    "hinge",
    "ipo",
    "exo_pair",
    "nca_pair",
    "robust",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
]

OFFSET: frozenset[Loss] = frozenset({"sigmoid", "hinge"})
"""Losses of `beta` times the difference of both log ratios and of nothing else, so that an offset means what it says.
Those that are sorted, divided by length, or look at each answer alone are not, and smoothed ones ask a flipped pair for
the offset of the pair that was not."""


SMOOTHED: tuple[Loss, ...] = ("robust", "exo_pair", "aot", "aot_unpaired")
"""Losses in which TRL's trainer reads `label_smoothing`; any other is the same whatever it is."""
