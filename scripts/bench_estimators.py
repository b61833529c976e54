#!/usr/bin/env python
"""How long the estimators take on one probe round: 256 prompts with 8 answers of about 25 words each.

The words come from the everyday data; the vectors compared are random, as their values cost nothing. The ceilings are
2 s without a sentence model and 30 s with one, on 2 cores.

    python scripts/bench_estimators.py             the estimators
    python scripts/bench_estimators.py --embed     and all-MiniLM-L6-v2 (run `selfreward assets` first)
"""

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from selfreward.data.wheels import asset_model
from selfreward.metrics.coverage import precision_and_coverage
from selfreward.metrics.embed import embed_hashing, embed_minilm
from selfreward.metrics.estimators import duplicate_rate, mean_pairwise_distance, rarefied_distinct, words
from selfreward.metrics.lexical import (
    compression_ratio,
    first_words,
    ngram_distance,
    self_bleu,
    self_repetition,
    shared_opening,
    simpson,
    without_opening,
)
from selfreward.metrics.semantic import distinct_clusters, vendi2

EVERYDAY = Path(__file__).parents[1] / "selfreward" / "data" / "everyday.jsonl"
PREAMBLE = "Sure! Here is my answer:"
DIMS = 384
MATCHED_WORDS = 20
K = 5
SEED = 0


def answers(prompts: int, draws: int) -> list[list[str]]:
    """Texts of 15 to 35 words of the everyday questions for each prompt, after a preamble in most."""
    lot = random.Random(SEED)
    rows = [json.loads(line) for line in EVERYDAY.read_text(encoding="utf-8").splitlines()]
    vocabulary = [word for row in rows for word in words(row["question"])]
    return [
        [
            " ".join([PREAMBLE] * (lot.random() < 0.7) + lot.choices(vocabulary, k=lot.randint(15, 35)))
            for _ in range(draws)
        ]
        for _ in range(prompts)
    ]


def main() -> None:
    """Prints the seconds of each part and their sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--embed", action="store_true")
    arguments = parser.parse_args()
    drawn_PK = answers(arguments.prompts, arguments.draws)
    drawn_N = [text for texts_K in drawn_PK for text in texts_K]
    rng = np.random.default_rng(SEED)
    vectors_PKD = rng.normal(size=(arguments.prompts, arguments.draws, DIMS))
    drawn_ND, human_ND = vectors_PKD.reshape(-1, DIMS), rng.normal(size=(len(drawn_N), DIMS))
    print(f"{len(drawn_N):,} texts, {sum(len(words(text)) for text in drawn_N) / len(drawn_N):.1f} words each")

    opening = shared_opening(drawn_N)
    estimating = timed(
        {
            "shared opening": lambda: shared_opening(drawn_N),
            "texts without it": lambda: [without_opening(text, opening) for text in drawn_N],
            "texts at matched length": lambda: [first_words(text, MATCHED_WORDS) for text in drawn_N],
            "n-gram distance, each prompt": lambda: [ngram_distance(texts_K) for texts_K in drawn_PK],
            "duplicate rate, each prompt": lambda: [duplicate_rate(texts_K) for texts_K in drawn_PK],
            "self-BLEU, each prompt": lambda: [self_bleu(texts_K, seed=SEED) for texts_K in drawn_PK],
            "rarefied distinct-1, -2, -3": lambda: [rarefied_distinct(drawn_N, n) for n in (1, 2, 3)],
            "Simpson": lambda: simpson(drawn_N),
            "self-repetition": lambda: self_repetition(drawn_N),
            "compression ratio": lambda: compression_ratio(drawn_N, 32_768, seed=SEED),
            "cosine distance, each prompt": lambda: [mean_pairwise_distance(rows_KD) for rows_KD in vectors_PKD],
            "Vendi-2, each prompt": lambda: [vendi2(rows_KD) for rows_KD in vectors_PKD],
            "Vendi-2, all": lambda: vendi2(drawn_ND),
            "clusters, each prompt": lambda: [distinct_clusters(rows_KD, 0.3) for rows_KD in vectors_PKD],
            "clusters, all": lambda: distinct_clusters(drawn_ND, 0.3),
            "precision and coverage": lambda: precision_and_coverage(human_ND, drawn_ND, K),
        }
    )
    print(f"{'without embedder (ceiling 2 s)':<36}{estimating:8.3f} s")
    embedders: dict[str, Callable[[], object]] = {"hashing": lambda: embed_hashing(drawn_N)}
    if arguments.embed:
        folder = asset_model("all-minilm-l6-v2")
        embedders["all-MiniLM-L6-v2"] = lambda: embed_minilm(drawn_N, folder)
    embedding = timed(embedders)
    print(f"{'with them (ceiling 30 s)':<36}{estimating + embedding:8.3f} s")


def timed(parts: dict[str, Callable[[], object]]) -> float:
    """The seconds of all `parts`; prints those of each."""
    total = 0.0
    for name, part in parts.items():
        began = time.perf_counter()
        part()
        spent = time.perf_counter() - began
        total += spent
        print(f"  {name:<34}{spent:8.3f} s")
    return total


if __name__ == "__main__":
    main()
