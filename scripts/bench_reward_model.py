#!/usr/bin/env python
"""What judge=reward_model costs beside a bare batched loop of transformers over the same texts.

    python scripts/bench_reward_model.py [--pairs 5] [--small]

The reward model is the embedded model with a random head, which costs what a trained one does. The bare loop renders
with the tokenizer's chat template, sorts by length and pads, with as many tokens a batch. Beside it too: the rubric
judge in one pass, by the embedded model itself. All calculate in float32 and in one process. Give the machine to it
alone.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

from bench_engines_judging import everyday_items, spec_of
from pairs import HEAD, Done, Wanted, in_turn, row, timed

from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.model_loading import load_chat, quiet
from selfreward.backends.reward_model import RewardModel, read_classifier
from selfreward.data.models import HfModel, start_policy
from selfreward.judges.base import Judge, Means
from selfreward.judges.reward_model import judge_by_model

BATCH_TOKENS = 4096


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="a quarter of the texts, two pairs")
    arguments = parser.parse_args()
    items = everyday_items()[: 16 if arguments.small else None]
    with tempfile.TemporaryDirectory() as store:
        folder = reward_folder(Path(store))
        model = RewardModel(folder=folder, device="cpu", dtype="float32", batch_tokens=BATCH_TOKENS)
        ours, bare = partial(judged, model, items), partial(bare_loop, model._model, load_chat, folder, items)
        ours(0), bare(0)  # start-up is not counted
        print(HEAD)
        found = in_turn(ours, bare, 2 if arguments.small else arguments.pairs)
        what = f"judge=reward_model beside a bare batched loop, {len(items)} texts"
        print(row(what, found, "text", Wanted(0.9), of_time=False))
        policy = start_policy(HfModel(), Path(store))
        with HfBackend(HfSpec(device="cpu", dtype="float32", workers=1), policy) as backend:
            means = Means(policy=policy, backend=backend)
            rubric = partial(asked, spec_of("right_or_wrong", "expected").build(means), items)
            rubric(0)
            found = in_turn(ours, rubric, 2 if arguments.small else arguments.pairs)
        print(row("beside judge=rubric judge.method=expected", found, "text", None, of_time=False))


def reward_folder(store: Path) -> Path:
    """The embedded model with a head of one logit."""
    policy = start_policy(HfModel(), store)
    with quiet():
        model, _ = read_classifier(policy.path, dtype="float32", device="cpu")
    chat = load_chat(policy.path, trust_remote_code=False)
    model.config.pad_token_id = chat.tokenizer.pad_token_id
    model.save_pretrained(store / "reward")
    chat.tokenizer.save_pretrained(store / "reward")
    return store / "reward"


def judged(model: RewardModel, items, _: int) -> Done:
    """The judge's own function, without the store."""
    return timed(lambda: len(judge_by_model("bench", model, items, 0, lambda _: None)))


def asked(rubric: Judge, items, _: int) -> Done:
    """The rubric judge's own function, without the store."""
    return timed(lambda: len(rubric.ask(items, 0, lambda _: None)))


def bare_loop(model, load, folder: Path, items, _: int) -> Done:
    """What a user would write."""
    import torch

    tokenizer = load(folder, trust_remote_code=False).tokenizer

    def scores() -> float:
        chats = []
        for prompt, candidate in items:
            turns = [{"role": turn.role, "content": turn.content} for turn in prompt.messages]
            chats.append([*turns, {"role": "assistant", "content": candidate.text}])
        rows = sorted((tokenizer.apply_chat_template(one)["input_ids"] for one in chats), key=len, reverse=True)
        found = []
        while rows:
            batch = rows[: max(1, BATCH_TOKENS // len(rows[0]))]
            rows = rows[len(batch) :]
            padded = tokenizer.pad({"input_ids": batch}, return_tensors="pt")
            with torch.inference_mode():
                found += model(**padded).logits[:, 0].tolist()
        return len(found)

    return timed(scores)


if __name__ == "__main__":
    main()
