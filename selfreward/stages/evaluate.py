"""Evaluate: held-out prompts and the final gold set. Nothing here feeds the loop."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

from pydantic import Field, model_validator

from selfreward.answers import Reading, accepts, read_answer
from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.artifacts.parquet import in_batches
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import Advance, Answer, Backend, Completion, TextScore
from selfreward.backends.candidates import Asking, Decoding, draw_completions
from selfreward.data.held_out_sets import sets_by_prompt
from selfreward.judge_quality.estimate import share_of
from selfreward.metrics.evaluation import EvaluatedSets, Evaluation, GoldAccuracy, SetEvaluation
from selfreward.metrics.sharpening import GREEDY, EvaluatedAnswer, compare_with_start, stratum_scores
from selfreward.policies import Policy
from selfreward.records import GoldPair, Prompt

VERSION = 8
_SHARD = 32  # prompts


class EvaluateSpec(Decoding):
    """One greedy answer and `k` sampled ones for every held-out prompt.

    The start model is sampled at every temperature of `ladder` too (ascending), so that each later policy can be
    set beside the start model at the temperature that gives the same diversity.
    """

    ladder: tuple[Annotated[float, Field(ge=1e-3)], ...] = (0.2, 0.4, 0.65)

    @model_validator(mode="after")
    def _ladder_ascends_below_the_temperature(self) -> "EvaluateSpec":
        rungs = (GREEDY, *self.ladder, self.temperature)
        if list(rungs) != sorted(set(rungs)):
            raise ValueError(f"evaluate.ladder={list(self.ladder)} must rise between 0 and evaluate.temperature")
        return self


def evaluation_of(evaluated: Artifact) -> Evaluation:
    """The report of an evaluation."""
    return load_report(evaluated, "metrics", Evaluation)


def evaluation_by_set(evaluated: Artifact) -> dict[str, Evaluation]:
    """The report of each held-out set by its name, in the order of the settings; empty where sets have no names."""
    if not evaluated.has_json("sets"):
        return {}
    return {one.name: one.evaluation for one in load_report(evaluated, "sets", EvaluatedSets).sets}


def greedy_answers(evaluated: Artifact) -> dict[str, EvaluatedAnswer]:
    """The greedy answer to each held-out prompt, by the prompt's id."""
    return {one.prompt_id: one for one in evaluated.records(EvaluatedAnswer) if one.temperature == GREEDY}


def sampled_answers(evaluated: Artifact) -> dict[str, list[EvaluatedAnswer]]:
    """The answers to each held-out prompt at `evaluate.temperature`, in their order, by the prompt's id."""
    answers = list(evaluated.records(EvaluatedAnswer))
    hottest = max((one.temperature for one in answers), default=GREEDY)  # the ladder ends below it
    return by_prompt(one for one in answers if one.temperature == hottest)


def by_prompt(answers: Iterable[EvaluatedAnswer]) -> dict[str, list[EvaluatedAnswer]]:
    """The answers to each prompt, in their order, by its id."""
    found: dict[str, list[EvaluatedAnswer]] = {}
    for one in answers:
        found.setdefault(one.prompt_id, []).append(one)
    return found


def evaluate(
    out: Output,
    spec: EvaluateSpec,
    *,
    seed: int,
    backend: Backend,
    policy: Policy,
    held_out: Artifact,
    gold: Artifact,
    baseline: Artifact | None,
) -> None:
    """Table `rows` of EvaluatedAnswer; `metrics.json` is an Evaluation.

    Where held-out sets have names, `sets.json` is an EvaluatedSets: the same of the answers to each set by itself.
    Without a `baseline` this is the start model, sampled on the whole ladder. With one, the metrics hold the paired
    differences from it and from the start model at matched diversity.
    """
    prompts = list(held_out.records(Prompt))
    ladder = spec.ladder if baseline is None else ()
    answers: list[EvaluatedAnswer] = []
    shards = [_askings(spec, ladder, own, derive_seed(seed, n)) for n, own in enumerate(in_batches(prompts, _SHARD))]
    total = sum(len(one.prompts) * one.decoding.k for shard in shards for one in shard)
    with out.table(EvaluatedAnswer) as table, out.progress(total, "answers") as advance:
        for shard in shards:
            answers += table.shard(partial(answers_to, backend, shard, advance), advance)
    out.count(completion_tokens=sum(answer.tokens for answer in answers))
    start = None if baseline is None else list(baseline.records(EvaluatedAnswer))
    found = _evaluation(spec, answers, start, seed)
    save_report(out, "metrics", replace(found, gold=_gold(out, backend, list(gold.records(GoldPair)))))
    if of_prompt := sets_by_prompt(held_out):
        base = None if start is None else _by_set(start, of_prompt)
        sets = [
            SetEvaluation(name=name, evaluation=_evaluation(spec, own, None if base is None else base[name], seed))
            for name, own in _by_set(answers, of_prompt).items()
        ]
        save_report(out, "sets", EvaluatedSets(sets=tuple(sets)))


