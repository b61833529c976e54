"""How varied the wording of texts is: pure functions of texts, in the words of `estimators.words`.

A lot is drawn from `seed`: the same texts in the same order give the same number.
"""

import math
import random
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, takewhile
from unicodedata import normalize

import regex

from selfreward.metrics.estimators import ngrams, word_ends, words

_SHORTEST_OPENING = 3
_STOPS = regex.compile(r"[^\p{L}\p{N}\s]*\s*")


def first_words(text: str, count: int) -> str:
    """The start of `text` up to and including its `count`-th word, in Unicode form NFC; all of it if shorter."""
    text = normalize("NFC", text)
    ends = [0, *word_ends(text)]
    return text[: ends[count]] if count < len(ends) else text


def shared_opening(texts: Sequence[str]) -> tuple[str, ...]:
    """The longest run of first words, 3 or more, that at least half of `texts` and at least two share; else ().

    Of answers to different prompts it is a preamble, no content. Of two as long, the first in the alphabet.
    """
    needed = max(2, (len(texts) + 1) // 2)
    ordered = sorted(map(words, texts))
    # Texts that share a start stand together; the longest one that `needed` of them share comes first among its equals.
    shared = [_common_start(first, last) for first, last in zip(ordered, ordered[needed - 1 :], strict=False)]
    longest = max(shared, key=len, default=())
    return longest if len(longest) >= _SHORTEST_OPENING else ()


def without_opening(text: str, opening: Sequence[str]) -> str:
    """What follows the words `opening` and their closing punctuation; `text` itself where it starts otherwise.

    Nothing is left of a text that is all opening, such as a refusal that half of the answers share.
    """
    if not opening or words(text)[: len(opening)] != list(opening):
        return text
    text = normalize("NFC", text)
    return str(_STOPS.sub("", text[word_ends(text)[len(opening) - 1] :], count=1))


def ngram_distance(texts: Sequence[str], n: int = 3) -> float | None:
    """The mean over pairs of `texts` of 1 - the Jaccard index of their sets of word n-grams; None under two.

    Formula: 2 / (K (K - 1)) * sum over i < j of (1 - |A_i & A_j| / |A_i | A_j|). A text of fewer than n words has
    all its words as its only n-gram, so two texts without words have distance 0. Range [0, 1]; falls as the policy
    narrows. Unbiased in K (a U-statistic), biased in length either way: cut texts with `first_words` to one length
    before comparing. Source: the index of Jaccard 1912 on the shingles of Broder 1997.
    """
    if len(texts) < 2:
        return None
    sets = [set(ngrams(tokens, n)) or {tuple(tokens)} for tokens in map(words, texts)]
    pairs = math.comb(len(sets), 2)
    shared = ((len(one & other), len(one) + len(other)) for one, other in combinations(sets, 2))
    return 1 - math.fsum(both / (total - both) for both, total in shared) / pairs


def simpson(texts: Sequence[str], n: int = 1) -> float | None:
    """The chance that two word n-grams drawn from all of `texts` differ; None with fewer than two n-grams.

    Formula: D = 1 - sum over types g of N_g (N_g - 1) / (N (N - 1)). N-grams never cross two texts. Range [0, 1];
    falls as the policy narrows. Unbiased in N for n-grams drawn one by one; those of one text hang together, so compare
    it at equal numbers where texts are few. Source: Simpson 1949.
    """
    counts = Counter(gram for text in texts for gram in ngrams(words(text), n))
    total = counts.total()
    if total < 2:
        return None
    return 1 - sum(count * (count - 1) for count in counts.values()) / (total * (total - 1))


def self_bleu(texts: Sequence[str], *, seed: int, references: int = 4) -> float | None:
    """The mean BLEU of each text against `references` of the others at random; None with fewer texts than that + 1.

    Formula: mean over i of BLEU-4(text_i; R_i) / 100, R_i drawn without replacement, as sacrebleu scores sentences:
    cased, 13a tokens, exponential smoothing, effective order. Range [0, 1]; rises as the policy narrows. Unbiased in
    the number of texts; it rises with `references`. Biased in length: smoothing lends unrelated texts .09 at 5 words
    and .03 at 80, and a text shorter than its references is punished. Source: Zhu et al. 2018; Post 2018.
    """
    if len(texts) <= references:
        return None
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(effective_order=True)
    lot = random.Random(seed)
    scores = []
    for index, text in enumerate(texts):
        others = lot.sample(range(len(texts) - 1), references)
        # Numbers from `index` on stand for the text one further, so that no text is its own reference.
        chosen = [texts[other + (other >= index)] for other in others]
        scores.append(bleu.sentence_score(text, chosen).score / 100)
    return min(math.fsum(scores) / len(scores), 1.0)


def self_repetition(texts: Sequence[str], n: int = 6) -> float | None:
    """How many n-grams of a text stand in other texts, on a log scale, mean over `texts`; None under two.

    Formula: mean over texts d of ln(1 + sum over distinct n-grams g of d of (N_g - 1)), with N_g the number of texts
    that hold g. Range [0, inf); rises as the policy narrows. Biased: it rises with the number of texts and with their
    length, so compare it at equal ones. Source: Salkar et al. 2022, as in Shaib et al. 2024.
    """
    if len(texts) < 2:
        return None
    sets = [set(ngrams(words(text), n)) for text in texts]
    holding = Counter(gram for grams in sets for gram in grams)
    return math.fsum(math.log1p(sum(holding[gram] - 1 for gram in grams)) for grams in sets) / len(sets)


def compression_ratio(texts: Sequence[str], size: int, *, seed: int) -> float | None:
    """How many times smaller zlib makes `size` UTF-8 bytes of `texts`; None where they have fewer.

    Formula: size / len(zlib level 9), over the first `size` bytes of the texts in a random order, one to a line.
    Range about 1 to 1000; rises as the policy narrows. Biased: it rises with `size`, so keep that fixed, and at a
    fixed one with length (2.6 at 5 words a text, 2.75 at 80, unrelated ones). Repeats more than 32 KiB apart are not
    seen. Source: Shaib et al. 2024.
    """
    ordered = random.Random(seed).sample(texts, len(texts))
    joined = "\n".join(ordered).encode()
    return size / len(zlib.compress(joined[:size], 9)) if len(joined) >= size else None


def _common_start(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return tuple(word for word, _ in same)
