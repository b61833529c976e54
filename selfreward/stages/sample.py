"""Sample: k candidates a prompt from the live policy."""

from dataclasses import dataclass
from functools import partial

from pydantic import PositiveInt

from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.artifacts.many_rows import few_collections
from selfreward.artifacts.parquet import in_batches
from selfreward.backends.base import Backend
from selfreward.backends.candidates import Decoding, draw_candidates
from selfreward.policies import Policy
from selfreward.records import Candidate, Prompt

VERSION = 2


class SampleSpec(Decoding):
    """How candidates are drawn. `k` is what is drawn; `select.k` is what is used of it."""

    shard_prompts: PositiveInt = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Candidates: all that were `drawn`, and some of them.

    `thoughts` think, `thoughts_cut` of these were ended by the token limit before they came to an answer, `respelled`
    have a text that does not give back the tokens that were drawn.
    """

    drawn: int
    thoughts: int
    thoughts_cut: int
    respelled: int


def sampled_of(candidates: Artifact) -> Sampled:
    """How many candidates there are, and of which kinds."""
    kinds = ("thoughts", "thoughts_cut", "respelled")
    return Sampled(drawn=candidates.rows(), **{name: int(candidates.manifest.counts[name]) for name in kinds})


@few_collections()
def sample(out: Output, spec: SampleSpec, *, seed: int, backend: Backend, policy: Policy, prompts: Artifact) -> None:
    """Table `rows` of Candidate: `spec.k` for each prompt, in the order of `prompts`, then by index.

    The counts are those of Sampled.
    """
    with out.table(Candidate) as table, out.progress(prompts.rows() * spec.k, "answers") as advance:
        for shard, asked in enumerate(in_batches(prompts.records(Prompt), spec.shard_prompts)):
            draw = partial(
                draw_candidates, backend, policy, asked, spec, seed=derive_seed(seed, shard), advance=advance
            )
            candidates = table.shard(draw, advance)
            thinking = [candidate for candidate in candidates if candidate.thought is not None]
            out.count(
                completion_tokens=sum(candidate.tokens for candidate in candidates),
                thoughts=len(thinking),
                respelled=sum(candidate.respelled for candidate in candidates),
                thoughts_cut=sum(one.finish == "length" and not one.text.strip() for one in thinking),
            )
