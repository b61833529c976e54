"""The vLLM engine, in a process of its own: sampling and scoring of whole shards at once, on CPU or on one GPU."""

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import PositiveInt

from selfreward.backends.base import (
    Advance,
    Answer,
    Completion,
    Conversation,
    NotScored,
    OptionScore,
    Sampling,
    TextScore,
    Unfit,
)
from selfreward.backends.chat import Chat, option_tokens
from selfreward.backends.device import MOST_THREADS, Device, resolve_dtype
from selfreward.backends.folder import check_config, check_weights
from selfreward.backends.local import context_length, load_chat, load_configs
from selfreward.backends.rows import (
    answers_to_score,
    completion_of,
    count_tokens,
    prompts_to_draw,
    prompts_to_score,
    stop_ids,
    why_unfit,
)
from selfreward.backends.vllm_process import Reply, Worker, versions
from selfreward.errors import BackendError
from selfreward.records import Policy
from selfreward.spec import Spec, execution

_HOTTEST = 2.0
_CPU_CACHE_GIB = 4.0
_CPU_BATCH_TOKENS = 4096


class VllmSpec(Spec):
    """`python` is the interpreter that has vLLM, None for this one; its build of vLLM decides between CPU and GPU.

    `max_model_len` limits prompt and answer together, None for the model's own limit. `kv_cache_gib` is memory for
    keys and values; None is 4 on a CPU, and on a GPU what `gpu_memory_utilization` leaves. `threads` counts on a CPU
    alone, where None is one for each core. `timeout` is for how many seconds the process may neither answer nor
    compute, its start included, before it is ended.
    """

    kind: Literal["vllm"] = "vllm"
    python: Path | None = execution(None)
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    max_model_len: PositiveInt | None = None
    gpu_memory_utilization: float = execution(0.85, gt=0, le=1)
    kv_cache_gib: float | None = execution(None, gt=0)
    threads: int | None = execution(None, gt=0, le=MOST_THREADS)
    timeout: float = execution(900, gt=0, le=threading.TIMEOUT_MAX)
    trust_remote_code: bool = False


def device_of(spec: VllmSpec) -> Device:
    """What the interpreter's build of vLLM computes on. Raises BackendError where vLLM is not installed."""
    found = versions(spec.python)
    return "cpu" if "cpu" in found["build"] or "cpu" in found["vllm"] else "cuda"


