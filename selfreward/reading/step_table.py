"""The steps of reinforcement learning as one table of numbers, for W&B and the page."""

from collections.abc import Sequence

from selfreward.updates.rl_steps import RlStep, SourceStep

Cell = float | int | None
_FIGURES = (
    "loss",
    "completions",
    "missing",
    "reward",
    "reward_deviation",
    "flat_groups",
    "kl",
    "entropy",
    "tokens",
    "cut",
    "clipped",
)


def step_table(t: int, steps: Sequence[RlStep]) -> tuple[list[str], list[list[Cell]]]:
    """The head and a row for each of `steps`, those of round `t`; what a step does not have is None.

    Columns are the fields of RlStep, then what each source of rewards said by its name.
    """
    names = list(dict.fromkeys(one.name for step in steps for one in step.sources))
    of_source = [f"{name}/{what}" for name in names for what in ("mean", "deviation", "missing")]
    rows: list[list[Cell]] = []
    for step in steps:
        said = {one.name: one for one in step.sources}
        of_sources = [cell for name in names for cell in _said(said.get(name))]
        rows.append([t, step.step, *(getattr(step, name) for name in _FIGURES), *of_sources])
    return ["round", "step", *_FIGURES, *of_source], rows


def _said(one: SourceStep | None) -> tuple[Cell, Cell, Cell]:
    return (None, None, None) if one is None else (one.mean, one.deviation, one.missing)
