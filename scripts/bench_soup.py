#!/usr/bin/env python
"""The whole loop beside that of Soup (`soup iterative-dpo`): seconds of wall time for each preference pair kept.

One round each, as commands, in turn, ours with two settings: 48 everyday questions, 4 answers of at most 64 tokens, one
forward pass a judgment, DPO with LoRA of rank 64 on queries and values, on the same model folder. Both read the same
prompts, with the chat template; Soup applies none, and `--plain` leaves it so. What differs is printed below the table.
Soup gets an environment of its own (`selfreward assets` first):

    python -m venv DIR
    DIR/bin/pip install 'soup-cli[train]==0.77.0'
    python scripts/bench_soup.py --soup DIR/bin/soup
    python scripts/bench_soup.py --soup DIR/bin/soup --small        6 questions, one pair: shows that it runs
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pairs import HEAD, Done, Wanted, Way, row, timed

from selfreward.artifacts.runs import read_run
from selfreward.backends.chat import render_prompt
from selfreward.backends.device import resolve_dtype
from selfreward.backends.model_loading import load_chat, quiet
from selfreward.data.embedded import load_everyday
from selfreward.data.models import HfModel, start_policy
from selfreward.records import Prompt

SYSTEM = "Answer in one short sentence."
TOKENS = 64
PROMPTS = 48
# As many rows as a tenth of the prompts each, what `data.split` would take of a file of one's own.
MEASURED = 5
BESIDES = ("check", "measure", "diagnose", "evaluate")
# Soup draws the answers to one prompt at once, judges one by one and trains on one pair at a time. Ours are of several
# prompts, as the next one begins where one has ended.
ONE = ("backend.batch_size=4", "backend.score_batch_tokens=1", "update.batch_size=1")
SETTINGS: dict[str, tuple[str, ...]] = {"natural settings": (), "batch size 1": ONE}
WANTED = {"natural settings": 5, "batch size 1": 3}
DIFFERS = """
What differs:

| | selfreward | Soup |
|---|---|---|
| answers drawn | {batch} at once (4 at batch size 1), the next as soon as one ends, in as many processes as cores, all prompts in one call, temperature 0.9 | 4 at once (one prompt), the model's own sampling settings |
| judged by | the policy, the expected score of a rubric, all that it says being read | a sequence classifier made of the same model, prompt and answer being read; loaded again for every prompt |
| kept | best over worst of the distinct answers whose verdict can be read; ties and prompts without are dropped | best over worst; equal scores are dropped |
| trained | on every pair, 8 pairs a step (1 at batch size 1), then merged | on nine tenths of the pairs, 4 steps of one pair accumulated, evaluated on the others |
| reference | log-probabilities once before training | at every step |
| besides | checks the model; measures the policies before and after on {measured} probe and {measured} held-out prompts; reports, digests, resumable | - |
| weights | {dtype} to draw and judge, float32 to train, calculating in {dtype} | as stored: float32 |
"""  # noqa: E501


@dataclass(frozen=True)
class Measured(Done):
    """A round of ours, and how many of its seconds went into what Soup does not do: `BESIDES`."""

    besides: float

    def without_besides(self) -> Done:
        """The round without them. They begin with loading the model, which is taken off too."""
        return Done(self.units, self.seconds - self.besides)


def main() -> None:
    """Prints a Markdown table, and what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soup", type=Path, required=True, help="the `soup` of an environment that has soup-cli")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", choices=SETTINGS, help="ours with these settings alone, which takes less time")
    parser.add_argument("--plain", action="store_true", help="Soup reads the questions without the chat template")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    pairs, count = (1, 6) if arguments.small else (arguments.pairs, PROMPTS)
    with tempfile.TemporaryDirectory(prefix="bench-soup-") as name:
        work = Path(name)
        model = start_policy(HfModel(), work).path
        prompts = load_everyday("train", SYSTEM)[:count]
        write_ours(work, prompts)
        write_theirs(work, prompts, model, plain=arguments.plain)
        asked = [arguments.only] if arguments.only else [*SETTINGS]
        ours: dict[str, Way] = {what: partial(run_ours, work, model, SETTINGS[what]) for what in asked}
        sides: dict[str, Way] = {**ours, "soup": partial(run_soup, work, arguments.soup.absolute(), model)}
        read = "plain for Soup" if arguments.plain else "behind the chat template"
        print(f"{version_of(arguments.soup)}; {count} prompts, {read}; {os.cpu_count()} cores\n\n{HEAD}", flush=True)
        rounds = [in_order(sides, number) for number in range(pairs)]
    for what in asked:
        least = WANTED[what]
        found = [(one[what], one["soup"]) for one in rounds]
        print(row(f"loop, {what}", found, "pair", Wanted(least), of_time=False))
        bare = [(one.without_besides(), other) for one, other in found if isinstance(one, Measured)]
        print(row(f"loop, {what}, without our measuring", bare, "pair", Wanted(least), of_time=False))
    print(DIFFERS.format(batch=64, measured=MEASURED, dtype=resolve_dtype("auto", "cpu")))


