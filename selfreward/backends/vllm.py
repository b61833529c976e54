"""The vLLM engine, in a process of its own: sampling and scoring of whole shards at once, on CPU or on one GPU."""

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import PositiveInt

from selfreward.backends.abilities import OWN_POLICY, Ability
from selfreward.backends.base import Advance, Sampling
from selfreward.backends.device import MOST_THREADS, Device, resolve_dtype
from selfreward.backends.model_loading import check_model
from selfreward.backends.shared_prefixes import Row
from selfreward.backends.token_backend import Draw, TokenBackend, TokenEngineSpec, TokenRequest
from selfreward.backends.vllm_process import Worker, WorkerReply, versions
from selfreward.errors import BackendError
from selfreward.policies import Judging, Policy
from selfreward.spec import execution

# Raise it where other tokens may be drawn, or other last digits come.
_NUMERICS = 2
_HOTTEST = 2.0
_CPU_CACHE_GIB = 4.0
_CPU_BATCH_TOKENS = 4096
_CPU_KEPT_BYTES = 4 << 30
"""Freed memory that the worker keeps for its next step."""


class VllmSpec(TokenEngineSpec):
    """`python` is the interpreter that has vLLM, None for this one; its build of vLLM decides between CPU and GPU.

    `max_model_len` limits prompt and answer together, None for the model's own limit. `kv_cache_gib` is memory for
    keys and values; None is 4 on a CPU, and on a GPU what `gpu_memory_utilization` leaves. `threads` counts on a CPU
    alone, where None is one for each core. `max_num_seqs` answers are drawn at once. `timeout` is for how many seconds
    the process may neither answer nor compute, its start included, before it is ended.
    """

    kind: Literal["vllm"] = "vllm"
    python: Path | None = execution(None)
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    max_model_len: PositiveInt | None = None
    gpu_memory_utilization: float = execution(0.85, gt=0, le=1)
    kv_cache_gib: float | None = execution(None, gt=0)
    max_num_seqs: int = execution(256, gt=0)
    threads: int | None = execution(None, gt=0, le=MOST_THREADS)
    timeout: float = execution(900, gt=0, le=threading.TIMEOUT_MAX)

    could: ClassVar[frozenset[Ability]] = OWN_POLICY | {"score_options", "patterns"}
    beside_training: ClassVar[bool] = False

    def open(self, policy: Judging) -> "VllmBackend":
        """A backend that holds a model folder."""
        assert isinstance(policy, Policy)
        return VllmBackend(self, policy)


def device_of(spec: VllmSpec) -> Device:
    """What the interpreter's build of vLLM computes on. Raises BackendError where vLLM is not installed."""
    found = versions(spec.python)
    return "cpu" if "cpu" in found["build"] or "cpu" in found["vllm"] else "cuda"


