"""Measure: what a fixed probe says about the distribution of a policy; iteration 0 is the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from selfreward.answers import distinct_key
from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.artifacts.tables import in_batches
from selfreward.backends.base import Answer, Backend, TextScore
from selfreward.backends.draw import Decoding, draw_candidates
from selfreward.data.assets import asset_model
from selfreward.diversity.embed import embed_hashing, embed_minilm
from selfreward.diversity.estimators import (
    distinct_share,
    duplicate_rate,
    mean_pairwise_distance,
    rarefied_distinct,
    refused,
)
from selfreward.records import Candidate, Policy, Prompt, Stratum
from selfreward.spec import Json

VERSION = 1


class MeasureSpec(Decoding):
    """The probe: its decoding is its own and never changes with `sample`, so the gauge stays where it is.

    `distinct2_size` bigrams are drawn for rarefied distinct-2 of a stratum, so that the length of answers does not
    move it.
    """

    temperature: float = Field(1.0, gt=0)
    shard_prompts: PositiveInt = 32
    distinct2_size: PositiveInt = 200
    embedder: Literal["hashing", "all-minilm-l6-v2"] = "all-minilm-l6-v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMeasure:
    """One probe prompt. None where the quantity does not exist (no reference, fewer than two answers).

    `human_nll` is the mean negative log-likelihood of the prompt's longest human answer in nats per token.
    """

    prompt_id: str
    stratum: Stratum
    answers: int
    distinct_share: float | None
    pairwise_distance: float | None
    duplicate_rate: float | None
    mean_tokens: float
    truncated: int
    refused: int
    human_nll: float | None


def measure(out: Output, spec: MeasureSpec, *, seed: int, backend: Backend, policy: Policy, probe: Artifact) -> None:
    """Tables `rows` (Candidate) and `prompts` (PromptMeasure); `metrics.json` with their means per stratum."""
    prompts = list(probe.records(Prompt))
    drawn: list[Candidate] = []
    with out.table(Candidate) as table, out.progress(len(prompts) * spec.k, "answers") as advance:
        for shard, asked in enumerate(in_batches(prompts, spec.shard_prompts)):
            draw = partial(
                draw_candidates, backend, policy, asked, spec, seed=derive_seed(seed, shard), advance=advance
            )
            drawn += table.shard(draw, advance)
    out.count(completion_tokens=sum(candidate.tokens for candidate in drawn))
    answers = {prompt_id: list(group) for prompt_id, group in groupby(drawn, key=lambda one: one.prompt_id)}
    human_nll = _human_nll(out, backend, [prompt for prompt in prompts if prompt.stratum == "open"])
    vectors = _embed(spec, [candidate.text for candidate in drawn])
    rows, start = [], 0
    for prompt in prompts:
        given = answers[prompt.id]
        rows.append(_measure_prompt(prompt, given, vectors[start : start + len(given)], human_nll.get(prompt.id)))
        start += len(given)
    with out.table(PromptMeasure, "prompts") as table:
        table.write(rows)
    out.write_json("metrics", _summary(spec, rows, {p.id: [c.text for c in answers[p.id]] for p in prompts}))


def _human_nll(out: Output, backend: Backend, prompts: Sequence[Prompt]) -> dict[str, float]:
    """Nats per token of each prompt's longest human answer; a prompt whose answer cannot be scored is left out."""
    longest = {prompt.id: max(prompt.references, key=len) for prompt in prompts if prompt.references}
    asked = [prompt for prompt in prompts if prompt.id in longest]
    with out.progress(len(asked), "human answers") as advance:
        scores = backend.score([Answer(messages=p.messages, text=longest[p.id]) for p in asked], advance)
    return {
        prompt.id: -score.logprob / score.tokens
        for prompt, score in zip(asked, scores, strict=True)
        if isinstance(score, TextScore)
    }


def _embed(spec: MeasureSpec, texts: Sequence[str]) -> NDArray[np.floating]:
    if spec.embedder == "hashing":
        return embed_hashing(texts)
    return embed_minilm(texts, asset_model(spec.embedder))


def _measure_prompt(
    prompt: Prompt, candidates: Sequence[Candidate], vectors_KD: NDArray[np.floating], human_nll: float | None
) -> PromptMeasure:
    texts = [candidate.text for candidate in candidates]
    return PromptMeasure(
        prompt_id=prompt.id,
        stratum=prompt.stratum,
        answers=len(candidates),
        distinct_share=distinct_share([distinct_key(prompt, text) for text in texts]),
        pairwise_distance=mean_pairwise_distance(vectors_KD),
        duplicate_rate=duplicate_rate(texts),
        mean_tokens=fmean(candidate.tokens for candidate in candidates),
        truncated=sum(candidate.finish == "length" for candidate in candidates),
        refused=sum(refused(text) for text in texts),
        human_nll=human_nll,
    )


def _summary(spec: MeasureSpec, rows: Sequence[PromptMeasure], texts: Mapping[str, Sequence[str]]) -> dict[str, Json]:
    summary: dict[str, Json] = {}
    strata: tuple[Stratum, ...] = ("closed", "open")
    for stratum in strata:
        own = [row for row in rows if row.stratum == stratum]
        if not own:
            continue
        answers = sum(row.answers for row in own)
        summary[stratum] = {
            "prompts": len(own),
            "answers": answers,
            "distinct_share": _mean([row.distinct_share for row in own]),
            "pairwise_distance": _mean([row.pairwise_distance for row in own]),
            "distinct2": rarefied_distinct(
                [text for row in own for text in texts[row.prompt_id]], n=2, size=spec.distinct2_size
            ),
            "duplicate_rate": _mean([row.duplicate_rate for row in own]),
            "mean_tokens": _mean([row.mean_tokens for row in own]),
            "truncation_rate": sum(row.truncated for row in own) / answers,
            "refusal_rate": sum(row.refused for row in own) / answers,
            "human_nll": _mean([row.human_nll for row in own]),
        }
    return summary


def _mean(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return fmean(present) if present else None
