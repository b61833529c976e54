"""Measure: what a fixed probe says about the distribution of a policy; iteration 0 is the baseline."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from selfreward.artifacts import Artifact, Output, Part, derive_seed
from selfreward.artifacts.parquet import in_batches
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import Advance, Answer, Backend, Completion, TextScore
from selfreward.backends.candidates import Asking, Decoding, draw_completions
from selfreward.data.wheels import asset_model
from selfreward.metrics.embed import Embedder, embed_hashing, embed_minilm, embed_once
from selfreward.metrics.matched_probe import Mode, ProbeAnswer, matched_measures
from selfreward.metrics.probe_rows import (
    HumanScore,
    Measurement,
    PromptMeasure,
    StratumMeasures,
    prompt_measure,
    stratum_measures,
    tail_nll,
)
from selfreward.metrics.variety_summary import across_prompts, beside_people, within_prompts
from selfreward.policies import Policy
from selfreward.records import STRATA, Prompt, Stratum, digest_of

VERSION = 8
BASELINE = ("rows", "human")
"""What a later measurement reads of the first one: answers, and the scores of the human answers."""


class MeasureSpec(Decoding):
    """The probe: its decoding is its own and never changes with `sample`, so the gauge stays where it is.

    The first policy gives `baseline_k` answers to every open prompt, at least twice `k`: its first `k` beside the
    others show how much two equal policies differ. `distinct2_size` n-grams are drawn for rarefied distinct-n of a
    stratum, so that the length of answers does not move it.
    """

    k: PositiveInt = 8
    baseline_k: PositiveInt = 32
    temperature: float = Field(1.0, ge=1e-3, le=1e3)
    shard_prompts: PositiveInt = 32
    distinct2_size: PositiveInt = 200
    embedder: Literal["hashing", "all-minilm-l6-v2"] = "all-minilm-l6-v2"

    @model_validator(mode="after")
    def _baseline_holds_two_draws(self) -> "MeasureSpec":
        if self.baseline_k < 2 * self.k:
            raise ValueError(
                f"measure.baseline_k={self.baseline_k} with measure.k={self.k}: the baseline is compared with itself, "
                f"set measure.baseline_k to {2 * self.k} or more"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """What two measurements must share to be compared: digests of prompts, rendering and decoding, and the code."""

    prompts: str
    rendering: str
    decoding: str
    embedder: str
    estimators: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How a policy was measured: `k` answers a prompt, and `baseline_k` of the first policy to an open one."""

    k: int
    baseline_k: int
    gauge: Gauge


def measurement_of(measured: Artifact) -> Measurement:
    """The figures of a measurement."""
    return load_report(measured, "metrics", Measurement)


def probe_of(measured: Artifact) -> Probe:
    """How a policy was measured."""
    return load_report(measured, "probe", Probe)


def measure(
    out: Output,
    spec: MeasureSpec,
    *,
    seed: int,
    backend: Backend,
    policy: Policy,
    probe: Artifact,
    baseline: Part | None,
) -> None:
    """Tables `rows` (ProbeAnswer), `prompts` (PromptMeasure), `human` (HumanScore), `modes` (Mode).

    `metrics.json` is a Measurement, `probe.json` a Probe. Without a `baseline`, the part `BASELINE` of the first
    measurement, the first `k` answers are the policy's and the others are the baseline's.
    """
    prompts = list(probe.records(Prompt))
    opened = [prompt for prompt in prompts if prompt.stratum == "open"]
    people = {prompt.id: prompt.references for prompt in opened}
    drawn = _draw(out, spec, seed, backend, prompts, first=baseline is None)
    scores, prompt_tokens = _score_people(out, backend, opened)
    now = {name: group[: spec.k] for name, group in drawn.items()}
    if baseline is None:
        before = {name: group[spec.k :] for name, group in drawn.items()}
    else:
        before = _gathered(baseline.records(ProbeAnswer))
    embed: Embedder = embed_hashing
    if spec.embedder != "hashing":
        embed = partial(embed_minilm, folder=asset_model(spec.embedder))
    matched = matched_measures(
        {name: now[name] for name in people}, {name: before[name] for name in people}, people, embed
    )
    texts = {name: [one.text for one in group] for name, group in now.items()}
    vectors = embed_once([*texts.values(), *people.values()], embed)
    nll: dict[str, list[float]] = {}
    for score in scores:
        nll.setdefault(score.prompt_id, []).append(score.nll)
    rows = [prompt_measure(one, now[one.id], vectors, nll.get(one.id, ()), matched) for one in prompts]
    out.write_table(PromptMeasure, rows, "prompts")
    out.write_table(HumanScore, scores, "human")
    out.write_table(Mode, matched.modes, "modes")
    tail, beside = None, None
    if opened:
        tail = tail_nll(scores, scores if baseline is None else baseline.records(HumanScore, "human"))
        beside = beside_people({one.id: texts[one.id] for one in opened}, people, vectors, seed)

    def measured(stratum: Stratum) -> StratumMeasures | None:
        own = [row for row in rows if row.stratum == stratum]
        if not own:
            return None
        given = {row.prompt_id: texts[row.prompt_id] for row in own}
        return stratum_measures(
            own,
            [one for row in own for one in now[row.prompt_id]],
            within_prompts(given, vectors, seed),
            across_prompts(given, vectors, spec.distinct2_size, seed),
            *((tail, beside, matched) if stratum == "open" else (None, None, None)),
        )

    save_report(out, "metrics", Measurement(closed=measured("closed"), open=measured("open")))
    gauge = _gauge(spec, prompts, prompt_tokens)
    save_report(out, "probe", Probe(k=spec.k, baseline_k=spec.baseline_k, gauge=gauge))


