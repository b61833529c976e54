"""Sizes that cannot fit this machine, refused by arithmetic before any work is done."""

import math
import os
from collections.abc import Mapping

from selfreward.errors import ConfigError
from selfreward.spec import Json

_ROW_BYTES = 500  # a prompt, an answer or a verdict in memory, with its ids and its row for the table: at least
_ROLES = ("train", "probe", "held_out", "human", "human_pairs", "gold_gate", "gold_final", "red_team_held_out")
# What is drawn for each prompt of a role.
_DRAWN = {"sample.k": "train", "measure.k": "probe", "measure.baseline_k": "probe", "evaluate.k": "held_out"}


def memory_bytes() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_sizes(settings: Mapping[str, Json]) -> None:
    """Raises ConfigError where `settings`, by their dotted names, ask for more rows than the memory can hold.

    Prompts count where the settings say how many are made; those of files are not known yet, and count as one.
    """
    scripted = settings.get("data.kind") == "scripted"
    prompts = dict.fromkeys(_ROLES, 0)
    for role in _ROLES if scripted else ():
        for name in (f"data.{role}", f"data.{role}_closed", f"data.{role}_open", f"data.{role}_shifted"):
            rows = _count(settings.get(name), 0)
            must_fit(name, rows, 1, f"{role.replace('_', ' ')} rows")
            prompts[role] += rows
    for name, role in _DRAWN.items():
        must_fit(name, _count(settings.get(name)), max(1, prompts[role]), "answers")
    answers = _count(settings.get("sample.k")) * max(1, prompts["train"])
    for name, value in settings.items():
        if name.startswith("judge.") and name.endswith(".repeats"):
            must_fit(name, _count(value), answers, "replies of the judge")
        if name.startswith("judge.") and name.endswith(".kind") and value == "pairwise":
            k, most = _count(settings.get("sample.k")), math.isqrt(2 * memory_bytes() // _ROW_BYTES)
            if k > most:
                pairs = k * (k - 1) // 2
                raise ConfigError(f"sample.k={k} makes {pairs:,} comparisons a prompt: set it to {most} or less")
    must_fit("seed_judge.repeats", _count(settings.get("seed_judge.repeats")), 1, "replies of the judge")


def must_fit(name: str, value: int, times: int, what: str) -> None:
    """Raises ConfigError where `value`, the setting `name`, makes `value * times` rows of `what`, too many to hold."""
    needed, memory = value * times * _ROW_BYTES, memory_bytes()
    if needed > memory:
        raise ConfigError(
            f"{name}={value} makes {value * times:,} {what} to hold at once, at least {needed / 1e9:,.0f} GB, and this "
            f"machine has {memory / 1e9:,.0f} GB: set {name} to {memory // (times * _ROW_BYTES)} or less"
        )


def _count(value: Json, default: int = 1) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default
