#!/usr/bin/env python
"""Answers per second of the embedded model (run `selfreward assets` first): prompts read once, or once an answer.

Both ways take turns with the same seeds, so that both draw as many tokens but for rounding. The ratio is that of the
medians of processor time, with the smallest and the largest within one turn beside it.

    python scripts/bench_drawing.py
    python scripts/bench_drawing.py --turns 5
"""

import argparse
import time
from dataclasses import dataclass
from statistics import median
from unittest.mock import patch

from selfreward.backends import forward
from selfreward.backends.base import Sampling
from selfreward.backends.model_loading import load_model, quiet
from selfreward.data.wheels import asset_model

STOP = 2


@dataclass(frozen=True)
class Case:
    """`prompts` prompts of `width` tokens, `k` answers of `new` tokens each."""

    name: str
    prompts: int
    width: int
    k: int
    new: int


CASES = (
    Case("probe: short prompts", 8, 40, 8, 32),
    Case("sample: longer prompts", 16, 200, 4, 32),
    Case("judge: 8 replies a candidate", 4, 400, 8, 32),
)


def drawn_in(model, case: Case, seed: int) -> float:
    """Seconds of processor time to draw the answers of `case`."""
    prompts = [
        [100 + (37 * row + 11 * place) % 40000 for place in range(case.width - row)] for row in range(case.prompts)
    ]
    sampling = Sampling(k=case.k, temperature=1.0, top_p=1.0, max_new_tokens=case.new)
    began = time.process_time()
    forward.draw_tokens(model, prompts, sampling, seed, [STOP], STOP)
    return time.process_time() - began


def main() -> None:
    """Prints a Markdown row for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    turns = parser.parse_args().turns
    model = load_model(asset_model("smollm2-135m-instruct"), dtype="bfloat16", device="cpu", trust_remote_code=False)
    print("| answers | prompt tokens | k | read k times, s | read once, s | ratio |\n|---|---|---|---|---|---|")
    with quiet():
        drawn_in(model, CASES[0], 0)
        for case in CASES:
            before, after = [], []
            for turn in range(turns):
                with patch.object(forward, "can_share_prefix", return_value=False):
                    before.append(drawn_in(model, case, turn))
                after.append(drawn_in(model, case, turn))
            ratios = [old / new for old, new in zip(before, after, strict=True)]
            ratio = f"{median(before) / median(after):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
            print(
                f"| {case.name} | {case.width} | {case.k} | {median(before):.1f} | {median(after):.1f} | {ratio} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
