"""The transformers engine: one model on one GPU, or on a CPU in as many processes as share the work best."""

import gc
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveInt

from selfreward.backends.base import Advance
from selfreward.backends.chat import pad_id
from selfreward.backends.device import (
    MOST_THREADS,
    MOST_WORKERS,
    most_workers,
    resolve_device,
    resolve_dtype,
    usable_threads,
)
from selfreward.backends.draw_plan import ROWS, Owner, cost_of, gpu_rows, plan_drawings
from selfreward.backends.hf_model import AskFacts, HeldModel, Job, Loading, ModelFacts, Scoring, check_known
from selfreward.backends.hf_workers import Workers, workers_of
from selfreward.backends.shared_prefixes import Row, distinct_tokens, group_rows, runs_of
from selfreward.backends.token_backend import Draw, TokenBackend, TokenEngineSpec, TokenRequest
from selfreward.installed import version
from selfreward.policies import Judging, Policy
from selfreward.spec import execution

# Raise it where the last digits of what is drawn or scored may change.
_NUMERICS = 10
# What is little is scored in pieces, so that two processes end together; fewer tokens are not worth a call.
_PIECES, _LEAST = 4, 512


class HfSpec(TokenEngineSpec):
    """`batch_size` answers are drawn at once; the draws depend on it by rounding.

    `auto` is 64 on a CPU; on a GPU up to 512 short ones, and 64 where prompt and answer may have 2,048 tokens together.
    `score_batch_tokens` is how many tokens, padding included, are scored at once; those of a beginning that all of them
    share are computed once, and count half. `dtype: auto` is bfloat16 where the device computes in it, else float32.
    `workers` processes hold the model and share the work; `auto` is one on a GPU, and on a CPU two if it has two cores
    and memory for both. Each has `threads` threads, None for its share of the cores.
    """

    kind: Literal["hf"] = "hf"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    batch_size: Literal["auto"] | PositiveInt = "auto"
    score_batch_tokens: PositiveInt = 4096
    workers: Literal["auto"] | PositiveInt = execution("auto")
    threads: int | None = execution(None, gt=0, le=MOST_THREADS)

    def open(self, policy: Judging) -> "HfBackend":
        """A backend that holds a model folder."""
        assert isinstance(policy, Policy)
        return HfBackend(self, policy)

    def shares(self, model: Path) -> int:
        """How many processes hold the model in a folder."""
        if self.workers != "auto":
            return self.workers
        return 1 if resolve_device(self.device) == "cuda" else most_workers(model)

    def workers_for(self, model: Path) -> Workers:
        """The processes that hold the model in a folder."""
        shares = self.shares(model)
        return workers_of(shares, self.threads or max(1, usable_threads() // shares))


class HfBackend(TokenBackend):
    """A `Backend` around `transformers`."""

    _spec: HfSpec

    def __init__(self, spec: HfSpec, policy: Policy) -> None:
        super().__init__(spec, policy)
        self._device = resolve_device(spec.device)
        self._dtype = resolve_dtype(spec.dtype, self._device)
        self._held: HeldModel | None = None
        self._facts: ModelFacts | None = None

    @property
    def identity(self) -> Mapping[str, str | int | float | bool]:
        """Versions, number type, device and batch sizes."""
        return {
            "kind": "hf",
            "transformers": version("transformers"),
            "torch": version("torch"),
            "dtype": self._dtype,
            "device": self._device,
            "batch_size": self._batch_size,
            "score_batch_tokens": self._spec.score_batch_tokens,
            "numerics": _NUMERICS,
        }

    def load_ahead(self) -> None:
        """Has the processes that are to hold the model load it, while this one goes on; nothing where none is."""
        if self._shares > 1:
            self._workers.load_ahead(self._loading)

    def close(self) -> None:
        """Frees the model; a later call would load it again."""
        if self._held is not None:
            self._held = None
            gc.collect()
            if self._device == "cuda":
                import torch

                torch.cuda.empty_cache()
        elif self._facts is not None:
            self._workers.forget()
        self._facts = None

    def _draw(self, requests: Sequence[TokenRequest], advance: Advance) -> list[list[list[Draw]]]:
        """All requests together, a prompt that several of them ask about once; `batch_size` answers at a time."""
        self._check_known(prompt for one in requests for prompt in one.prompts)
        facts, pad = self._ask_facts(), self._pad()
        width = gpu_rows(requests) if self._batch_size == "auto" else self._batch_size
        # Those of a CPU share even the smallest work: the plan is to be the same where only one of them fits.
        processes = 1 if self._device == "cuda" else MOST_WORKERS
        jobs, owners = plan_drawings(requests, width, processes=processes, stops=self._stops, pad=pad, gap=facts.gap)
        # The longest first, so that no process is left with one while the others wait.
        order = sorted(range(len(jobs)), key=lambda number: -cost_of(jobs[number]))
        done = self._do([jobs[number] for number in order], advance)
        results: dict[Owner, Draw] = {}
        for number, draws in zip(order, done, strict=True):
            results |= zip(owners[number], draws, strict=True)
        return [
            [[results[asked, place, n] for n in range(one.sampling.k)] for place in range(len(one.prompts))]
            for asked, one in enumerate(requests)
        ]

    def _answer_logprobs(self, rows: list[Row], advance: Advance) -> list[list[float]]:
        return self._scored(rows, None, advance)

    def _first_logprobs(self, prompts: list[list[int]], wanted: list[int], advance: Advance) -> list[list[float]]:
        return self._scored([(prompt, []) for prompt in prompts], wanted, advance)

    def _scored(self, rows: list[Row], wanted: list[int] | None, advance: Advance) -> list[list[float]]:
        """The log-probabilities of each row; what the rows of a group begin with is computed once."""
        if not rows:
            return []
        self._check_known(part for row in rows for part in row)
        facts, pad = self._ask_facts(), self._pad()
        tokens = distinct_tokens(rows) if facts.pack else sum(len(part) for row in rows for part in row)
        limit = min(self._spec.score_batch_tokens, max(_LEAST, tokens // _PIECES))
        groups = group_rows(rows, limit, share=facts.prefix, pack=facts.pack)
        runs = [
            (group.prefix, run)
            for group in groups
            for run in (runs_of(rows, group) if facts.pack else [[batch] for batch in group.batches])
        ]
        jobs = [
            Scoring(batches=[[rows[index] for index in batch] for batch in run], prefix=prefix, wanted=wanted, pad=pad)
            for prefix, run in runs
        ]
        found: dict[int, list[float]] = {}
        done = self._do(jobs, advance)
        for (_, run), logprobs in zip(runs, done, strict=True):
            found |= zip(chain.from_iterable(run), logprobs, strict=True)
        return [found[index] for index in range(len(rows))]

    def _do(self, jobs: Sequence[Job], advance: Advance) -> list[Any]:
        """What each job gives, in order, by this process where it is the only one; `advance` is told of every row."""
        if self._shares > 1:
            return self._workers.do(self._loading, jobs, advance)
        if self._held is None:
            if self._spec.threads is not None:
                import torch

                torch.set_num_threads(self._spec.threads)
            self._held = HeldModel(self._loading)
        return [self._held.do(job, advance) for job in jobs]

    @property
    def _loading(self) -> Loading:
        return Loading(
            path=self._policy.path.resolve(),  # the workers may have begun in another folder
            digest=self._policy.digest,
            dtype=self._dtype,
            device=self._device,
            trust_remote_code=self._spec.trust_remote_code,
        )

    @property
    def _batch_size(self) -> Literal["auto"] | int:
        """A number where it does not depend on what is asked for."""
        return ROWS if self._spec.batch_size == "auto" and self._device == "cpu" else self._spec.batch_size

    @cached_property
    def _shares(self) -> int:
        return self._spec.shares(self._policy.path)

    @property
    def _workers(self) -> Workers:
        return self._spec.workers_for(self._policy.path)

    def _ask_facts(self) -> ModelFacts:
        if self._facts is None:
            # Every process is asked, so that all load the model at the same time.
            self._facts, *_ = self._do([AskFacts()] * self._shares, lambda _: None)
        return self._facts

    def _pad(self) -> int:
        return pad_id(self._chat, self._ask_facts().vocabulary)

    def _check_known(self, rows: Iterable[Sequence[int]]) -> None:
        check_known(rows, self._ask_facts(), self._policy.path)
