"""Sample: k candidates a prompt from the live policy."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TypeVar

from pydantic import PositiveInt

from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.backends.base import Backend
from selfreward.backends.draw import Decoding, draw_candidates
from selfreward.records import Candidate, Policy, Prompt

VERSION = 1
T = TypeVar("T")


class SampleSpec(Decoding):
    """How candidates are drawn. `k` is what is drawn; `select.k` is what is used of it."""

    shard_prompts: PositiveInt = 32


def sample(out: Output, spec: SampleSpec, *, seed: int, backend: Backend, policy: Policy, prompts: Artifact) -> None:
    """Table `rows` of Candidate: `spec.k` for each prompt, in the order of `prompts`, then by index."""
    with out.table(Candidate) as table, out.progress(prompts.rows() * spec.k, "answers") as advance:
        for shard, asked in enumerate(in_batches(prompts.records(Prompt), spec.shard_prompts)):
            draw = partial(
                draw_candidates, backend, policy, asked, spec, seed=derive_seed(seed, shard), advance=advance
            )
            candidates = table.shard(draw, advance)
            out.count(completion_tokens=sum(candidate.tokens for candidate in candidates))


def in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of `size`, the last one perhaps shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
