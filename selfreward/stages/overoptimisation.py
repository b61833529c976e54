"""Over-optimisation: what the run's judge and a gold that is never trained on make of each policy's held-out answers.

The judge is the proxy that the run optimises. Both scores stand beside how far the policy has moved from the initial
one, as in Gao, Schulman and Hilton (2210.10760). Best of n of the initial policy, which optimises the same proxy and
trains nothing, is read off the same answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from selfreward.artifacts import Artifact, Output, Part, derive_seed
from selfreward.artifacts.parquet import in_batches
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import Backend
from selfreward.backends.reward_model import free_reward_models
from selfreward.data.held_out_sets import sets_by_prompt
from selfreward.errors import ConfigError
from selfreward.judge_quality.answer_scores import AnswerScore, items_of, score_answers
from selfreward.judge_quality.gold_judge import GOLD_IS_JUDGE, OveroptimisationSpec
from selfreward.judges import AnyJudge, JudgeSpec
from selfreward.judges.base import Item, Judge, JudgeBase, Means
from selfreward.judges.standard import Standard
from selfreward.metrics.best_of_n import BestOfN
from selfreward.metrics.distance_to_initial import ByInitial, Distance, as_drawn, by_initial, distance, nowhere
from selfreward.metrics.intervals import Interval
from selfreward.metrics.matched_probe import ProbeAnswer
from selfreward.monitor.policy_scores import (
    BestPolicy,
    PromptScores,
    ScoredAnswer,
    Scores,
    SetScores,
    best_of_answers,
    best_so_far,
    mean_over_prompts,
    rounds_of_scores,
    scores_by_prompt,
    scores_by_set,
)
from selfreward.policies import Judging, Policy
from selfreward.records import Candidate, Prompt, RowPrompt
from selfreward.spec import Spec
from selfreward.stages.evaluate import sampled_answers
from selfreward.stages.measure import MeasureSpec
from selfreward.thought import estimated_answer_tokens

VERSION = 1
EARLIER = ("prompts", "figures")
"""What the next policy's stage and the gate read of it: rounded, so that both go the same way on any machine."""

_SHARD = 256  # answers
_JURY = "the judge is a jury, whose members only vote among the answers of a prompt"
_TEMPERED = "the probe is not drawn as the policy is: set measure.temperature=1 measure.top_p=1"
_CHANGED = (
    "another policy judged an earlier one's answers, and their scores do not compare: set judge.policy=initial, or "
    "external with a path"
)
_RELATIVE = "a judge that compares scores each answer beside the start model's, and these are the start model's"
_UNSCORED = "no prompt has both scores of all its answers"


