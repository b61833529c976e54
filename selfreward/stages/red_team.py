"""Red team: how a policy answers prompts that ask for trouble, beside how it answers the held-out ones.

Refusing and evading are told apart on both, since a policy that refuses everything is harmless and of no use (Bai et
al. 2022, 2212.08073). Nothing here feeds the loop.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from selfreward.answers.evasion import evaded
from selfreward.answers.refusal import refused
from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.artifacts.parquet import in_batches
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import Backend
from selfreward.backends.candidates import Asking, Decoding
from selfreward.backends.reward_model import free_reward_models
from selfreward.data.roles import question_text
from selfreward.judge_quality.answer_scores import items_of, score_answers
from selfreward.judge_quality.estimate import Measure, mean_of, share_of
from selfreward.judge_quality.gold_judge import OveroptimisationSpec
from selfreward.judges import JudgeSpec
from selfreward.judges.base import Means
from selfreward.judges.standard import Standard
from selfreward.metrics.sharpening import EvaluatedAnswer
from selfreward.policies import Judging, Policy
from selfreward.records import Outcome, Prompt
from selfreward.stages.evaluate import EvaluateSpec, answers_to, by_prompt, sampled_answers
from selfreward.thought import estimated_answer_tokens

VERSION = 1
_SHARD = 32  # prompts
_NO_GOLD = "no gold is named: set overoptimisation=default judge@overoptimisation.gold=reward_model"
_NO_SCORE = "gold scores no answer"
_NO_ANSWER = "there is no answer"


class RedTeamSpec(Decoding):
    """Answers are drawn as `evaluate` draws its sampled ones; `gold` is that of `overoptimisation`, None for none."""

    gold: JudgeSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAnswer:
    """What one sampled answer to a `red_team` prompt, or to a held-out one, is; gold scores those of the former alone.

    `gold_outcome` says why there is no score; None where gold was not asked.
    """

    prompt_id: str
    index: int
    red_team: bool
    refused: bool
    evaded: bool
    tokens: int
    gold: float | None
    gold_outcome: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How often a policy refuses and evades on one kind of prompts, over their answers, and how long those are."""

    prompts: int
    answers: int
    refused: Measure
    evaded: Measure
    tokens: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class RedTeamed:
    """How a policy answers the held-out prompts, `benign`, and those of the `red_team`.

    `harmless` is what the judge `gold_name` gives the answers to the latter. `standard` is what its scores are
    standardised by, None for a judge that standardises none.
    """

    benign: Manner
    red_team: Manner
    gold_name: str | None
    harmless: Measure
    standard: Standard | None


def red_team_spec(evaluate: EvaluateSpec, gold: OveroptimisationSpec | None) -> RedTeamSpec:
    """The settings of the stage for a run with these."""
    drawn = {name: getattr(evaluate, name) for name in Decoding.model_fields}
    return RedTeamSpec(**drawn, gold=None if gold is None else gold.gold)


def red_teamed_of(made: Artifact) -> RedTeamed:
    """The report of the stage."""
    return load_report(made, "red_team", RedTeamed)


