"""The loop: measure, evaluate, sample, judge, select, decide, mix, update, and again.

It holds no state of its own: every line asks the store for an artifact, which is made if it is not there. Resuming
is calling it again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import Run
from selfreward.backends import open_backend
from selfreward.backends.base import Backend
from selfreward.config import RunConfig
from selfreward.data.models import folder_policy, start_policy
from selfreward.judges.base import PolicyJudgeBase
from selfreward.records import Policy
from selfreward.stages.decide import decide
from selfreward.stages.evaluate import evaluate
from selfreward.stages.judge import judge
from selfreward.stages.measure import measure
from selfreward.stages.mix import mix
from selfreward.stages.sample import sample
from selfreward.stages.select import select
from selfreward.stages.source import load_sources
from selfreward.stages.update import policy_of, update
from selfreward.tracking import Tracker
from selfreward.updates import engine_of


@dataclass(frozen=True, kw_only=True)
class State:
    """What one iteration hands to the next; at iteration 0 there is nothing before."""

    initial: Policy
    previous: Policy
    policy: Policy
    measured: Artifact | None = None
    evaluated: Artifact | None = None
    decision: Artifact | None = None
    training: Artifact | None = None


def run_loop(config: RunConfig, run: Run, tracker: Tracker) -> None:
    """Runs `config` to its last iteration. Raises StarvedLoop when there is too little to train on."""
    start = start_policy(config.model, run.store.root)
    with open_backend(config.backend, start) as backend:
        sources = load_sources(config.data, run, backend)
    state = State(initial=start, previous=start, policy=start)
    run.forget_after(config.loop.iterations)
    for t in range(config.loop.iterations + 1):
        stage = partial(run.stage, t)
        policy = state.policy
        with open_backend(config.backend, policy) as backend:
            measured = stage(measure, config.measure, backend=backend, policy=policy, probe=sources.probe)
            evaluated = stage(
                evaluate,
                config.evaluate,
                backend=backend,
                policy=policy,
                held_out=sources.held_out,
                gold=sources.gold_final,
                baseline=state.evaluated,
            )
            if t == config.loop.iterations:
                tracker.iteration(t)
                return
            candidates = stage(sample, config.sample, backend=backend, policy=policy, prompts=sources.train)
            with open_judge(config, state, backend, run.store.root) as (judge_backend, judging):
                judgments = stage(
                    judge,
                    config.judge,
                    backend=judge_backend,
                    policy=judging,
                    candidates=candidates,
                    prompts=sources.train,
                )
        selected = stage(select, config.select, candidates=candidates, judgments=judgments, prompts=sources.train)
        decision = stage(
            decide,
            config.monitor,
            random=False,
            measured=measured,
            baseline=state.measured or measured,
            selected=selected,
            previous=state.decision,
        )
        training = stage(
            mix, config.mix, selected=selected, decision=decision, human=sources.human, previous=state.training
        )
        trained = stage(
            update,
            config.update,
            engine=engine_of(config.update),
            policy=state.initial if config.update.init == "initial" else policy,
            training=training,
        )
        tracker.iteration(t)
        state = replace(
            state,
            previous=policy,
            policy=policy_of(trained),
            measured=state.measured or measured,
            evaluated=state.evaluated or evaluated,
            decision=decision,
            training=training,
        )


@contextmanager
def open_judge(
    config: RunConfig, state: State, live: Backend, store: Path
) -> Iterator[tuple[Backend | None, Policy | None]]:
    """The policy that judges and a backend that holds it; neither for a judge that is no policy."""
    spec = config.judge
    if not isinstance(spec, PolicyJudgeBase):
        yield None, None
        return
    judging = judging_policy(spec, state, store)
    if judging.digest == state.policy.digest:
        yield live, judging
        return
    with open_backend(config.backend, judging) as backend:
        yield backend, judging


def judging_policy(spec: PolicyJudgeBase, state: State, store: Path) -> Policy:
    """The policy that judges at this iteration."""
    match spec.policy:
        case "live":
            return state.policy
        case "previous":
            return state.previous
        case "initial":
            return state.initial
        case "external":
            assert spec.path is not None
            return folder_policy(spec.path, store)