def in_order(sides: dict[str, Way], number: int) -> dict[str, Done]:
    """What each side did; another one begins with every number. What each kept is told on standard error."""
    names = [*sides]
    first = number % len(names)
    done: dict[str, Done] = {}
    for name in (*names[first:], *names[:first]):
        done[name] = sides[name](number)
        print(f"{name}: {done[name].units:g} pairs in {done[name].seconds:.1f} s", file=sys.stderr, flush=True)
    return done


def write_ours(work: Path, prompts: list[Prompt]) -> None:
    """Files of prompts, for training and for measuring."""
    held = load_everyday("held_out", SYSTEM)
    roles = {"train": prompts, "held_out": held[:MEASURED], "probe": held[MEASURED : 2 * MEASURED]}
    for role, rows in roles.items():
        lines = [
            json.dumps({"prompt": one.messages[-1].content, "references": list(one.references), "match": one.match})
            for one in rows
        ]
        (work / f"{role}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_theirs(work: Path, prompts: list[Prompt], model: Path, *, plain: bool) -> None:
    """The prompts as text, behind the chat template unless `plain`, and a reward model with a head of chance."""
    import torch
    from transformers import AutoModelForSequenceClassification

    chat = load_chat(model, trust_remote_code=False)
    texts = [one.messages[-1].content for one in prompts]
    if not plain:
        texts = [chat.tokenizer.decode(render_prompt(chat, one.messages)) for one in prompts]
    (work / "prompts.jsonl").write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    torch.manual_seed(0)
    with quiet():
        AutoModelForSequenceClassification.from_pretrained(model, num_labels=1).save_pretrained(work / "reward")
        chat.tokenizer.save_pretrained(work / "reward")


def run_ours(work: Path, model: Path, settings: tuple[str, ...], number: int) -> Measured:
    """One round of the loop in a store of its own; the pairs that were trained on."""
    with tempfile.TemporaryDirectory(dir=work) as runs:
        command = [
            *(sys.executable, "-m", "selfreward", "run", "run=bench", f"seed={number}", f"store.runs={runs}"),
            *(f"data.{role}={work}/{role}.jsonl" for role in ("train", "held_out", "probe")),
            *("data=files", f"data.system='{SYSTEM}'", f"model.path={model}", "loop.iterations=1"),
            # All prompts are drawn in one call: a kill in it loses what was drawn, as one in Soup's loses its round.
            *("sample.k=4", f"sample.shard_prompts={PROMPTS}"),
            *(f"sample.max_new_tokens.closed={TOKENS}", f"sample.max_new_tokens.open={TOKENS}"),
            *("judge=rubric", "rubric@judge.rubric=right_or_wrong", "judge.method=expected"),
            *("select=preference_pairs", "update=dpo", "mix.real_share=0", "prompts.human=0", "mix.min_rows=1"),
            *("update.trainable=lora", "update.lora_rank=64", "update.lora_alpha=16"),
            "update.lora_targets=[q_proj,v_proj]",
            *settings,
        ]

        def rows_trained() -> float:
            run_quietly(command, work)
            first = json.loads((Path(runs) / "bench" / "metrics.jsonl").read_text().splitlines()[0])
            return first["train/rows_trained"]

        done = timed(rows_trained)
        made = read_run(Path(runs) / "bench").artifacts()
        besides = sum(one.manifest.seconds for _, one in made if one.manifest.stage in BESIDES)
        return Measured(done.units, done.seconds, besides)


def run_soup(work: Path, soup: Path, model: Path, number: int) -> Done:
    """One round of Soup's loop; the pairs that it wrote."""
    with tempfile.TemporaryDirectory(dir=work) as out:
        command = [
            *(str(soup), "iterative-dpo", "--base-model", str(model), "--reward-model", str(work / "reward")),
            *("--prompts", "prompts.jsonl", "--output-dir", Path(out).name),
            *("--rounds", "1", "--pairs-per-round", f"{PROMPTS}"),
        ]

        def rows_written() -> float:
            run_quietly(command, work)
            return len((Path(out) / "round-00" / "pairs.jsonl").read_text().splitlines())

        return timed(rows_written)


def run_quietly(command: list[str], folder: Path) -> None:
    """Runs a command in `folder`; what it printed is shown where it fails."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    # `import selfreward` set the first two here, and will there; nobody compiles every module at every start.
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(name, None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stdout}\n{done.stderr}")


def version_of(soup: Path) -> str:
    """Name and versions of the other side."""
    python = soup.absolute().parent / "python"
    code = "from importlib.metadata import version as v; print(*(f'{n} {v(n)}' for n in ('soup-cli', 'torch', 'trl')))"
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