class VllmBackend(TokenBackend):
    """A `Backend` around vLLM; prompts, answers and their tokens are those of `HfBackend`.

    Every answer has a seed of its own, made of the call's seed, the prompt and the answer's index, so that a draw does
    not depend on the prompts beside it but for the last digits of a sum.
    """

    _spec: VllmSpec

    def __init__(self, spec: VllmSpec, policy: Policy) -> None:
        super().__init__(spec, policy)
        self._most_tokens = spec.max_model_len
        self._worker: Worker | None = None

    @property
    def identity(self) -> Mapping[str, str | int | float | bool]:
        """Versions, number type, device and limits. Raises BackendError where vLLM is not installed."""
        found = versions(self._spec.python)
        return {
            "kind": "vllm",
            "vllm": found["vllm"],
            "torch": found["torch"],
            "dtype": resolve_dtype(self._spec.dtype, device_of(self._spec)),
            "device": device_of(self._spec),
            "max_model_len": self._spec.max_model_len or "the model's",
            "numerics": _NUMERICS,
        }

    def close(self) -> None:
        """Ends vLLM's process; a later call would start another."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _draw(self, requests: Sequence[TokenRequest], advance: Advance) -> list[list[list[Draw]]]:
        asked = [(one, self._params(one.sampling)) for one in requests]
        prompts = [
            {"prompt": prompt, "params": params | {"seed": own}, "pattern": one.sampling.pattern}
            for one, params in asked
            for prompt, own in zip(one.prompts, _prompt_seeds(one.seed, one.prompts), strict=True)
        ]
        replies = iter(self._ask(prompts, advance))
        return [
            [
                [(draw.tokens, _logprobs(draw.tokens, draw.logprobs)) for draw in next(replies).completions]
                for _ in one.prompts
            ]
            for one in requests
        ]

    def _params(self, sampling: Sampling) -> dict[str, Any]:
        if sampling.temperature > _HOTTEST:
            raise BackendError(f"temperature={sampling.temperature} is more than vLLM takes: at most {_HOTTEST}")
        return {
            "n": sampling.k,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": 0,
            "max_tokens": sampling.max_new_tokens,
            "stop_token_ids": self._stops,
            "ignore_eos": True,  # it is one of the stops
            # The drawn token's own comes with those of any that are named. Asked for by `logprobs`, it would cost a
            # search for the likeliest tokens of the whole vocabulary beside it.
            "logprob_token_ids": self._stops[:1],
        }

    def _answer_logprobs(self, rows: list[Row], advance: Advance) -> list[list[float]]:
        """The last token is not sent but asked for: so an answer may fill the context, and each pass counts."""
        requests: list[dict[str, Any]] = [
            {
                "prompt": [*prompt, *completion[:-1]],
                "params": _one_pass(completion[-1:], prompt_logprobs=0 if len(completion) > 1 else None),
            }
            for prompt, completion in rows
        ]
        found = []
        for (prompt, completion), reply in zip(rows, self._ask(requests, advance), strict=True):
            asked = (reply.prompt_logprobs or [])[len(prompt) :]
            found.append(_logprobs(completion, [*asked, *reply.completions[0].logprobs]))
        return found

    def _first_logprobs(self, prompts: list[list[int]], wanted: list[int], advance: Advance) -> list[list[float]]:
        params = _one_pass(wanted)
        replies = self._ask([{"prompt": prompt, "params": params} for prompt in prompts], advance)
        return [_logprobs(wanted, reply.completions[0].logprobs * len(wanted)) for reply in replies]

    def _ask(self, requests: list[dict[str, Any]], advance: Advance) -> list[WorkerReply]:
        """The worker's answers, in order; the first call starts it."""
        if not requests:
            return []
        worker, self._worker = self._worker or self._start(), None
        try:
            answers = worker.ask(requests, advance)
            self._worker = worker
        finally:
            if self._worker is None:  # it would answer the next call with what is left of this one
                worker.close()
        return answers

    def _start(self) -> Worker:
        check_model(self._policy.path, trust_remote_code=self._spec.trust_remote_code)
        on_cpu = device_of(self._spec) == "cpu"
        cache = self._spec.kv_cache_gib or (_CPU_CACHE_GIB if on_cpu else None)
        settings: dict[str, Any] = {
            "model": str(self._policy.path.resolve()),
            "load_format": "safetensors",
            "trust_remote_code": self._spec.trust_remote_code,
            "dtype": resolve_dtype(self._spec.dtype, device_of(self._spec)),
            "max_model_len": self._limit,
            "gpu_memory_utilization": self._spec.gpu_memory_utilization,
            "kv_cache_memory_bytes": None if cache is None else int(cache * 2**30),
            # vLLM's own number is 128, unless `LLM` asks: that takes 256 on a CPU and more on a large GPU.
            "max_num_seqs": self._spec.max_num_seqs,
            # A rubric is computed once for all that it is asked about. `score` gains nothing: a request for the
            # log-probabilities of its prompt does not read the cache.
            "enable_prefix_caching": True,
            "generation_config": "vllm",  # not the model's author's
            "logprobs_mode": "raw_logprobs",
            "disable_log_stats": True,
            "enforce_eager": on_cpu,
        }
        environment = {
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            # The engine in the worker itself: one process to end, and the same order of requests every time.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            # Patterns are our own, and may take seconds on a busy machine: no limit.
            "VLLM_REGEX_COMPILATION_TIMEOUT_S": "0",
        }
        if on_cpu:
            # A seeded request whose prompt is taken in pieces ends a CPU engine: its generators cannot be wound back.
            batched = max(self._limit or 0, _CPU_BATCH_TOKENS)
            settings |= {"enable_chunked_prefill": False, "max_num_batched_tokens": batched}
            # Whole blocks alone are shared by the answers to a prompt: three times the speed of vLLM's 128.
            settings["block_size"] = 32
            # Unless it is told a number vLLM leaves a core to itself; compiling costs more than it brings.
            threads = self._spec.threads or len(os.sched_getaffinity(0))
            environment |= {"OMP_NUM_THREADS": str(threads), "TORCHDYNAMO_DISABLE": "1"}
            # glibc gives large blocks back as they are freed, and each step asks for the log-probabilities of the
            # vocabulary for all its answers anew: an eighth of the time of drawing. Another C library reads neither.
            environment |= {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(_CPU_KEPT_BYTES)}
        return Worker(self._spec.python, settings, environment, self._spec.timeout)


def _one_pass(wanted: list[int], **others: Any) -> dict[str, Any]:
    """Sampling parameters for the log-probabilities of `wanted` after a prompt; vLLM draws a token beside them."""
    return {"max_tokens": 1, "temperature": 0.0, "logprob_token_ids": wanted, **others}


def _logprobs(tokens: Sequence[int], positions: Sequence[Mapping[str, float]]) -> list[float]:
    """The log-probability of each of `tokens` at its position. Raises BackendError where vLLM did not give it."""
    try:
        return [position[str(token)] for token, position in zip(tokens, positions, strict=True)]
    except (KeyError, ValueError) as error:
        raise BackendError(
            f"vLLM gave no log-probability of each of the {len(tokens)} tokens that were asked for: run the same "
            "command again; if it stays so, set backend=hf"
        ) from error


def _prompt_seeds(seed: int, rows: Sequence[list[int]]) -> list[int]:
    """A seed for each prompt from its tokens, and from how often it stood in the call before.

    vLLM adds an answer's index to it; the gaps between these are far wider.
    """
    seen: Counter[str] = Counter()
    seeds = []
    for row in rows:
        name = ",".join(map(str, row))
        seeds.append(int.from_bytes(hashlib.sha256(f"{seed}:{seen[name]}:{name}".encode()).digest()[:7], "big"))
        seen[name] += 1
    return seeds
