"""Gate: whether this round's judgments may be trained on, by the judge's health and by the judgments themselves."""

from dataclasses import dataclass, replace
from statistics import fmean

from selfreward.artifacts import Artifact, Output, Part
from selfreward.artifacts.reports import load_report, save_report
from selfreward.judge_quality.bias import ScoreBin, score_histogram, top_share
from selfreward.judge_quality.corrected import RATES, called_right, corrected_share
from selfreward.judge_quality.estimate import Measure, Measures, mean_of, missing, share_of
from selfreward.judge_quality.measures import rounded
from selfreward.judges.pointwise import by_prompt
from selfreward.monitor.gate_rules import Action, GateFinding, GateSpec, decide, judge_gate, judge_meta, overoptimised
from selfreward.monitor.over_optimisation import turning
from selfreward.records import Judgment
from selfreward.stages.duel import duel_figures
from selfreward.stages.health import GateFigures, gate_figures
from selfreward.stages.meta import meta_figures
from selfreward.stages.overoptimisation import curve_figures, scores_so_far

VERSION = 3
_TOLD = ("accuracy", "kappa", "flip_rate", "parse_rate", "share_at_maximum")
_GOLD = ("accuracy", "lc_win_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the gate makes of a round's judge: `action` is the strongest of all `findings`, `told` says it in lines.

    Findings are of the judge on gold, of this round's judgments (`round/...`), and of the proxy score against gold over
    rounds (`over_optimised/...`): these rest on `rounds`, and that of gold on the held-out answers of all policies; and
    of the meta-judge (`meta_...`).
    `healthy` says that no bound was crossed, which is no praise of what was not measured; `healthy_round` is the last
    such round up to this one. `frozen` says that the judge of the last healthy round judges from the next round on.
    `measures` and `scores` are of this round's judgments.
    """

    round: int
    action: Action
    healthy: bool
    healthy_round: int | None
    frozen: bool
    findings: tuple[GateFinding, ...]
    measures: Measures
    scores: tuple[ScoreBin, ...]
    rounds: tuple[Measures, ...]
    told: tuple[str, ...]


def gate(
    out: Output,
    spec: GateSpec,
    *,
    seed: int,
    health: Part,
    judgments: Artifact,
    duel: Part | None,
    previous: Artifact | None,
    scored: Part | None = None,
    meta: Part | None = None,
) -> None:
    """`gate.json` is a Gate: what follows from the judge on gold, from this round's judgments, from over-optimisation.

    `health` and `duel` are the parts `figures` of those stages, whose numbers are rounded, and `scored` is the part
    `EARLIER` of the stage overoptimisation; `previous` is the gate of the round before. `meta` is the part `figures` of
    that stage, where the round's judgments were judged.
    """
    seen = gate_figures(health)
    before = None if previous is None else gate_of(previous)
    number = 0 if before is None else before.round + 1
    judged_by = None if judgments.policy is None else judgments.policy.digest
    here, scores = _of_round(judgments, seen, seed)
    rounds = (*(() if before is None else before.rounds), _watched(seen, here, duel))
    on_gold = judge_gate(spec, seen.measures)
    proxies = [one["mean_score"] for one in rounds]
    watched = [overoptimised(spec, name, proxies, [one[name] for one in rounds]) for name in _GOLD]
    watched += [] if scored is None else [turning(spec, scores_so_far(scored), curve_figures(scored).unmeasured)]
    of_meta = [] if meta is None else judge_meta(spec, meta_figures(meta))
    decision = decide([*on_gold.findings, *_on_round(spec, here), *watched, *of_meta])
    healthy = decision.action == "observe"
    last = number if healthy else None if before is None else before.healthy_round
    was_frozen = before is not None and before.frozen
    frozen = was_frozen or (decision.action == "freeze" and last is not None)
    acting = [one for one in decision.findings if one.action != "observe"]
    lines = [_summary(spec, seen), *(f"  gate {one.action}: {one.name} {one.why}" for one in acting)]
    if decision.action == "freeze" and not was_frozen:
        lines.append(_freezing(last, judged_by != seen.policy))
    if any(one.action == "end" for one in acting):
        lines.append("  judgments are not trained on: from this round on no pairs are made of them")
    gated = Gate(
        round=number,
        action=decision.action,
        healthy=healthy,
        healthy_round=last,
        frozen=frozen,
        findings=decision.findings,
        measures=here,
        scores=score_histogram(scores),
        rounds=rounds,
        told=tuple(lines),
    )
    save_report(out, "gate", gated)


def gate_of(gated: Artifact) -> Gate:
    """The report of a gate."""
    return load_report(gated, "gate", Gate)


def asks_to_freeze(spec: GateSpec, health: Part) -> bool:
    """Whether gold alone, the part `figures`, says that the judge should not judge this round."""
    return judge_gate(spec, gate_figures(health).measures).action == "freeze"


def ends_meta(gated: Gate) -> bool:
    """Whether judgments are not trained on from this round on."""
    return any(one.action == "end" for one in gated.findings)


def gate_reason(gated: Gate) -> str | None:
    """Why the run ends here; None where it goes on."""
    stops = [f"{one.name} {one.why}" for one in gated.findings if one.action == "stop"]
    return f"stopped by the gate of the judge: {'; '.join(stops)}" if stops else None


def _of_round(judgments: Artifact, seen: GateFigures, seed: int) -> tuple[Measures, list[float]]:
    """What this round's judgments say over prompts, and all scores.

    Parse rate, share at the maximum, mean score, the share of candidates that are called right, and that share
    corrected by what gold says of the judge's errors.
    """
    scale = seen.scale
    names = ("parse_rate", "share_at_maximum", "mean_score", "right_share", "right_share_corrected")
    if judgments.policy is None:
        return dict.fromkeys(names, missing("the judge is no policy")), []
    asked = "evidence" if judgments.has("evidence") else "rows"
    said, concluded = (by_prompt(judgments.records(Judgment, table)).values() for table in (asked, "rows"))
    parsed = [fmean(one.outcome == "scored" for one in group) for group in said]
    scores = [[one.score for one in group if one.score is not None] for group in concluded]
    top = [None if scale is None else top_share(some, scale) for some in scores]
    right = [called_right(some, scale) if some and scale is not None else None for some in scores]
    means = [None if seen.relative or not some else fmean(some) for some in scores]
    no_scores = "no candidate has a score"
    no_top, no_half = (
        f"the judge's scores have no {what}" if scale is None else no_scores
        for what in ("maximum", "scale, in whose upper half an answer is right")
    )
    no_mean = "scores among the candidates of a prompt cannot rise" if seen.relative else no_scores
    called = share_of(right, range(len(right)), no_half)
    measures = {
        "parse_rate": share_of(parsed, range(len(parsed)), "nothing was judged"),
        "share_at_maximum": share_of(top, range(len(top)), no_top),
        "mean_score": mean_of(means, range(len(means)), seed, no_mean),
        "right_share": called,
        "right_share_corrected": corrected_share(called, *(seen.measures[name] for name in RATES)),
    }
    return rounded(measures), [score for some in scores for score in some]


def _on_round(spec: GateSpec, here: Measures) -> list[GateFinding]:
    """What the rules say of this round's judgments, under names of their own."""
    found = judge_gate(spec, here).findings
    return [replace(one, name=f"round/{one.name}") for one in found if one.name in here]


def _watched(seen: GateFigures, here: Measures, duel: Part | None) -> dict[str, Measure]:
    """What over-optimisation is looked for in, of one round: the proxy score and what gold says."""
    won = {"lc_win_rate": missing("no duel was fought")} if duel is None else duel_figures(duel)
    return {"mean_score": here["mean_score"], "accuracy": seen.measures["accuracy"], **won}


def _summary(spec: GateSpec, seen: GateFigures) -> str:
    figures = [
        f"{name} {one.value:.3g} ({one.low:.3g} to {one.high:.3g})"
        for name in _TOLD
        if (one := seen.measures[name].interval) is not None
    ]
    if not figures:
        return f"  judge not measured: {seen.measures['accuracy'].why_missing}"
    of = "" if seen.prompts == seen.pairs else f" of {seen.prompts} prompts"
    few = f"; fewer prompts than gate.fewest_items={spec.fewest_items}, so nothing follows from gold"
    told = few if seen.prompts < spec.fewest_items else ""
    return f"  judge on {seen.pairs} gold pairs{of}: {', '.join(figures)}{told}"


def _freezing(last: int | None, judged_already: bool) -> str:
    if last is None:
        return "  no earlier round passed the gate: the judge stays as it is"
    since = "in this round and from now on" if judged_already else "from the next round on"
    return f"  the judge is frozen: the policy that judged in round {last}, the last healthy one, judges {since}"