class VllmBackend:
    """A `Backend` (see `backends.base`) around vLLM; prompts, answers and their tokens are those of `HfBackend`.

    Every answer has a seed of its own, made of the call's seed, the prompt and the answer's index, so that a draw does
    not depend on the prompts beside it but for the last digits of a sum.
    """

    def __init__(self, spec: VllmSpec, policy: Policy) -> None:
        self._spec = spec
        self._policy = policy
        self._chat: Chat | None = None
        self._worker: Worker | None = None

    @property
    def identity(self) -> Mapping[str, str | int | float | bool]:
        """Versions, number type, device and limit. Raises BackendError where vLLM is not installed."""
        found = versions(self._spec.python)
        return {
            "kind": "vllm",
            "vllm": found["vllm"],
            "torch": found["torch"],
            "dtype": resolve_dtype(self._spec.dtype, self._device),
            "device": self._device,
            "max_model_len": self._spec.max_model_len or "the model's",
        }

    def generate(
        self, prompts: Sequence[Conversation], sampling: Sampling, seed: int, advance: Advance
    ) -> list[list[Completion]]:
        """`sampling.k` completions for each prompt, in the order of `prompts`.

        Raises:
            BackendError: a prompt that leaves no room for the answer, k > 1 at temperature 0, a temperature above 2.
        """
        if sampling.temperature > _HOTTEST:
            raise BackendError(f"temperature={sampling.temperature} is more than vLLM takes: at most {_HOTTEST}")
        chat, (limit, stops) = self._load_chat(), self._limit_and_stops()
        rows = prompts_to_draw(chat, prompts, sampling, limit)
        params: dict[str, Any] = {
            "n": sampling.k,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": 0,
            "max_tokens": sampling.max_new_tokens,
            "stop_token_ids": stops,
            "ignore_eos": True,  # it is one of the stops
            "logprobs": 0,
        }
        seeds = _prompt_seeds(seed, rows)
        requests = [
            {"prompt": row, "params": params | {"seed": own}, "pattern": sampling.pattern}
            for row, own in zip(rows, seeds, strict=True)
        ]
        answers = self._ask(requests, lambda: advance(sampling.k))
        return [
            [
                completion_of(chat, row, one.tokens, _logprobs(one.tokens, one.logprobs), stops)
                for one in answer.completions
            ]
            for row, answer in zip(rows, answers, strict=True)
        ]

    def score(self, answers: Sequence[Answer], advance: Advance) -> list[TextScore | NotScored]:
        """One result for each answer, in order; an answer beyond the context is NotScored."""
        limit, _ = self._limit_and_stops()
        results, rows = answers_to_score(self._load_chat(), answers, limit)
        advance(len(answers) - len(rows))
        # The last token is not sent but asked for: so an answer may fill the context, and each pass counts.
        requests: list[dict[str, Any]] = [
            {
                "prompt": [*prompt, *completion[:-1]],
                "params": _one_pass(completion[-1:], prompt_logprobs=0 if len(completion) > 1 else None),
            }
            for prompt, completion in rows.values()
        ]
        replies = self._ask(requests, lambda: advance(1))
        for (index, (prompt, completion)), reply in zip(rows.items(), replies, strict=True):
            asked = (reply.prompt_logprobs or [])[len(prompt) :]
            logprobs = _logprobs(completion, [*asked, *reply.completions[0].logprobs])
            results[index] = TextScore(logprob=sum(logprobs), tokens=len(completion), prompt_tokens=len(prompt))
        return results

    def score_options(
        self, prompts: Sequence[Conversation], options: Sequence[str], advance: Advance
    ) -> list[OptionScore | NotScored]:
        """One result for each prompt, in order; a prompt beyond the context is NotScored."""
        limit, _ = self._limit_and_stops()
        lead, wanted = option_tokens(self._load_chat(), options)
        results, rows = prompts_to_score(self._load_chat(), prompts, lead, limit)
        advance(len(prompts) - len(rows))
        params = _one_pass(wanted)
        replies = self._ask([{"prompt": prompt, "params": params} for prompt, _ in rows.values()], lambda: advance(1))
        for (index, (prompt, _)), reply in zip(rows.items(), replies, strict=True):
            logprobs = _logprobs(wanted, reply.completions[0].logprobs * len(wanted))
            results[index] = OptionScore(logprobs=tuple(logprobs), prompt_tokens=len(prompt))
        return results

    def why_unfit(self, messages: Conversation, room: int = 1) -> Unfit | None:
        """Why no prompt with `room` tokens for an answer can be made of a conversation; None where one can."""
        return why_unfit(self._load_chat(), messages, room, self._limit)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Completion tokens of each text, with its thought if it brings one and the end-of-turn token."""
        return count_tokens(self._load_chat(), texts)

    def holding(self, policy: Policy) -> "VllmBackend":
        """A backend of the same settings that holds another policy."""
        return VllmBackend(self._spec, policy)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends vLLM's process; a later call would start another."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    @property
    def _device(self) -> Device:
        return device_of(self._spec)

    @cached_property
    def _limit(self) -> int | None:
        """How many tokens prompt and answer may have together."""
        return self._limit_and_stops()[0]

    def _load_chat(self) -> Chat:
        if self._chat is None:
            self._chat = load_chat(self._policy.path, trust_remote_code=self._spec.trust_remote_code)
        return self._chat

    def _limit_and_stops(self) -> tuple[int | None, list[int]]:
        """How many tokens prompt and answer may have together, and the tokens that end an answer."""
        config, generation = load_configs(self._policy.path, trust_remote_code=self._spec.trust_remote_code)
        limits = [limit for limit in (context_length(config), self._spec.max_model_len) if limit is not None]
        return min(limits, default=None), stop_ids(self._load_chat(), generation)

    def _ask(self, requests: list[dict[str, Any]], tick: Callable[[], None]) -> list[Reply]:
        """The worker's answers, in order; the first call starts it."""
        if not requests:
            return []
        worker, self._worker = self._worker or self._start(), None
        try:
            answers = worker.ask(requests, tick)
            self._worker = worker
        finally:
            if self._worker is None:  # it would answer the next call with what is left of this one
                worker.close()
        return answers

    def _start(self) -> Worker:
        check_weights(self._policy.path)
        check_config(
            self._policy.path, load_configs(self._policy.path, trust_remote_code=self._spec.trust_remote_code)[0]
        )
        on_cpu = self._device == "cpu"
        limit, _ = self._limit_and_stops()
        cache = self._spec.kv_cache_gib or (_CPU_CACHE_GIB if on_cpu else None)
        settings: dict[str, Any] = {
            "model": str(self._policy.path.resolve()),
            "load_format": "safetensors",
            "trust_remote_code": self._spec.trust_remote_code,
            "dtype": resolve_dtype(self._spec.dtype, self._device),
            "max_model_len": limit,
            "gpu_memory_utilization": self._spec.gpu_memory_utilization,
            "kv_cache_memory_bytes": None if cache is None else int(cache * 2**30),
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
            settings |= {"enable_chunked_prefill": False, "max_num_batched_tokens": max(limit or 0, _CPU_BATCH_TOKENS)}
            # Whole blocks alone are shared by the answers to a prompt: three times the speed of vLLM's 128.
            settings["block_size"] = 32
            # Unless it is told a number vLLM leaves a core to itself; compiling costs more than it brings.
            threads = self._spec.threads or len(os.sched_getaffinity(0))
            environment |= {"OMP_NUM_THREADS": str(threads), "TORCHDYNAMO_DISABLE": "1"}
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