def red_team(
    out: Output,
    spec: RedTeamSpec,
    *,
    seed: int,
    backend: Backend,
    policy: Policy,
    prompts: Artifact,
    held_out: Artifact,
    evaluated: Artifact,
    baseline: Artifact | None,
    gold: Judging | None = None,
    engines: Mapping[str, Backend] | None = None,
) -> None:
    """Table `rows` of EvaluatedAnswer, to the red-team `prompts`; `red_team.json` is a RedTeamed.

    Table `read` of ReadAnswer has these and the sampled answers of `evaluated` to the `held_out` prompts. `baseline` is
    what this stage made of the start model, None where this is that. `gold` is the policy that the gold judge judges
    with, None for one that is none; `engines` has the backend that holds it, under `gold`. What gold was asked stands
    in `gold_...`. Raises StageError as the stage `judge` does.
    """
    asked, benign = list(prompts.records(Prompt)), list(held_out.records(Prompt))
    drawn: list[EvaluatedAnswer] = []
    with out.table(EvaluatedAnswer) as table, out.progress(len(asked) * spec.k, "answers") as advance:
        for shard, own in enumerate(in_batches(asked, _SHARD)):
            asking = Asking(prompts=own, decoding=spec, seed=derive_seed(seed, shard))
            drawn += table.shard(partial(answers_to, backend, [asking], advance), advance)
    out.count(completion_tokens=sum(one.tokens for one in drawn))
    _make_room(backend, gold, engines or {})
    scores, standard = _by_gold(out, spec, policy, asked, drawn, baseline, gold, engines or {}, seed)
    held = [one for answers in sampled_answers(evaluated).values() for one in answers]
    told = [*_read(asked, drawn, scores, red_team=True), *_read(benign, held, {}, red_team=False)]
    out.write_table(ReadAnswer, told, "read")
    rows = [one for one in told if one.red_team]
    of = [one.prompt_id for one in rows]
    no_score = _NO_GOLD if spec.gold is None else _NO_SCORE
    report = RedTeamed(
        benign=_manner([one for one in told if not one.red_team], seed),
        red_team=_manner(rows, seed),
        gold_name=None if spec.gold is None else spec.gold.called,
        harmless=mean_of([one.gold for one in rows], of, seed, no_score),
        standard=standard,
    )
    save_report(out, "red_team", report)


def _by_gold(
    out: Output,
    spec: RedTeamSpec,
    policy: Policy,
    prompts: Sequence[Prompt],
    answers: Sequence[EvaluatedAnswer],
    baseline: Artifact | None,
    gold: Judging | None,
    engines: Mapping[str, Backend],
    seed: int,
) -> tuple[dict[tuple[str, int], tuple[float | None, Outcome]], Standard | None]:
    """Score and outcome of each answer, by prompt and index, and what they are standardised by; nothing without gold.

    The start model is the one that a judge compares the answers with, and by whose answers it standardises.
    """
    if spec.gold is None:
        return {}, None
    judging = spec.gold.build(Means(policy=gold, backend=engines.get("gold")))
    own = items_of(prompts, by_prompt(answers), policy, seed)
    first = None if baseline is None else by_prompt(baseline.records(EvaluatedAnswer))
    start = None if first is None else items_of(prompts, first, policy, seed)
    standard = None if baseline is None else red_teamed_of(baseline).standard
    ask = partial(score_answers, out, spec.gold, judging, own, start, standard=standard, rows="gold")
    with out.progress(len(own), "answers scored by gold") as advance:
        scored, used = ask(seed=derive_seed(seed, "gold"), advance=advance)
    free_reward_models()
    found = {one.candidate_id: (one.score, one.outcome) for one in scored}
    return {(one.prompt_id, one.index): found[one.id] for _, one in own}, used


def _make_room(backend: Backend, gold: Judging | None, engines: Mapping[str, Backend]) -> None:
    """Frees the policy that drew before another model is loaded that judges; an accelerator rarely has room for two."""
    held = engines.get("gold")
    if gold is not None and held is not backend and (held is None or "weights" in held.can):
        backend.close()


def _read(
    prompts: Iterable[Prompt],
    answers: Iterable[EvaluatedAnswer],
    scores: Mapping[tuple[str, int], tuple[float | None, Outcome]],
    *,
    red_team: bool,
) -> list[ReadAnswer]:
    questions = {one.id: question_text(one.messages) for one in prompts}
    read = []
    for one in answers:
        score, outcome = scores.get((one.prompt_id, one.index), (None, None))
        read.append(
            ReadAnswer(
                prompt_id=one.prompt_id,
                index=one.index,
                red_team=red_team,
                refused=refused(one.text),
                evaded=evaded(one.text, questions[one.prompt_id]),
                tokens=estimated_answer_tokens(one.tokens, one.thought, one.text),
                gold=score,
                gold_outcome=outcome,
            )
        )
    return read


def _manner(rows: Sequence[ReadAnswer], seed: int) -> Manner:
    of = [one.prompt_id for one in rows]
    return Manner(
        prompts=len(set(of)),
        answers=len(rows),
        refused=share_of([float(one.refused) for one in rows], of, _NO_ANSWER),
        evaded=share_of([float(one.evaded) for one in rows], of, _NO_ANSWER),
        tokens=mean_of([float(one.tokens) for one in rows], of, seed, _NO_ANSWER),
    )
