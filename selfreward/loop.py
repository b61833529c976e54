"""The loop: observe, sample, revise, judge, gate, select, decide, mix, update, and again.

Every line asks the store for an artifact, which is made if it is not there. Resuming is calling the loop again.
"""

from functools import partial

from selfreward.artifacts import part_of
from selfreward.artifacts.runs import Run
from selfreward.config import RunConfig, answer_lengths
from selfreward.data.models import start_policy
from selfreward.judging_policies import Judges, TrustedJudge, first_standard, learned_weights, trusted_judge
from selfreward.loop_state import First, State
from selfreward.meta_judging import meta_of_round, pairs_of_judgments, unless_ended
from selfreward.observing import observe
from selfreward.policies import Policies
from selfreward.rewarding import models_for, reward_at_start, reward_of_round
from selfreward.stages.decide import decide, decision_of, stop_reason
from selfreward.stages.gate import gate, gate_of, gate_reason
from selfreward.stages.health import health, health_spec
from selfreward.stages.judge import judge
from selfreward.stages.mix import mix, mix_spec
from selfreward.stages.overoptimisation import EARLIER
from selfreward.stages.prompts import prompts
from selfreward.stages.revise import REVISER, revise
from selfreward.stages.sample import sample, who_draws
from selfreward.stages.select import select
from selfreward.stages.source import load_sources
from selfreward.stages.update import policy_of, update
from selfreward.tracking import Tracker


def run_loop(config: RunConfig, run: Run, tracker: Tracker) -> None:
    """Runs `config` to its last iteration. Raises StarvedLoop when there is too little to train on."""
    start = start_policy(config.model, run.store.root, trusted=config.backend.trusts)
    with config.backend.open(start) as backend:
        data = load_sources(config.data, run, backend, start, answer_lengths(config))
    final_gold = data.gold_final if config.gate.final else None
    rewards = reward_at_start(config.reward, config.data.overlap, run, data, start)
    last = State(policies=Policies(live=start, previous=start, initial=start))
    run.forget_after(config.loop.iterations)
    for t in range(config.loop.iterations + 1):
        stage, policy, first = partial(run.stage, t), last.policies.live, last.first
        with config.backend.open(policy) as backend:
            judges = Judges(config.backend, backend, run.store.root, last.policies, rewards)
            look = partial(observe, config, run, t, data, backend, policy, judges)
            seen = look(frozen=last.frozen, first=first.observed, last=last.observed)
            if t == config.loop.iterations:
                run.forget_rest()
                tracker.iteration(t)
                return
            with judges:
                asked = stage(
                    prompts,
                    config.prompts,
                    random=config.prompts.draws,
                    train=data.train,
                    human=data.human,
                    previous=last.asked,
                    training=last.training if config.prompts.reads_training else None,
                    **judges.writing(config.prompts, data),
                )
            sampling, drawers = who_draws(config.sample, last.policies)
            candidates = stage(sample, sampling, backend=backend, **drawers, prompts=asked)
            if config.revise is not None:
                with judges:
                    reviser, engine = judges.holding(config.revise)
                    ask_reviser = partial(stage, backend=backend, engines={REVISER: engine}, policy=reviser)
                    candidates = ask_reviser(revise, config.revise, candidates=candidates, prompts=asked)
            with judges:
                spec, judging = config.judge, last.frozen or judges.named(config.judge)
                ask_judge = partial(stage, **judges.inputs(spec, judging))
                trust = ask_judge(health, health_spec(spec), random=spec.draws, gold=data.gold_gate, final=final_gold)
                trusted = trusted_judge(config.gate, judging, trust, last.passed)
                weights = learned_weights(spec, trusted.health)
                standard = first_standard(spec, first.judgments)
                judged = partial(stage, candidates=candidates, prompts=asked)
                ask_judge = partial(judged, **judges.inputs(spec, trusted.policy))
                judgments = ask_judge(judge, spec, weights=weights, standard=standard)
                of_judgments = partial(judged, judgments=judgments)
                metas = meta_of_round(config.meta, spec, t, last.metas, judges, trusted.policy, of_judgments)
        figured = partial(stage, health=trust.part("figures"), duel=part_of(seen.dueled, "figures"))
        looked = partial(figured, scored=part_of(seen.scored, *EARLIER), meta=part_of(metas, "figures"))
        gated = looked(gate, config.gate, judgments=judgments, previous=last.gated)
        metas = unless_ended(metas, gated)
        selected = judged(
            select,
            config.select,
            judgments=judgments,
            weights=weights if config.select.labelled else None,
            decision=part_of(last.decision, "orders"),
            first_candidates=first.candidates,
            first_judgments=first.judgments,
        )
        decision = judged(
            decide,
            config.monitor.controller,
            judgments=judgments,
            diagnosis=seen.diagnosis.part("verdict"),
            selected=selected,
            training=last.training,
            previous=part_of(last.decision, "course"),
        )
        if (reason := gate_reason(gate_of(gated)) or stop_reason(decision_of(decision))) is not None:
            tracker.iteration(t)
            run.store.reporter.say(reason)
            return
        peopled = partial(stage, human=data.human, human_pairs=data.human_pairs, feedback=data.feedback)
        mixed = partial(peopled, selected=selected, metas=pairs_of_judgments(metas), decision=decision.part("orders"))
        training = mixed(mix, mix_spec(config.mix, config.update, config.meta), previous=last.training)
        learned = rewards or reward_of_round(config.reward, run, t, data, policy, start, training)
        trained = stage(
            update,
            config.update.judged_by(spec, config.backend),
            policy=start if config.update.init == "initial" else policy,
            reference=config.update.tied_to(policy=policy, initial=start),
            training=training,
            reward_models=models_for(config.update, learned),
            **judges.rewarding(
                config.update, spec, trusted.policy, weights, first_standard(spec, first.judgments or judgments)
            ),
        )
        tracker.iteration(t)
        last = State(
            policies=Policies(live=policy_of(trained), previous=policy, initial=start),
            first=first if t else First(seen, candidates, judgments),
            observed=seen,
            asked=asked,
            metas=metas,
            gated=gated,
            passed=TrustedJudge(trusted.policy, trust) if gate_of(gated).healthy else last.passed,
            decision=decision,
            training=training,
        )
