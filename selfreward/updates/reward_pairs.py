"""The pairs that a reward model is trained on: what is wrong with them, which are held out, and a resample."""

from collections.abc import Sequence

import numpy as np

from selfreward.errors import DataError, StarvedLoop
from selfreward.records import PreferencePair, digest_of

FEW = 5_000
"""Fewer pairs than this are said to be few: what is published was trained on tens of thousands, or more."""


def chance(pair: PreferencePair) -> float:
    """The probability that the chosen answer is the better one: the label of the pair, 1 for a plain verdict."""
    return 1.0 if pair.label is None else pair.label


def check_pairs(pairs: Sequence[PreferencePair], least: int) -> list[str]:
    """What should be said of the pairs before training on them; nothing where they are many.

    Raises StarvedLoop for fewer than `least` and DataError for pairs from which nothing can be learned, or the reverse.
    """
    if len(pairs) < least:
        raise StarvedLoop(
            f"{len(pairs)} pairs to train a reward model on, fewer than reward.min_pairs={least}: judge more prompts, "
            "or lower it"
        )
    if wrong := next((one for one in pairs if not 0 <= chance(one) <= 1), None):
        raise DataError(f"a pair has the label {wrong.label}, which is no probability: give one from 0 to 1")
    if all(chance(one) <= 0.5 for one in pairs):
        raise DataError(
            f"none of {len(pairs)} pairs is more likely right than wrong (labels of .5 at most): turn the pairs "
            "around, or label them anew"
        )
    if any((one.margin or 0.0) < 0 for one in pairs):
        raise DataError("a pair has a margin below 0, so its rejected answer is the better one: turn it around")
    if len(pairs) < FEW:
        return [f"{len(pairs):,} pairs are few for a reward model: look at its accuracy on held-out prompts"]
    return []


def split_by_prompt(
    pairs: Sequence[PreferencePair], share: float, seed: int
) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """The pairs to train on and those held out: all of a `share` of the prompts, one prompt at least on either side.

    Which prompts those are hangs on their ids and the seed, not on the order of the pairs. Raises StarvedLoop for
    pairs of a single prompt.
    """
    prompts = sorted({one.prompt_id for one in pairs}, key=lambda id_: digest_of("held out", seed, id_))
    if len(prompts) < 2:
        raise StarvedLoop("pairs of one prompt cannot be held out by prompt: give pairs of two prompts or more")
    held_out = set(prompts[: min(max(1, round(share * len(prompts))), len(prompts) - 1)])
    kept = [one for one in pairs if one.prompt_id not in held_out]
    return kept, [one for one in pairs if one.prompt_id in held_out]


def resampled(pairs: Sequence[PreferencePair], seed: int) -> list[PreferencePair]:
    """The pairs of as many prompts, drawn with replacement: a prompt comes with all of its pairs, as often as drawn."""
    by_prompt: dict[str, list[PreferencePair]] = {}
    for one in pairs:
        by_prompt.setdefault(one.prompt_id, []).append(one)
    prompts = sorted(by_prompt)
    drawn = np.random.default_rng(seed).integers(len(prompts), size=len(prompts))
    return [one for place in sorted(drawn.tolist()) for one in by_prompt[prompts[place]]]
