"""The loop: measure, diagnose, evaluate, sample, judge, select, decide, mix, update, and again.

It holds no state of its own: every line asks the store for an artifact, which is made if it is not there. Resuming
is calling it again.
"""

from functools import partial

from selfreward.artifacts import part_of
from selfreward.artifacts.runs import Run
from selfreward.backends import open_backend, trusts
from selfreward.config import RunConfig
from selfreward.data.models import start_policy
from selfreward.judging import Bench, Policies, fight_duel, judge_round
from selfreward.lengths import answer_lengths
from selfreward.stages.decide import decide, stop_reason
from selfreward.stages.diagnose import diagnose
from selfreward.stages.evaluate import evaluate
from selfreward.stages.gate import gate_reason
from selfreward.stages.measure import BASELINE, measure
from selfreward.stages.mix import mix
from selfreward.stages.prompts import prompts
from selfreward.stages.sample import sample
from selfreward.stages.select import select
from selfreward.stages.source import load_sources
from selfreward.stages.update import policy_of, update
from selfreward.state import First, State
from selfreward.tracking import Tracker
from selfreward.updates import engine_of, reference_of


def run_loop(config: RunConfig, run: Run, tracker: Tracker) -> None:
    """Runs `config` to its last iteration. Raises StarvedLoop when there is too little to train on."""
    start = start_policy(config.model, run.store.root, trusted=trusts(config.backend))
    with open_backend(config.backend, start) as backend:
        sources = load_sources(config.data, run, backend, start, answer_lengths(config))
    state = State(initial=start, previous=start, policy=start)
    run.forget_after(config.loop.iterations)
    for t in range(config.loop.iterations + 1):
        stage = partial(run.stage, t)
        policy, first = state.policy, state.first
        with open_backend(config.backend, policy) as backend:
            ask = partial(stage, backend=backend, policy=policy)
            baseline = part_of(first.measured, *BASELINE)
            measured = ask(measure, config.measure, probe=sources.probe, baseline=baseline)
            diagnosis = stage(
                diagnose,
                config.monitor.detector,
                random=False,
                measured=measured,
                baseline=first.measured or measured,
                previous=state.diagnosis,
            )
            evaluated = ask(
                evaluate,
                config.evaluate,
                held_out=sources.held_out,
                gold=sources.gold_final,
                baseline=first.evaluated,
            )
            judges = Policies(live=policy, previous=state.previous, initial=state.initial)
            bench = Bench(policies=judges, engine=config.backend, backend=backend, store=run.store.root)
            duel = fight_duel(
                stage,
                config.duel,
                bench,
                held_out=sources.held_out,
                evaluated=evaluated,
                start=first.evaluated,
                previous=state.evaluated,
            )
            if t == config.loop.iterations:
                run.forget_rest()
                tracker.iteration(t)
                return
            asked = stage(
                prompts,
                config.prompts,
                train=sources.train,
                human=sources.human,
                previous=state.asked,
                training=state.training,
            )
            candidates = ask(sample, config.sample, prompts=asked)
            judged = judge_round(
                stage,
                config.judge,
                config.gate,
                bench,
                gold=sources.gold_gate,
                final=sources.gold_final,
                candidates=candidates,
                prompts=asked,
                duel=duel,
                previous=state.judged,
            )
        selected = stage(
            select,
            config.select,
            candidates=candidates,
            judgments=judged.judgments,
            prompts=asked,
            decision=part_of(state.decision, "orders"),
            first_candidates=first.candidates,
            first_judgments=first.judgments,
        )
        decision = stage(
            decide,
            config.monitor.controller,
            diagnosis=diagnosis.part("verdict"),
            selected=selected,
            candidates=candidates,
            judgments=judged.judgments,
            prompts=asked,
            training=state.training,
            previous=part_of(state.decision, "course"),
        )
        if (reason := gate_reason(judged.gate) or stop_reason(decision)) is not None:
            tracker.iteration(t)
            run.store.reporter.say(reason)
            return
        training = stage(
            mix,
            config.mix,
            selected=selected,
            decision=decision.part("orders"),
            human=sources.human,
            human_pairs=sources.human_pairs,
            previous=state.training,
        )
        trained = stage(
            update,
            config.update,
            engine=engine_of(config.update),
            policy=state.initial if config.update.init == "initial" else policy,
            reference=reference_of(config.update, policy=policy, initial=state.initial),
            training=training,
        )
        tracker.iteration(t)
        state = State(
            initial=state.initial,
            previous=policy,
            policy=policy_of(trained),
            first=first if t else First(measured, evaluated, candidates, judged.judgments),
            diagnosis=diagnosis,
            evaluated=evaluated,
            asked=asked,
            judged=judged,
            decision=decision,
            training=training,
        )
