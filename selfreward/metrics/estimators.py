"""How varied a set of answers is: pure functions of texts, counts and vectors.

Shape suffixes: K candidates of one prompt, D dims of an embedding. An average of nothing is None.
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import regex
from numpy.typing import NDArray

# A vowel sign or an accent of its own belongs to the letter before it.
_WORD = regex.compile(r"(?:[\p{L}\p{N}]\p{M}*)+(?:['\u2019](?:[\p{L}\p{N}]\p{M}*)+)*")


def words(text: str) -> list[str]:
    """The words of `text` in order: runs of letters and digits, case folded, in Unicode form NFC.

    An apostrophe inside a word belongs to it. Scripts that do not space their words give one long word per run.
    """
    return [word.casefold().replace("\u2019", "'") for word in _WORD.findall(unicodedata.normalize("NFC", text))]


def word_ends(text: str) -> list[int]:
    """Where each of the `words` of `text`, which must be in NFC, ends."""
    return [found.end() for found in _WORD.finditer(text)]


def distinct_share(answers: Sequence[str | None]) -> float | None:
    """The share of distinct values among the extracted `answers` of one prompt; None where there is none.

    Formula: distinct / count, over the answers that are not None. Range [1 / count, 1]; falls as the policy
    narrows. Biased: it falls as the count grows, so compare it only at equal counts.
    """
    given = [answer for answer in answers if answer is not None]
    return len(set(given)) / len(given) if given else None


def mean_pairwise_distance(vectors_KD: NDArray[np.floating]) -> float | None:
    """The mean cosine distance over all pairs of rows; None for fewer than two rows.

    Formula: 2 / (K (K - 1)) * sum over i < j of (1 - cos(v_i, v_j)). Range [0, 2]; falls as the policy narrows.
    Unbiased in K (a U-statistic). A zero vector (an empty text) has distance 0 to another zero vector and 1 to
    any other. Source: the embedding diversity of Kirk et al. 2024, per prompt.
    """
    count = len(vectors_KD)
    if count < 2:
        return None
    vectors_KD = np.asarray(vectors_KD, dtype=np.float64)
    norms_K = np.linalg.norm(vectors_KD, axis=1)
    units_KD = vectors_KD[norms_K > 0] / norms_K[norms_K > 0, None]
    zeros = count - len(units_KD)
    # |sum of units|^2 holds every ordered pair once, plus one 1 for each unit with itself: no K x K matrix.
    total_D = units_KD.sum(axis=0)
    cosines = float(total_D @ total_D) - len(units_KD) + zeros * (zeros - 1)
    return min(max(1 - cosines / (count * (count - 1)), 0.0), 2.0)


def rarefied_distinct(texts: Sequence[str], n: int = 2, size: int = 1000) -> float | None:
    """The expected distinct-n of `size` n-grams drawn from `texts` without replacement; None for fewer.

    Formula: 1/m * sum over types g of [1 - C(N - N_g, m) / C(N, m)], with m = `size`, N n-grams in all and N_g of
    type g. N-grams never cross two texts. Range [1/m, 1]; falls as the policy narrows. Unbiased in N, unlike plain
    distinct-n, but it depends on m: keep `size` fixed. Source: the rarefaction of Hurlbert 1971.
    """
    counts = Counter(gram for text in texts for gram in ngrams(words(text), n))
    total = counts.total()
    if total < size:
        return None
    # Most types share a few small counts, so each count is worked out once.
    types_of = Counter(counts.values())
    seen = math.fsum(types * _chance_seen(count, total, size) for count, types in types_of.items())
    return min(seen / size, 1.0)


def duplicate_rate(texts: Sequence[str]) -> float | None:
    """The share of one prompt's candidates that repeat an earlier one; None without candidates.

    Formula: 1 - distinct / K, where case and runs of white space do not count. Range [0, 1 - 1/K]; rises as the
    policy narrows. Biased: it rises with K, so compare it only at equal K.
    """
    if not texts:
        return None
    distinct = {" ".join(text.split()).casefold() for text in texts}
    return (len(texts) - len(distinct)) / len(texts)


def pass_at_k(right: int, drawn: int, k: int) -> float:
    """The chance that `k` of the `drawn` answers, picked without replacement, hold one of the `right` ones.

    Formula: 1 - C(n - c, k) / C(n, k), with n = `drawn` and c = `right`. Range [0, 1]. An unbiased estimate of
    the chance that k fresh answers hold a right one, for any n >= k. Source: Chen et al. 2021.
    """
    if not 1 <= k <= drawn:
        raise ValueError(f"pass@{k} of {drawn} answers: k must lie between 1 and the number drawn")
    if not 0 <= right <= drawn:
        raise ValueError(f"{right} right of {drawn} answers")
    draws = math.comb(drawn, k)
    return (draws - math.comb(drawn - right, k)) / draws


def ngrams(tokens: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    """The runs of `n` words in order, n at least 1; none in a shorter text."""
    return zip(*(tokens[start:] for start in range(n)), strict=False)


def _chance_seen(count: int, total: int, size: int) -> float:
    """The chance that a type with `count` of `total` n-grams is among `size` of them: hypergeometric."""
    others = total - count
    if others < size:
        return 1.0
    return -math.expm1(_log_falling(others, size) - _log_falling(total, size))


def _log_falling(top: int, length: int) -> float:
    """The natural log of top (top - 1) ... (top - length + 1)."""
    return math.lgamma(top + 1) - math.lgamma(top - length + 1)