class CurveSpec(Spec):
    """The judge of the run, `proxy`, and `gold`; `kl` says that the probe is drawn as KL needs it: as the policy is."""

    proxy: JudgeSpec
    gold: JudgeSpec
    kl: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Where a policy stands: mean scores over held-out prompts, answer tokens, and KL to the initial policy.

    `proxy_name` and `gold_name` say what was measured. Of the held-out `prompts`, all is over those on which gold says
    something; of their `answers`, so many have no score. `best_of_n` is that of the initial policy, at iteration 0
    alone. What is None or empty is so for the reason in the field `no_...`, if that has one.
    """

    policy: int
    prompts: int
    proxy_name: str
    gold_name: str
    answers: int
    proxy_unscored: int
    gold_unscored: int
    proxy: Interval | None
    gold: Interval | None
    tokens: Interval | None
    sets: Mapping[str, SetScores]
    distance: Distance | None
    best: BestPolicy | None
    best_of_n: tuple[BestOfN, ...]
    no_proxy: str | None
    no_distance: str | None
    no_best_of_n: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFigures:
    """Who the proxy was for each policy so far, None where none was asked.

    `unmeasured` is why what they say of policies does not compare; None where it does. `proxy_standard` and
    `gold_standard` are what their scores are standardised by: those of the initial policy's answers here.
    """

    proxies: tuple[str | None, ...]
    unmeasured: str | None
    proxy_standard: Standard | None
    gold_standard: Standard | None


_NO_POLICY = CurveFigures(proxies=(), unmeasured=None, proxy_standard=None, gold_standard=None)


def curve_spec(spec: OveroptimisationSpec, judge: AnyJudge, probe: MeasureSpec) -> CurveSpec:
    """The settings of the stage for a run with this judge and probe."""
    return CurveSpec(proxy=judge, gold=spec.gold, kl=probe.temperature == 1 and probe.top_p == 1)


def curve_of(made: Artifact) -> Curve:
    """The report of the stage."""
    return load_report(made, "curve", Curve)


def curve_figures(part: Part) -> CurveFigures:
    """Of the part `EARLIER`, what is known of the proxy."""
    return load_report(part, "figures", CurveFigures)


def scores_so_far(part: Part) -> list[dict[str, Scores]]:
    """Of the part `EARLIER`, proxy and gold by prompt, for each policy from the initial one on."""
    return rounds_of_scores(part.records(PromptScores, "prompts"), len(curve_figures(part).proxies))


def overoptimisation(
    out: Output,
    spec: CurveSpec,
    *,
    seed: int,
    policy: Policy,
    initial: Policy,
    held_out: Artifact,
    evaluated: Artifact,
    baseline: Artifact | None,
    probe: Artifact,
    measured: Part,
    previous: Part | None,
    proxy: Judging | None,
    gold: Judging | None,
    engines: Mapping[str, Backend],
) -> None:
    """Table `rows` of ScoredAnswer; `curve.json` is a Curve. What was asked stands in `gold_...` and `proxy_...`.

    Scored are the sampled answers of `policy` in `evaluated`. `baseline` are those of `initial`, None where these are
    they. `proxy` and `gold` are the policies that judge, None for a judge that is none; `engines` has the backends of
    those and of the initial policy, by the names of these inputs. KL is that of the answers to the probe, the table of
    `measured`; what the initial policy says of them is table `by_initial`.

    `previous` is the part `EARLIER` of the policy before. Table `prompts` of PromptScores has all policies so far, and
    with `figures.json`, a CurveFigures, is the part for the next policy and the gate.

    Models are freed one after the other, but for that of the proxy, which may be the one that draws next.

    Raises ConfigError where gold is the judge of the run, and StageError as the stage `judge` does.
    """
    golden = spec.gold.build(Means(policy=gold, backend=engines.get("gold")))
    judge = None if spec.proxy.seats else spec.proxy.build(Means(policy=proxy, backend=engines.get("proxy")))
    if judge is not None and judge.name == golden.name:
        raise ConfigError(GOLD_IS_JUDGE)
    prompts = list(held_out.records(RowPrompt))
    own = items_of(prompts, sampled_answers(evaluated), policy, seed)
    start = None if baseline is None else items_of(prompts, sampled_answers(baseline), initial, seed)
    last = _NO_POLICY if previous is None else curve_figures(previous)
    by_gold, gold_standard = _scores(out, spec.gold, golden, own, start, last.gold_standard, "gold", seed)
    _free(engines, "gold", ahead=("initial", "proxy"))
    backend = engines["initial"] if policy.digest != initial.digest else None
    distance = _distance(out, backend, probe, measured, seed) if spec.kl else None
    _free(engines, "initial", ahead=("proxy",))
    known = {prompt.id for prompt, one in own if by_gold[one.id].score is not None}
    own, start = [one for one in own if one[0].id in known], start and [one for one in start if one[0].id in known]
    by_proxy: Mapping[str, AnswerScore] = {}
    proxy_standard = None
    if judge is not None:
        by_proxy, proxy_standard = _scores(out, spec.proxy, judge, own, start, last.proxy_standard, "proxy", seed)
    rows = [_row(one, by_proxy.get(one.id), by_gold[one.id]) for _, one in own]
    out.write_table(ScoredAnswer, rows)
    before = last.proxies
    here = list(scores_by_prompt(len(before), rows))
    so_far = [*(() if previous is None else previous.records(PromptScores, "prompts")), *here]
    out.write_table(PromptScores, so_far, "prompts")
    proxies = (*before, None if judge is None else judge.name)
    changed = _CHANGED if len(set(proxies)) > 1 else None
    figures = CurveFigures(
        proxies=proxies,
        unmeasured=_JURY if judge is None else changed,
        proxy_standard=proxy_standard,
        gold_standard=gold_standard,
    )
    save_report(out, "figures", figures)
    best_of, no_best_of = _best_of(spec, rows, seed) if start is None else ((), None)
    curve = Curve(
        policy=len(before),
        prompts=len(prompts),
        proxy_name=_named(spec.proxy),
        gold_name=_named(spec.gold),
        answers=len(rows),
        proxy_unscored=sum(one.proxy is None for one in rows) if judge is not None else 0,
        gold_unscored=sum(one.gold is None for one in rows),
        proxy=mean_over_prompts([one.proxy for one in here], seed),
        gold=mean_over_prompts([one.gold for one in here], seed),
        tokens=mean_over_prompts([one.tokens for one in here], seed),
        sets=scores_by_set(here, sets_by_prompt(held_out), seed),
        distance=distance,
        best=best_so_far(so_far, len(proxies), seed),
        best_of_n=best_of,
        no_proxy=_JURY if judge is None else None,
        no_distance=None if spec.kl else _TEMPERED,
        no_best_of_n=no_best_of,
    )
    save_report(out, "curve", curve)


def _scores(
    out: Output,
    spec: JudgeBase,
    judging: Judge,
    answers: Sequence[Item],
    start: Sequence[Item] | None,
    standard: Standard | None,
    name: str,
    seed: int,
) -> tuple[dict[str, AnswerScore], Standard | None]:
    """What a judge gives each answer, by its id, and what it is standardised by."""
    ask = partial(score_answers, out, spec, judging, answers, start, standard=standard)
    with out.progress(len(answers), f"answers scored by {name}") as advance:
        found, used = ask(rows=name, seed=derive_seed(seed, name), advance=advance)
    return {one.candidate_id: one for one in found}, used


def _free(engines: Mapping[str, Backend], done: str, *, ahead: Sequence[str]) -> None:
    """Frees the models of a judge that is done, before the next is loaded; an engine that is still needed stays."""
    if done in engines and all(engines.get(one) is not engines[done] for one in ahead):
        engines[done].close()
    free_reward_models()


def _row(answer: Candidate, proxy: AnswerScore | None, gold: AnswerScore) -> ScoredAnswer:
    return ScoredAnswer(
        prompt_id=answer.prompt_id,
        index=answer.index,
        tokens=estimated_answer_tokens(answer.tokens, answer.thought, answer.text),
        proxy=None if proxy is None else proxy.score,
        proxy_outcome=None if proxy is None else proxy.outcome,
        gold=gold.score,
        gold_outcome=gold.outcome,
    )


def _distance(out: Output, backend: Backend | None, probe: Artifact, measured: Part, seed: int) -> Distance:
    """That of the policy that drew the answers of `measured` to the one `backend` holds; 0 where there is none."""
    drawn = list(measured.records(ProbeAnswer))
    if backend is None:
        return nowhere(drawn)
    asked = {prompt.id: prompt for prompt in probe.records(Prompt)}

    def scored(answers: list[ProbeAnswer]) -> list[ByInitial]:
        scores = backend.score(as_drawn(answers, asked), advance)
        return [by_initial(one, score) for one, score in zip(answers, scores, strict=True)]

    with out.table(ByInitial, "by_initial") as table, out.progress(len(drawn), "answers by the start model") as advance:
        shards = in_batches(drawn, _SHARD)
        found = [one for shard in shards for one in table.shard(partial(scored, shard), advance)]
    return distance(drawn, found, seed)


def _best_of(spec: CurveSpec, rows: Sequence[ScoredAnswer], seed: int) -> tuple[tuple[BestOfN, ...], str | None]:
    """Best of n of these answers, or why there is none."""
    if spec.proxy.seats:
        return (), _JURY
    if spec.proxy.relative or spec.gold.relative:
        return (), _RELATIVE
    found = tuple(best_of_answers(rows, seed))
    return found, None if found else _UNSCORED


def _named(spec: JudgeBase) -> str:
    """What a score of it is called; that of a jury, which is not asked, is none of two answers."""
    return f"{spec.called}, share won against M0" if spec.relative and not spec.seats else spec.called
