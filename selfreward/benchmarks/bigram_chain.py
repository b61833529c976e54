"""A bigram model of a shipped text, refitted to its own samples: from words to rarefied distinct-2 and likelihood.

Every context is sampled as often as it occurs in the text, as a probe asks every prompt equally often. The count of a
bigram is then a Markov chain with binomial steps, so the mean of any function of counts is known exactly.

Shape suffixes: N bigrams of the text, R independent chains.
"""

import math
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from selfreward.benchmarks.bench_table import Row, Section
from selfreward.benchmarks.formulas import compared
from selfreward.data.embedded import everyday_rows
from selfreward.metrics.estimators import rarefied_distinct, words

Bigram = tuple[str, str]
Floats = NDArray[np.float64]

ROUNDS = (1, 2, 5, 10)
SMOOTHING = 0.5
DRAWN = 500


def chain_section(luck: np.random.SeedSequence, chains: int) -> Section:
    """Bigrams that survive, distinct-2 and the cost of the human text after rounds of refitting."""
    bigrams = human_bigrams()
    rng = np.random.default_rng(luck)
    runs = [refitted(rng, bigrams, max(ROUNDS)) for _ in range(chains)]
    rows: list[Row] = []
    for t in ROUNDS:
        models = [run[t - 1] for run in runs]
        for name, expected, measure in (
            ("bigrams that survive", expected_survivors(bigrams, t), surviving),
            (f"distinct-2 of {DRAWN} bigrams", expected_distinct(bigrams, t), distinct),
            ("nats per human bigram", expected_cost(bigrams, t), lambda texts: human_cost(bigrams, texts)),
        ):
            rows.append(compared(f"t={t}: {name}", expected, np.array([measure(texts) for texts in models])))
    return Section(
        title="A bigram model of a text",
        reading=(
            f"{len(bigrams):,} bigrams of the everyday questions, {len(set(bigrams)):,} of them distinct, in "
            f"{len({context for context, _ in bigrams})} contexts; {chains} chains. A row holds as above."
        ),
        columns=("formula", "simulated", "standard error", "z"),
        rows=tuple(rows),
    )


def human_bigrams() -> list[Bigram]:
    """The bigrams of every other everyday question, in order of their contexts."""
    tokens = [words(row["question"]) for row in everyday_rows()[::2]]
    return sorted(bigram for one in tokens for bigram in pairwise(one))


def refitted(rng: np.random.Generator, bigrams: list[Bigram], rounds: int) -> list[list[str]]:
    """The texts of each round, two words each: as many a context as the text has, by the model of the round before."""
    texts, generations = [" ".join(bigram) for bigram in bigrams], []
    for _ in range(rounds):
        # Two words at a time keep their order: a context's texts stay where the text has them.
        pairs = [words(text) for text in texts]
        sizes = Counter(context for context, _ in pairs)
        starts = {context: start for start, (context, _) in reversed(list(enumerate(pairs)))}
        luck_N = rng.random(len(pairs))
        picked = [starts[c] + int(luck * sizes[c]) for (c, _), luck in zip(pairs, luck_N, strict=True)]
        texts = [texts[index] for index in picked]
        generations.append(texts)
    return generations


def surviving(texts: list[str]) -> float:
    """The number of distinct bigrams."""
    return float(len(Counter(tuple(words(text)) for text in texts)))


def distinct(texts: list[str]) -> float:
    """Distinct-2 of the texts, rarefied."""
    found = rarefied_distinct(texts, n=2, size=DRAWN)
    assert found is not None
    return found


def human_cost(bigrams: list[Bigram], texts: list[str]) -> float:
    """Nats per bigram of the human text under the smoothed model of `texts`."""
    counts = Counter(tuple(words(text)) for text in texts)
    sizes = Counter(context for context, _ in bigrams)
    vocabulary = len({word for bigram in bigrams for word in bigram})
    return math.fsum(_nats(counts[one], sizes[one[0]], vocabulary) for one in bigrams) / len(bigrams)


def expected_survivors(bigrams: list[Bigram], t: int) -> float:
    """The mean of `surviving` after t rounds."""
    return _expected(bigrams, t, lambda counts_N, size, human: (counts_N > 0).astype(np.float64))


def expected_distinct(bigrams: list[Bigram], t: int) -> float:
    """The mean of `distinct` after t rounds."""
    total = len(bigrams)

    def seen(counts_N: Floats, size: int, human: int) -> Floats:
        missed_N: Floats = stats.hypergeom.pmf(0, total, counts_N.astype(int), DRAWN)
        return 1 - missed_N

    return _expected(bigrams, t, seen) / DRAWN


def expected_cost(bigrams: list[Bigram], t: int) -> float:
    """The mean of `human_cost` after t rounds."""
    vocabulary = len({word for bigram in bigrams for word in bigram})

    def nats(counts_N: Floats, size: int, human: int) -> Floats:
        return human * np.array([_nats(count, size, vocabulary) for count in counts_N])

    return _expected(bigrams, t, nats) / len(bigrams)


def _expected(bigrams: list[Bigram], t: int, of: Callable[[Floats, int, int], Floats]) -> float:
    """The mean over chains of the sum over bigrams of `of`(counts, size of the context, count in the text)."""
    sizes = Counter(context for context, _ in bigrams)
    alike = Counter((sizes[context], count) for (context, _), count in Counter(bigrams).items())
    total = 0.0
    for (size, human), bigrams_alike in alike.items():
        counts_N = np.arange(size + 1)
        total += bigrams_alike * float(_later(size, t)[human] @ of(counts_N.astype(np.float64), size, human))
    return total


@cache
def _later(size: int, t: int) -> Floats:
    """The chances of each count after t rounds, a row for each count in the text."""
    counts_N = np.arange(size + 1)
    later_NN: Floats = np.linalg.matrix_power(stats.binom.pmf(counts_N, size, counts_N[:, None] / size), t)
    return later_NN


def _nats(count: float, size: int, vocabulary: int) -> float:
    return -math.log((count + SMOOTHING) / (size + SMOOTHING * vocabulary))