def _draw(
    out: Output, spec: MeasureSpec, seed: int, backend: Backend, prompts: Sequence[Prompt], *, first: bool
) -> dict[str, list[ProbeAnswer]]:
    """The answers to every prompt; of the first policy to open ones as many as the baseline needs."""
    shards = [
        (asked, spec.baseline_k if first and stratum == "open" else spec.k)
        for stratum in STRATA
        for asked in in_batches([one for one in prompts if one.stratum == stratum], spec.shard_prompts)
    ]
    answers: list[ProbeAnswer] = []
    total = sum(len(asked) * k for asked, k in shards)
    with out.table(ProbeAnswer) as table, out.progress(total, "answers") as advance:
        for number, (asked, k) in enumerate(shards):
            decoding = spec.model_copy(update={"k": k})
            draw = partial(_answers, backend, asked, decoding, derive_seed(seed, number), advance)
            answers += table.shard(draw, advance)
    out.count(completion_tokens=sum(len(one.token_logprobs) for one in answers))
    return _gathered(answers)


def _answers(
    backend: Backend, prompts: Sequence[Prompt], decoding: Decoding, seed: int, advance: Advance
) -> list[ProbeAnswer]:
    (drawn,) = draw_completions(backend, [Asking(prompts=prompts, decoding=decoding, seed=seed)], advance)
    return [
        ProbeAnswer(
            prompt_id=prompt.id,
            index=index,
            text=one.text,
            finish=one.finish,
            token_logprobs=_told(one),
            thought=one.thought,
        )
        for prompt, completions in zip(prompts, drawn, strict=True)
        for index, one in enumerate(completions)
    ]


def _told(completion: Completion) -> tuple[float, ...]:
    assert completion.token_logprobs is not None, "the engine of a run tells them"
    return completion.token_logprobs


def _gathered(answers: Iterable[ProbeAnswer]) -> dict[str, list[ProbeAnswer]]:
    return {prompt_id: list(group) for prompt_id, group in groupby(answers, key=lambda one: one.prompt_id)}


def _score_people(out: Output, backend: Backend, prompts: Sequence[Prompt]) -> tuple[list[HumanScore], dict[str, int]]:
    """Every human answer to `prompts` that can be scored, and the tokens of each prompt as it was rendered."""
    written = [(prompt, index, text) for prompt in prompts for index, text in enumerate(prompt.references)]
    with out.progress(len(written), "human answers") as advance:
        results = backend.score([Answer(messages=one.messages, text=text) for one, _, text in written], advance)
    scores, prompt_tokens = [], {}
    for (prompt, index, _), result in zip(written, results, strict=True):
        if isinstance(result, TextScore):
            scores.append(HumanScore(prompt_id=prompt.id, index=index, nll=-result.logprob / result.tokens))
            prompt_tokens[prompt.id] = result.prompt_tokens
    return scores, prompt_tokens


def _gauge(spec: MeasureSpec, prompts: Sequence[Prompt], prompt_tokens: Mapping[str, int]) -> Gauge:
    return Gauge(
        prompts=digest_of(sorted((prompt.id, sorted(prompt.references)) for prompt in prompts)),
        rendering=digest_of(sorted(prompt_tokens.items())),
        decoding=digest_of(spec.temperature, spec.top_p, spec.max_new_tokens.model_dump()),
        embedder=spec.embedder,
        estimators=VERSION,
    )
