"""Metrics of a run, read from what it committed. Every name is defined in docs/metrics.md."""

import re
from collections.abc import Mapping, Sequence
from statistics import fmean

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.metrics.evaluation import Evaluation, StratumScores
from selfreward.reading.asked_metrics import red_team_metrics, revised_metrics, written_metrics
from selfreward.reading.flat_metrics import figures, flat
from selfreward.reading.judge_changes import judge_change
from selfreward.reading.members import Member
from selfreward.reading.monitor_metrics import Metric, monitor_metrics
from selfreward.reading.rounds import Round, rounds_of, share_of
from selfreward.stages.reward import Rewarding, rewarding_of
from selfreward.stages.sample import Sampled
from selfreward.stages.source import LEFT_OUT, counted
from selfreward.updates import Training

METRICS_FILE = "metrics.jsonl"
ALARMS = ("ALARM", "SEVERE")


def metrics_of_run(view: RunView) -> list[dict[str, Metric]]:
    """One flat dict of metrics for each iteration of a run; see docs/metrics.md for the names."""
    return metrics_of_rounds(rounds_of(view), view.sources)


def metrics_of_rounds(rounds: Sequence[Round], sources: Mapping[str, Artifact]) -> list[dict[str, Metric]]:
    """The metrics of the `rounds` of a run, whose data are `sources`."""
    rows = [metrics_of_round(one, before) for one, before in zip(rounds, (None, *rounds), strict=False)]
    if rows:
        rows[0] |= data_metrics(sources)
    return rows


