"""Part of bench_engines.py: drawing answers, beside `model.generate` of transformers and `LLM.generate` of vLLM."""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from socket import socketpair
from typing import cast
from unittest.mock import patch

from pairs import Done, Wanted, in_turn, row, timed

from selfreward.backends.base import Backend, Sampling
from selfreward.backends.chat import Chat, pad_id, render_prompt, stop_ids
from selfreward.backends.device import Dtype
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.model_loading import load_chat, load_configs, load_model, quiet
from selfreward.backends.vllm import VllmBackend, VllmSpec
from selfreward.data.embedded import load_everyday
from selfreward.policies import Policy

SYSTEM = "Answer in one short sentence."
SAMPLING = Sampling(k=4, temperature=0.9, top_p=1.0, max_new_tokens=32)
UNSHARED = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
"""Set by `import selfreward`; a script that calls vLLM as it comes has them not."""

MEMORY = "kv_cache_memory_bytes"
"""The one setting that `LLM` as it comes is given: it would take nine tenths of the memory, and two are held."""


@dataclass(frozen=True)
class Asked:
    """The conversations, and the tokens of each."""

    messages: list
    rows: list[list[int]]


def asked_of(chat: Chat, count: int) -> Asked:
    """Everyday questions behind the chat template."""
    messages = [one.messages for one in load_everyday("train", SYSTEM)[:count]]
    return Asked(messages, [render_prompt(chat, one) for one in messages])


def drawn(backend: Backend, asked: Asked, seed: int) -> Done:
    """Draws with a backend, log-probabilities included; the tokens that were drawn, with those that end an answer."""

    def tokens() -> float:
        answers = backend.generate(asked.messages, SAMPLING, seed, lambda _: None)
        return sum(one.tokens for of_prompt in answers for one in of_prompt)

    return timed(tokens)


def sampling(policy: Policy, pairs: int, prompts: int) -> None:
    """HfBackend as it comes, beside `generate` in this process with all threads and batches of as many answers."""
    chat = load_chat(policy.path, trust_remote_code=False)
    asked = asked_of(chat, prompts)
    with HfBackend(HfSpec(device="cpu"), policy) as backend:
        own = backend.identity
        plain = plain_generate(policy, cast(Dtype, own["dtype"]), chat, asked, cast(int, own["batch_size"]))
        few = Asked(asked.messages[:4], asked.rows[:4])
        drawn(backend, few, 0)  # loads the model
        found = in_turn(partial(drawn, backend, asked), plain, pairs)
    print(row("sampling, hf beside `model.generate`", found, "token", Wanted(1.5), of_time=False), flush=True)


def plain_generate(policy: Policy, dtype: Dtype, chat: Chat, asked: Asked, batch_size: int):
    """A way that draws with transformers alone."""
    import torch

    model = load_model(policy.path, dtype=dtype, device="cpu", trust_remote_code=False)
    stops = stop_ids(chat, load_configs(policy.path, trust_remote_code=False)[1])
    pad = pad_id(chat, model.get_input_embeddings().num_embeddings)
    at_once = batch_size // SAMPLING.k

    def generate(rows: list[list[int]]) -> int:
        longest = max(map(len, rows))
        answers = model.generate(
            input_ids=torch.tensor([[pad] * (longest - len(one)) + one for one in rows]),
            attention_mask=torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in rows]),
            do_sample=True,
            temperature=SAMPLING.temperature,
            top_k=0,
            top_p=SAMPLING.top_p,
            max_new_tokens=SAMPLING.max_new_tokens,
            num_return_sequences=SAMPLING.k,
            eos_token_id=stops,
            pad_token_id=pad,
        )[:, longest:]
        ends = torch.isin(answers, torch.tensor(stops))
        # Up to the first stop, and with it.
        return int((ends.cumsum(dim=1) - ends.int() == 0).sum())

    def way(seed: int) -> Done:
        torch.manual_seed(seed)
        with quiet(), torch.inference_mode():
            starts = range(0, len(asked.rows), at_once)
            return timed(lambda: sum(generate(asked.rows[start : start + at_once]) for start in starts))

    with quiet(), torch.inference_mode():
        generate(asked.rows[:1])
    return way


def vllm(policy: Policy, pairs: int, prompts: int, python: Path | None) -> None:
    """VllmBackend beside `LLM.generate`: as it comes, with the backend's engine settings, and asked for the same.

    The backend asks for the log-probability of every token and a seed for every prompt.
    """
    asked = asked_of(load_chat(policy.path, trust_remote_code=False), prompts)
    interpreter = str(python or sys.executable)
    with VllmBackend(VllmSpec(python=python), policy) as backend:
        drawn(backend, asked, pairs)  # starts the engine
        settings, environment = settings_of(backend)
        plainly = {name: value for name, value in os.environ.items() if name not in UNSHARED}
        plainly |= {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
        same = {**os.environ, **environment}
        raw = (
            ("as it comes", {"model": str(policy.path), MEMORY: settings[MEMORY]}, plainly, False),
            ("with the same settings", settings, same, False),
            ("with the same settings, asked for the same", settings, same, True),
        )
        for what, arguments, variables, whole in raw:
            with raw_llm(interpreter, arguments, variables, whole=whole) as draw:
                draw(asked, pairs)  # loads the model
                found = in_turn(partial(drawn, backend, asked), partial(draw, asked), pairs)
            name = f"sampling, vLLM beside `LLM.generate` {what}"
            print(row(name, found, "token", Wanted(1), of_time=False), flush=True)


def settings_of(backend: VllmBackend) -> tuple[dict, dict]:
    """The arguments of the engine and the environment that a backend starts vLLM with."""
    with patch("selfreward.backends.vllm.Worker") as worker:
        backend._start()
    _, settings, environment, _ = worker.call_args.args
    return settings, environment


@contextmanager
def raw_llm(python: str, arguments: dict, environment: dict, *, whole: bool):
    """A way that draws with `vllm.LLM`, in a process that imports nothing of selfreward; `whole` as in `draw_raw`."""
    ours, theirs = socketpair()
    with tempfile.TemporaryFile() as log:
        with theirs:
            command = [python, str(Path(__file__).with_name("bench_engines_llm.py")), str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment, stdout=log, stderr=log)
        with Connection(ours.detach()) as connection:
            connection.send(arguments)
            yield partial(draw_raw, connection, log, whole)
        process.wait()


def draw_raw(connection: Connection, log, whole: bool, asked: Asked, number: int) -> Done:
    """The tokens that were drawn, and the seconds of `generate`; `whole` with log-probabilities and seeds, too."""
    params: dict = {"n": SAMPLING.k, "temperature": SAMPLING.temperature, "max_tokens": SAMPLING.max_new_tokens}
    of_each = [
        params | ({"logprobs": 0, "seed": 1000 * number + one} if whole else {}) for one in range(len(asked.rows))
    ]
    try:
        connection.send((asked.rows, of_each))
        return Done(*connection.recv())
    except (EOFError, ConnectionError) as error:
        log.seek(0)
        raise SystemExit(f"vLLM ended:\n{log.read().decode(errors='replace')[-5000:]}") from error
