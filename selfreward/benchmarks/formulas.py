"""Loops whose outcome has a closed form: the formula beside a simulation that does not use it.

Shape suffixes: R independent chains, N samples of a round, K categories or candidates.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, special, stats

from selfreward.benchmarks.bench_table import Row, Section

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

MOST_ERRORS = 4.0


def formula_section(luck: np.random.SeedSequence, size: float) -> Section:
    """Every formula beside its simulation; `size` scales the number of chains."""
    cases = (refit, biased_refit, linear_reward, resampling, migration, best_of_k)
    rows = [
        row
        for case, child in zip(cases, luck.spawn(len(cases)), strict=True)
        for row in case(np.random.default_rng(child), size)
    ]
    return Section(
        title="Formulas",
        reading=f"A row holds if the simulated mean lies within {MOST_ERRORS:g} standard errors of the formula.",
        columns=("formula", "simulated", "standard error", "z"),
        rows=tuple(rows),
    )


def compared(name: str, expected: float, values_R: Floats) -> Row:
    """The mean of independent values beside what it should be."""
    mean, error = float(values_R.mean()), float(values_R.std(ddof=1)) / math.sqrt(len(values_R))
    z = (mean - expected) / error
    return Row(name=name, cells=(expected, mean, error, round(z, 2)), passed=abs(z) <= MOST_ERRORS)


def refit(rng: np.random.Generator, size: float) -> Iterator[Row]:
    """A Gaussian fitted to n samples of itself, t times: the mean variance misleads, its logarithm does not."""
    for n, rounds, chains in ((10, 10, 100_000), (50, 50, 4_000)):
        chains = _scaled(chains, size)
        for biased in (True, False):
            spread_R = np.ones(chains)
            for _ in range(rounds):
                spread_R = np.std(spread_R[:, None] * rng.standard_normal((chains, n)), axis=1, ddof=1 - biased)
            kind = f"n={n}, t={rounds}"
            if biased:
                yield compared(f"refit, divisor n, {kind}: variance", (1 - 1 / n) ** rounds, spread_R**2)
                continue
            half = (n - 1) / 2
            shrink = math.exp(special.gammaln(n / 2) - special.gammaln(half)) / math.sqrt(half)
            drift = rounds * float(special.digamma(half) - math.log(half))
            yield compared(f"refit, divisor n-1, {kind}: variance", 1.0, spread_R**2)
            yield compared(f"refit, divisor n-1, {kind}: standard deviation", shrink**rounds, spread_R)
            yield compared(f"refit, divisor n-1, {kind}: log variance", drift, np.log(spread_R**2))


def biased_refit(rng: np.random.Generator, size: float) -> Iterator[Row]:
    """A share a of own samples whose variance is cut to lam of the model's, the rest fresh: an equilibrium."""
    total, rounds, chains = 100, 150, _scaled(1_000, size)
    for share, cut in ((0.9, 0.5), (0.5, 0.5), (0.75, 0.5), (0.95, 0.8), (0.99, 0.5)):
        own = round(share * total)
        mean_R, variance_R = np.zeros(chains), np.ones(chains)
        for _ in range(rounds):
            samples_RN = rng.standard_normal((chains, total))
            samples_RN[:, :own] *= np.sqrt(cut * variance_R)[:, None]
            samples_RN[:, :own] += mean_R[:, None]
            mean_R, variance_R = samples_RN.mean(axis=1), samples_RN.var(axis=1, ddof=1)
        between = share / ((total - 1) * (1 + share))
        expected = (1 - share) * (1 + between) / (1 - share * cut * (1 + between))
        yield compared(f"own share {share:g}, variance cut to {cut:g}, N={total}: variance", expected, variance_R)


def linear_reward(rng: np.random.Generator, size: float) -> Iterator[Row]:
    """One best of k by a score that has correlation rho with a normal trait: the trait's new variance and mean."""
    chains = _scaled(50_000, size)
    for squared in (1.0, 0.5):
        for k in (2, 4, 8, 16, 32):
            trait_RK = rng.standard_normal((chains, k))
            noise = math.sqrt(1 / squared - 1)
            best_R = (trait_RK + noise * rng.standard_normal((chains, k))).argmax(axis=1)
            kept_R = trait_RK[np.arange(chains), best_R]
            mean, variance = largest_of(k)
            name = f"best of {k}, squared correlation {squared:g}"
            yield compared(f"{name}: variance", 1 - squared * (1 - variance), (kept_R - kept_R.mean()) ** 2)
            yield compared(f"{name}: mean", math.sqrt(squared) * mean, kept_R)


def largest_of(k: int) -> tuple[float, float]:
    """The mean and the variance of the largest of k standard normals."""

    def moment(power: int) -> float:
        value, _ = integrate.quad(lambda x: x**power * k * stats.norm.pdf(x) * stats.norm.cdf(x) ** (k - 1), -9, 9)
        return float(value)

    return moment(1), moment(2) - moment(1) ** 2


def resampling(rng: np.random.Generator, size: float) -> Iterator[Row]:
    """N answers drawn again and again from their own frequencies: what survives, and how varied it is."""
    n = 1000
    for name, start_K in (("uniform", np.full(n, 1 / n)), ("Zipf", zipf(n))):
        exact = survivors(start_K, n, 50)
        for t, counts_RK in enumerate(_generations(rng, start_K, n, 0.0, _scaled(300, size), 50), start=1):
            if t not in (1, 2, 5, 10, 20, 50):
                continue
            alive_R = (counts_RK > 0).sum(axis=1).astype(np.float64)
            yield compared(f"resampling, {name} K=N={n}, t={t}: survivors", exact[t - 1], alive_R)
            if t in (10, 50):
                varied_R = 1 - ((counts_RK / n) ** 2).sum(axis=1)
                expected = (1 - 1 / n) ** t * (1 - float((start_K**2).sum()))
                yield compared(f"resampling, {name} K=N={n}, t={t}: unequal pairs", expected, varied_R)