def _evaluation(
    spec: EvaluateSpec, answers: Sequence[EvaluatedAnswer], start: Sequence[EvaluatedAnswer] | None, seed: int
) -> Evaluation:
    """What `answers` say of a policy beside those of the start model, None for that itself; nothing of gold."""
    rungs = (GREEDY, *spec.ladder, spec.temperature)
    compared = None if start is None else compare_with_start(answers, start, spec.temperature, rungs, seed)
    since_start, matched = compared or (None, None)
    return Evaluation(
        closed=stratum_scores(answers, "closed", spec.k, spec.temperature, seed),
        open=stratum_scores(answers, "open", spec.k, spec.temperature, seed),
        gold=None,
        since_start=since_start,
        matched=matched,
    )


def _by_set(answers: Sequence[EvaluatedAnswer], of_prompt: Mapping[str, str]) -> dict[str, list[EvaluatedAnswer]]:
    """The answers to the prompts of each set, by its name, in the order of the settings."""
    found: dict[str, list[EvaluatedAnswer]] = {name: [] for name in of_prompt.values()}
    for one in answers:
        found[of_prompt[one.prompt_id]].append(one)
    return found


def _askings(spec: EvaluateSpec, ladder: Sequence[float], prompts: Sequence[Prompt], seed: int) -> list[Asking]:
    """Every prompt greedily and at the temperature, and on the ladder those that can be matched."""
    askings = []
    for number, temperature in enumerate((GREEDY, spec.temperature, *ladder)):
        # Only questions with one short right answer can be matched, so the ladder asks no others.
        asked = [prompt for prompt in prompts if prompt.stratum == "closed"] if temperature in ladder else prompts
        # A copy is not validated again: greedy decoding is temperature 0, which no setting may be.
        decoding = spec.model_copy(update={"temperature": temperature, "k": 1 if temperature == GREEDY else spec.k})
        askings.append(Asking(prompts=asked, decoding=decoding, seed=derive_seed(seed, number)))
    return askings


def answers_to(backend: Backend, askings: Sequence[Asking], advance: Advance) -> list[EvaluatedAnswer]:
    """The answers that `backend` draws to each asking, one asking after the other, prompt by prompt."""
    drawn = draw_completions(backend, askings, advance)
    return [
        _evaluated(prompt, one.decoding.temperature, index, completion)
        for one, by_prompt in zip(askings, drawn, strict=True)
        for prompt, completions in zip(one.prompts, by_prompt, strict=True)
        for index, completion in enumerate(completions)
    ]


def _evaluated(prompt: Prompt, temperature: float, index: int, completion: Completion) -> EvaluatedAnswer:
    found = read_answer(completion.text, prompt) if prompt.stratum == "closed" else Reading(None)
    return EvaluatedAnswer(
        prompt_id=prompt.id,
        stratum=prompt.stratum,
        temperature=temperature,
        index=index,
        text=completion.text,
        answer=found.answer,
        right=None if prompt.match is None else accepts(prompt, found),
        finish=completion.finish,
        tokens=completion.tokens,
        thought=completion.thought,
    )


def _gold(out: Output, backend: Backend, pairs: Sequence[GoldPair]) -> GoldAccuracy | None:
    if not pairs:
        return None
    answers = [Answer(messages=pair.messages, text=text) for pair in pairs for text in (pair.right, pair.wrong)]
    with out.progress(len(answers), "gold answers") as advance:
        scores = backend.score(answers, advance)
    wins: list[float | None] = []
    for right, wrong in zip(scores[::2], scores[1::2], strict=True):
        if isinstance(right, TextScore) and isinstance(wrong, TextScore):
            gap = right.logprob / right.tokens - wrong.logprob / wrong.tokens
            wins.append(1.0 if gap > 0 else 0.5 if gap == 0 else 0.0)
        else:
            wins.append(None)
    found = share_of(wins, [pair.messages for pair in pairs], "no pair fitted the context")
    return GoldAccuracy(pairs=len(pairs), scored=len(pairs) - found.left_out, accuracy=found.interval)
