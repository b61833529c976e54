"""Verdicts from one pass: the probability of each option as the first token of the answer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from selfreward.backends.base import NotScored, OptionScore
from selfreward.judges.base import NO_USAGE
from selfreward.records import Outcome, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """The options' probabilities, renormalised to add up to 1; None, with the outcome that says why, where unknown."""

    shares: tuple[float, ...] | None
    outcome: Outcome
    raw: str
    usage: Usage


def chances_of(result: OptionScore | NotScored, options: Sequence[str], min_mass: float) -> Chances:
    """What a backend's scores say of `options`.

    Unparsed where together they have less than `min_mass`, failed where the engine gave a score that is no number.
    """
    if not isinstance(result, OptionScore):
        return Chances(shares=None, outcome=result.outcome, raw=result.reason, usage=NO_USAGE)
    usage = Usage(prompt_tokens=result.prompt_tokens, completion_tokens=0)
    chances = [math.exp(logprob) for logprob in result.logprobs]
    mass = math.fsum(chances)
    told = " ".join(f"p({option})={chance:.6g}" for option, chance in zip(options, chances, strict=True))
    raw = f"{told} mass={mass:.6g}"
    if not math.isfinite(mass):
        return Chances(shares=None, outcome="failed", raw=raw, usage=usage)
    if mass < min_mass or mass == 0:
        return Chances(shares=None, outcome="unparsed", raw=raw, usage=usage)
    return Chances(shares=tuple(chance / mass for chance in chances), outcome="scored", raw=raw, usage=usage)