def final_values(rows: Sequence[Mapping[str, Metric]]) -> dict[str, Metric]:
    """`final/...` of a run with these metrics, one row an iteration; what is not known is left out."""
    if not rows:
        return {}
    nlls = [value for row in rows if isinstance(value := row.get("diversity/open/human_nll"), float)]
    alarms = [row["loop/iteration"] for row in rows if row.get("collapse/state") in ALARMS]
    spent = [row["mix/human_rows_spent"] for row in rows if "mix/human_rows_spent" in row]
    reached = [row["train/kl_to_reference"] for row in rows if "train/kl_to_reference" in row]
    drawn = [value for row in rows if isinstance(value := row.get("train/tokens_drawn"), int)]
    found: dict[str, Metric] = {
        "final/sem_drop": rows[-1].get("collapse/sem/drop"),
        "final/human_nll_rise": nlls[-1] - min(nlls[:-1]) if len(nlls) > 1 else None,
        "final/first_alarm": alarms[0] if alarms else None,
        "final/human_rows_spent": spent[-1] if spent else None,
        "final/kl_to_reference": reached[-1] if reached else None,
        "final/tokens_drawn": sum(drawn) if drawn else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def ending_metrics(one: Round) -> dict[str, Metric]:
    """Those metrics of an iteration that `final_values` goes by; what is not known is left out."""
    measured, verdict, mixed, trained = one.measurement, one.verdict, one.mixing, one.training
    found: dict[str, Metric] = {
        "loop/iteration": one.t,
        "diversity/open/human_nll": None if measured is None else measured.human_nll,
        "collapse/state": None if verdict is None else verdict.state,
        "mix/human_rows_spent": None if mixed is None else mixed.human_rows_spent,
        "train/kl_to_reference": None if trained is None else trained.kl_to_reference,
        "train/tokens_drawn": None if trained is None else trained.tokens_drawn,
    }
    return {name: value for name, value in found.items() if value is not None}


def metrics_of_round(one: Round, before: Round | None) -> dict[str, Metric]:
    """The metrics of one iteration and, where the monitor compares, the one `before`, None for the first.

    A stage that has not run gives none.
    """
    row: dict[str, Metric] = {"loop/iteration": one.t}
    if (evaluated := one.evaluation) is not None:
        row |= _evaluated("eval", "", evaluated) | flat("eval/gold", evaluated.gold)
    for name, of_set in (one.evaluation_by_set or {}).items():
        row |= _evaluated(f"eval/set/{name}", f"eval/set/{name}/", of_set)
    row |= flat("diversity", one.measurement)
    # The policy's own words: no number, and W&B is sent no text.
    row.pop("diversity/open/matched/opening", None)
    row |= monitor_metrics(one, before)
    row |= written_metrics(one.written) | _sampled(one.sampled) | revised_metrics(one.revising)
    if (judged := one.stages.get("judge")) is not None:
        row |= {
            f"judge/{name}": value for name, value in judged.manifest.counts.items() if name not in ("tokens", "money")
        }
    row |= _judge_metrics(one) | _meta_metrics(one, before) | _reward_metrics(one.reward) | _curve_metrics(one)
    row |= red_team_metrics(one.red_teamed)
    row |= (
        flat("select", one.selection and one.selection.by_name)
        | flat("mix", one.mixing)
        | trained_metrics(one.training)
    )
    for name, cost in one.costs.items():
        row |= flat(f"cost/{name}", cost)
    return row | _yield_metrics(one)


def data_metrics(sources: Mapping[str, Artifact]) -> dict[str, Metric]:
    """What holds of a whole run: rows left out of its data, and the reward model that it trained at its start.

    The former as `data/<role>/left_out/<reason>`, for each role and reason that there was.
    """
    found: dict[str, Metric] = {
        f"data/{role}/left_out/{reason}": count
        for role, table in sources.items()
        for reason, count in sorted(counted(table.manifest.counts, LEFT_OUT).items())
    }
    return found | (_reward_metrics(rewarding_of(sources["reward"])) if "reward" in sources else {})


def _reward_metrics(found: Rewarding | None) -> dict[str, Metric]:
    """What a reward model was trained on and how good it is, as `reward/...`."""
    if found is None:
        return {}
    row: dict[str, Metric] = {
        "reward/pairs": found.pairs,
        "reward/members": len(found.members),
        "reward/steps": found.steps,
        "reward/mean_loss": fmean(one.mean_loss for one in found.members),
        "reward/rows_too_long": sum(one.rows_too_long for one in found.members),
    }
    for name, held in found.held_to.items():
        row |= {f"reward/{name}/pairs": held.pairs, f"reward/{name}/prompts": held.prompts}
        row |= figures(f"reward/{name}", held.measures)
        row |= figures(f"reward/{name}/set", {_part(one): measure for one, measure in held.sets.items()})
    return row


def _part(name: str) -> str:
    """A source of gold as a part of the name of a metric, in which slashes part groups."""
    return re.sub(r"\W+", "_", name)


def _evaluated(scores: str, gains: str, found: Evaluation) -> dict[str, Metric]:
    """The scores of both strata below `scores`, and behind `gains` what is gained over the start model."""
    row = _scores(f"{scores}/closed", found.closed) | _scores(f"{scores}/open", found.open)
    return row | flat(f"{gains}since_start", found.since_start) | flat(f"{gains}matched", found.matched)


def _scores(prefix: str, found: StratumScores | None) -> dict[str, Metric]:
    """The scores of a stratum, with k in the name of pass@k; the temperature is a setting."""
    if found is None:
        return {}
    row = flat(prefix, found)
    del row[f"{prefix}/k"], row[f"{prefix}/temperature"]
    return {name.replace("pass_at_k", f"pass_at_{found.k}"): value for name, value in row.items()}


def _sampled(found: Sampled | None) -> dict[str, Metric]:
    """Who drew, and how many candidates think, were cut in their thought, or have other tokens when read back."""
    if found is None:
        return {}
    return {
        **{f"sample/share/{name}": number / found.drawn for name, number in found.by.items()},
        "sample/thoughts": found.thoughts,
        "sample/thought_share": found.thoughts / found.drawn,
        "sample/thoughts_cut": found.thoughts_cut,
        "sample/thought_cut_share": found.thoughts_cut / found.drawn,
        "sample/respelled": found.respelled,
        "sample/respelled_share": found.respelled / found.drawn,
    }


def _judge_metrics(one: Round) -> dict[str, Metric]:
    """How far the judge could be trusted, what the gate did about it, and who won duels."""
    row: dict[str, Metric] = {}
    if (health := one.health) is not None:
        row |= figures("judge/health", health.measures) | figures("judge/people", health.people)
        row |= figures("judge/final", health.final or {}) | figures("judge/final_people", health.final_people or {})
    row |= _member_metrics(one.members)
    if (gate := one.gate) is not None:
        row |= figures("judge/round", gate.measures)
        row |= {"judge/gate/action": gate.action, "judge/gate/healthy": gate.healthy, "judge/gate/frozen": gate.frozen}
    if (duel := one.duel) is not None:
        for name, met in (("start", duel.start), ("previous", duel.previous)):
            row |= {f"duel/{name}/prompts": met.prompts, f"duel/{name}/identical": met.identical}
            row |= figures(f"duel/{name}", met.measures)
    return row


def _meta_metrics(one: Round, before: Round | None) -> dict[str, Metric]:
    """What came of the judgments of the round, what moves the meta-judge, and how the judge changed after a round."""
    row: dict[str, Metric] = {}
    if (found := one.meta) is not None:
        row |= flat("meta/answers", found.answers) | flat("meta", found.judgments) | figures("meta", found.measures)
        row |= {f"meta/{name}": getattr(found, name) for name in ("comparisons", "flipped", "undecided")}
    if (changed := judge_change(one, before)) is not None:
        row |= figures("meta/judge", changed.measures)
    return row


def _member_metrics(members: Mapping[str, Member]) -> dict[str, Metric]:
    """What each member of a jury is by itself, on gold and in the round."""
    row: dict[str, Metric] = {}
    for name, member in members.items():
        prefix = f"judge/member/{name}"
        if (gold := member.on_gold) is not None:
            row |= figures(prefix, {"accuracy": gold.accuracy, "parse_rate": gold.parse_rate})
            row |= {f"{prefix}/pairs_scored": gold.scored}
        if (here := member.in_round) is not None:
            row |= {f"{prefix}/scored_share": share_of(here.scored, here.candidates)}
            row |= {f"{prefix}/mean_score": here.mean_score, f"{prefix}/tokens": here.tokens}
    return {name: value for name, value in row.items() if value is not None}


def _curve_metrics(one: Round) -> dict[str, Metric]:
    """What proxy and gold say of the policy, how far it is from the initial one, and whether the proxy has turned."""
    if (curve := one.curve) is None:
        return {}
    counts = {name: getattr(curve, name) for name in ("prompts", "answers", "proxy_unscored", "gold_unscored")}
    row: dict[str, Metric] = {f"overoptimisation/{name}": count for name, count in counts.items()}
    found = {"proxy": curve.proxy, "gold": curve.gold, "tokens": curve.tokens, "set": curve.sets}
    row |= flat("overoptimisation", found)
    if (far := curve.distance) is not None:
        row |= {"overoptimisation/kl_answers": far.answers, "overoptimisation/kl_left_out": far.left_out}
        row |= {} if far.kl is None else flat("overoptimisation", {"kl": far.kl.plain, "kl_k3": far.kl.k3})
    if curve.best is not None:
        row |= {"overoptimisation/best": curve.best.policy} | flat("overoptimisation/best_gold", curve.best.gold)
    for best in curve.best_of_n:
        row |= flat(f"overoptimisation/best_of_{best.n}", {"kl": best.kl, "proxy": best.proxy, "gold": best.gold})
    if (turning := one.turning) is not None and turning.value is not None:
        change = {"gold_change": turning.value, "gold_change_low": turning.low, "gold_change_high": turning.high}
        row |= flat("overoptimisation", {"turned": turning.bound is not None, **change})
    return row


def trained_metrics(found: Training | None) -> dict[str, Metric]:
    """What an update saw and did; of reinforcement learning also the share of completions without a reward."""
    row = flat("train", found)
    if found is not None and found.completions is not None:
        row["train/missing_share"] = share_of(found.completions_missing, found.completions)
    return row


def _yield_metrics(one: Round) -> dict[str, Metric]:
    """How many of the candidates became training rows, and what one such row cost."""
    judged = one.judged
    row: dict[str, Metric] = {
        "yield/drawn": one.drawn,
        "yield/scored_share": None if judged is None else share_of(judged.scored, judged.judgments),
        "yield/eligible_share": one.eligible_share,
        "yield/kept_rows": one.kept,
        "yield/kept_share": share_of(one.kept, one.drawn),
    }
    for name, cost in one.costs_per_row.items():
        row |= {f"{key}_per_row": value for key, value in flat(f"cost/{name}", cost).items()}
    row |= flat("cost/per_row", one.making_per_row)
    return {name: value for name, value in row.items() if value is not None}