def survivors(start_K: Floats, n: int, rounds: int) -> list[float]:
    """The expected number of categories left after each of `rounds` rounds of n draws: exact.

    The count of one category is a Markov chain with binomial steps.
    """
    counts = np.arange(n + 1)
    steps = stats.binom.pmf(counts, n, counts[:, None] / n)
    first = stats.binom.pmf(counts, n, start_K[:, None])
    gone, left = (counts == 0).astype(np.float64), []
    for _ in range(rounds):
        left.append(float((1 - first @ gone).sum()))
        gone = steps @ gone
    return left


def migration(rng: np.random.Generator, size: float) -> Iterator[Row]:
    """Resampling with a share of fresh draws from the start: the chance that two answers are equal settles."""
    n, start_K = 200, zipf(1000)
    for real in (0.05, 0.1, 0.3):
        *_, counts_RK = _generations(rng, start_K, n, real, _scaled(400, size), 80)
        equal_R = ((counts_RK / n) ** 2).sum(axis=1)
        expected = equal_at_rest(float((start_K**2).sum()), n, real)
        name = f"real share {real:g}, Zipf K=1000, N={n} ({1 / expected:.1f} effective modes): equal pairs"
        yield compared(name, expected, equal_R)


def equal_at_rest(start: float, n: int, real: float) -> float:
    """The equilibrium of sum p^2 for n draws a round, a share `real` of them from a source with sum p^2 = `start`."""
    kept = (1 - real) ** 2
    return (1 / n + (1 - 1 / n) * (1 - kept) * start) / (1 - (1 - 1 / n) * kept)


def best_of_k(rng: np.random.Generator, size: float) -> Iterator[Row]:
    """Best of k by an exact judge with a real share: the recursion beside draws that go back to the start."""
    start_K = zipf(100)
    for k, rounds, real in ((2, 3, 0.0), (2, 6, 0.5), (4, 3, 0.0), (4, 3, 0.3), (4, 4, 0.5), (8, 2, 0.1)):
        later_K = best_of_k_later(start_K, k, rounds, real)
        drawn_R = _ancestry(rng, start_K, k, real, rounds, _scaled(20_000, size))
        entropy = float(special.entr(later_K).sum())
        name = f"best of {k}, real share {real:g}, t={rounds}, Zipf K=100"
        best_R = (drawn_R == len(start_K) - 1).astype(np.float64)
        yield compared(f"{name} ({math.exp(entropy):.1f} effective modes): entropy", entropy, -np.log(later_K[drawn_R]))
        yield compared(f"{name}: mass of the best", float(later_K[-1]), best_R)


def best_of_k_later(start_K: Floats, k: int, rounds: int, real: float) -> Floats:
    """The distribution after `rounds` rounds of best of k mixed with the start; the last category is the best."""
    later_K = start_K
    for _ in range(rounds):
        below_K = np.cumsum(later_K)
        # Without this the error of the last sum grows by k (1 - real) a round.
        below_K /= below_K[-1]
        best_K = np.diff(below_K**k, prepend=0.0)
        later_K = (1 - real) * best_K + real * start_K
    return later_K


def zipf(categories: int) -> Floats:
    """Zipf's law with exponent 1."""
    weights_K: Floats = 1 / np.arange(1, categories + 1)
    weights_K /= weights_K.sum()
    return weights_K


def _generations(
    rng: np.random.Generator, start_K: Floats, n: int, real: float, chains: int, rounds: int
) -> Iterator[Counts]:
    """The counts (R, K) of each round: n draws from the last round, each with chance `real` from the start."""
    categories = len(start_K)
    offsets_R1 = categories * np.arange(chains)[:, None]
    own_RN = rng.choice(categories, size=(chains, n), p=start_K)
    for t in range(rounds):
        if t:
            own_RN = np.take_along_axis(own_RN, rng.integers(n, size=(chains, n)), axis=1)
            fresh_RN = rng.random((chains, n)) < real
            own_RN[fresh_RN] = rng.choice(categories, size=int(fresh_RN.sum()), p=start_K)
        yield np.bincount((own_RN + offsets_R1).ravel(), minlength=chains * categories).reshape(chains, categories)


def _ancestry(rng: np.random.Generator, start_K: Floats, k: int, real: float, rounds: int, draws: int) -> Counts:
    """Draws from the policy after `rounds` rounds, each traced back to draws from the start."""
    if rounds == 0:
        return rng.choice(len(start_K), size=draws, p=start_K)
    from_start_R = rng.random(draws) < real
    drawn_R = np.empty(draws, dtype=np.int64)
    drawn_R[from_start_R] = rng.choice(len(start_K), size=int(from_start_R.sum()), p=start_K)
    own = draws - int(from_start_R.sum())
    drawn_R[~from_start_R] = _ancestry(rng, start_K, k, real, rounds - 1, own * k).reshape(own, k).max(axis=1)
    return drawn_R


def _scaled(count: int, size: float) -> int:
    return max(50, round(count * size))
