"""How far a policy has moved from the initial one: KL(policy || initial) in nats per answer, from its own draws.

The answers are draws of the policy at temperature 1 from the whole vocabulary: of others both estimates are biased. An
answer that was cut counts up to its cut. Two estimates with the same expectation (Schulman 2020,
http://joschu.net/blog/kl-approx.html):

- `plain` (k1), the sum over tokens of d = log p - log p0, is the one to report. Its spread is about sqrt(2 KL).
- `k3`, the sum over tokens of exp(-d) - 1 + d, is never negative and far less noisy near the initial policy, up to
  about .1 nats a token. Further off it is worse, and where the policy no longer draws what the initial one says, no
  sample holds the tokens that exp(-d) is large on: k3 is then too low, and its interval does not show it. A k3 that
  lies clearly below `plain` says so. That is why it stands beside the other and not in its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfreward.metrics.intervals import Interval, bootstrap_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLogprobs:
    """The log-probabilities of the tokens of one answer: by the policy that drew it, and by the initial one."""

    own: Sequence[float]
    initial: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class KlToInitial:
    """Both estimates in nats per answer, with 95% intervals over prompts; see the head of this file."""

    plain: Interval
    k3: Interval


def kl_to_initial(answers: Mapping[str, Sequence[DrawnLogprobs]], seed: int) -> KlToInitial | None:
    """The KL of the policy to the initial one, from its answers by prompt; None without answers.

    Every prompt counts once, with the mean of its answers; prompts without answers are left out. The intervals are
    those of `bootstrap_mean`. Raises ValueError where an answer has not one finite value of each kind for every token.
    """
    means = np.array([np.mean([_estimates(one) for one in group], axis=0) for group in answers.values() if group])
    if not len(means):
        return None
    return KlToInitial(plain=_mean(means[:, 0], seed), k3=_mean(means[:, 1], seed))


def _estimates(answer: DrawnLogprobs) -> tuple[float, float]:
    own, initial = np.asarray(answer.own, dtype=np.float64), np.asarray(answer.initial, dtype=np.float64)
    if own.shape != initial.shape or not (np.isfinite(own).all() and np.isfinite(initial).all()):
        raise ValueError(
            f"{own.size} and {initial.size} log-probabilities: each token needs a finite one of each policy"
        )
    apart = own - initial
    return float(apart.sum()), float((np.expm1(-apart) + apart).sum())


def _mean(values_P: NDArray[np.float64], seed: int) -> Interval:
    found = bootstrap_mean(values_P, seed)
    assert found is not None, "there are prompts"
    return found
