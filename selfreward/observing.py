"""What is looked at of each policy before anything is made of it: measure, diagnose, evaluate, duel, red-team, score.

None of it trains anything. What the loop hears of it are the verdict, which may decide, and the figures of the gate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from selfreward.artifacts import Artifact, part_of
from selfreward.artifacts.runs import Run
from selfreward.backends.base import Backend
from selfreward.config import RunConfig
from selfreward.judging_policies import Judges
from selfreward.policies import Judging, Policy
from selfreward.stages.diagnose import diagnose
from selfreward.stages.duel import duel
from selfreward.stages.evaluate import evaluate
from selfreward.stages.measure import BASELINE, measure
from selfreward.stages.overoptimisation import EARLIER, curve_spec, overoptimisation
from selfreward.stages.red_team import red_team, red_team_spec
from selfreward.stages.source import Sources


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What was seen of one policy; None of what the settings do not ask for, or where there is nothing to set against.

    `scored` holds how the judge and gold score its held-out answers, `red_teamed` how it answers the red team.
    """

    measured: Artifact
    diagnosis: Artifact
    evaluated: Artifact
    dueled: Artifact | None
    scored: Artifact | None
    red_teamed: Artifact | None = None


def observe(
    config: RunConfig,
    run: Run,
    t: int,
    data: Sources,
    backend: Backend,
    policy: Policy,
    judges: Judges,
    *,
    frozen: Judging | None,
    first: Observed | None,
    last: Observed | None,
) -> Observed:
    """What is seen of `policy` in iteration `t`, beside what was seen of the `first` one and the `last`.

    `frozen` is the policy that judges from now on, where one does.
    """
    stage = partial(run.stage, t)
    ask = partial(stage, backend=backend, policy=policy)
    baseline = None if first is None else first.measured
    measured = ask(measure, config.measure, probe=data.probe, baseline=part_of(baseline, *BASELINE))
    diagnosis = stage(
        diagnose,
        config.monitor.detector,
        random=False,
        measured=measured,
        baseline=baseline or measured,
        previous=None if last is None else last.diagnosis,
    )
    started = None if first is None else first.evaluated
    evaluated = ask(evaluate, config.evaluate, held_out=data.held_out, gold=data.gold_final, baseline=started)
    dueled = scored = None
    if config.duel is not None and last is not None:
        with judges:
            ask_judge = partial(stage, **judges.inputs(config.duel.judge, judges.named(config.duel.judge)))
            answered = partial(ask_judge, evaluated=evaluated, start=started, previous=last.evaluated)
            dueled = answered(duel, config.duel, held_out=data.held_out)
    red_teamed = _red_teamed(config, ask, data, judges, evaluated, None if first is None else first.red_teamed)
    if config.overoptimisation is not None:
        curve = curve_spec(config.overoptimisation, config.judge, config.measure)
        scored_on = partial(stage, policy=policy, probe=data.probe, measured=measured.part("rows"))
        answered = partial(scored_on, held_out=data.held_out, evaluated=evaluated, baseline=started)
        with judges:
            asked_of = partial(answered, **judges.scorers(curve.proxy, curve.gold, frozen))
            earlier = part_of(None if last is None else last.scored, *EARLIER)
            scored = asked_of(overoptimisation, curve, previous=earlier)
    return Observed(
        measured=measured,
        diagnosis=diagnosis,
        evaluated=evaluated,
        dueled=dueled,
        scored=scored,
        red_teamed=red_teamed,
    )


def _red_teamed(
    config: RunConfig,
    ask: Callable[..., Artifact],
    data: Sources,
    judges: Judges,
    evaluated: Artifact,
    first: Artifact | None,
) -> Artifact | None:
    """How the policy that `ask` asks answers the red team beside held-out prompts; None where there is no red team."""
    if data.red_team is None:
        return None
    spec = red_team_spec(config.evaluate, config.overoptimisation)
    asked = partial(ask, red_team, spec, prompts=data.red_team, held_out=data.held_out)
    with judges:
        return asked(evaluated=evaluated, baseline=first, **({} if spec.gold is None else judges.gold(spec.gold)))
