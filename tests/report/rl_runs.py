"""A scripted run whose updates also tell of steps of reinforcement learning, made up by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.stages import update as stage
from selfreward.updates import Training
from selfreward.updates.rl_steps import RlStep, SourceStep, ends_of, mean_of, sources_of
from tests.support import Silent, run_scripted

SMALL = ("data.train_closed=24", "data.train_open=8", "mix.min_rows=1", "mix.real_share=0", "loop.iterations=2")
STEPS = 10


def step(number: int, **changes: Any) -> RlStep:
    """Step `number` of a round in which the reward rises, entropy falls and completions grow."""
    source = SourceStep(name="model", applied=32, missing=2, mean=number / 10, deviation=0.5, tokens=0)
    verified = SourceStep(name="verifier", applied=16, missing=0, mean=0.25, deviation=0.4, tokens=0)
    whole: dict[str, Any] = {
        "step": number,
        "loss": 0.01,
        "completions": 32,
        "missing": 2,
        "sources": (source, verified),
        "reward": number / 10 + 0.125,
        "reward_deviation": 0.6,
        "flat_groups": 0.625,
        "kl": 0.004 * number,
        "entropy": 2.0 - 0.1 * number,
        "tokens": 20.0 + number,
        "tokens_trained": 30 * (20 + number),
        "cut": 0.125,
        "clipped": 0.0,
    }
    return RlStep(**{**whole, **changes})


def told(steps: Sequence[RlStep], found: Training | None = None) -> Training:
    """What an update reports that took `steps`."""
    first, last = ends_of(steps)
    return replace(
        found or Training(rows_trained=24),
        rows_too_long=3,
        rows_without_reward=1,
        steps=len(steps),
        completions=sum(one.completions for one in steps),
        completions_missing=sum(one.missing for one in steps),
        tokens_drawn=round(sum(one.tokens * one.completions for one in steps)),
        reward_first=mean_of(one.reward for one in first),
        reward_last=mean_of(one.reward for one in last),
        entropy_first=mean_of(one.entropy for one in first),
        entropy_last=mean_of(one.entropy for one in last),
        tokens_first=mean_of(one.tokens for one in first),
        tokens_last=mean_of(one.tokens for one in last),
        kl_to_reference=mean_of(one.kl for one in last),
        flat_groups=mean_of(one.flat_groups for one in steps),
        cut=mean_of(one.cut for one in steps),
        clipped=mean_of(one.clipped for one in steps),
        sources=sources_of(steps),
        rl_steps=tuple(steps),
    )


def run_with_steps(folder: Path, steps: Sequence[RlStep], *settings: str, reporter: Silent | None = None) -> RunView:
    """A scripted run to its end, each update of which tells of `steps` too."""
    trained = stage.run_update
    with pytest.MonkeyPatch.context() as here:
        here.setattr(stage, "run_update", lambda *given: told(steps, trained(*given)))
        return run_scripted(folder, *SMALL, *settings, reporter=reporter)
