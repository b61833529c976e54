"""Answers spoilt in ways whose harm is known, taken through the functions that measure the answers of a real probe."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from selfreward.benchmarks.bench_table import Cell, Row, Section
from selfreward.benchmarks.closed_loop import evidence_of
from selfreward.benchmarks.exact_loops import BASELINE_DRAWS, DRAWS, Floats, by_prompt, draw, make_people
from selfreward.benchmarks.writer import Answers, embed_concepts, make_writer, one_form, texts_of
from selfreward.metrics.estimators import duplicate_rate, mean_pairwise_distance, words
from selfreward.metrics.lexical import first_words
from selfreward.metrics.matched_probe import ProbeAnswer, families, matched_measures, start_over_people
from selfreward.monitor.controller import ControllerSpec, steer
from selfreward.monitor.detector import DetectorSpec, Diagnosis, ProbeRound, diagnose
from selfreward.monitor.findings import PARTS, Finding

PREAMBLE = "Sure, here is my answer to your question:"
HABIT = 0.95

_SPREAD = 2.0
_HUMAN_ANSWERS = 4
_NLL_NOISE = 0.1
_COPIED = 0.3
# What a model gives to a word that follows for certain.
_CERTAIN = -0.01
_ROUND = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A policy's answers, what human answers cost it beyond what they did in nats per token, and what must follow."""

    name: str
    now: Answers
    rise_P: Floats
    alarm: bool | None


def corruptions_section(luck: np.random.SeedSequence, prompts: int) -> Section:
    """Each corruption: what every family says of it, the state, and the real share that the controller asks for."""
    rng = np.random.default_rng(luck)
    writer, human_PK = make_writer(rng, prompts), make_people(rng, prompts, _SPREAD)
    narrow_PK = without_rare(human_PK, kept=1)
    people_PH = draw(rng, human_PK, _HUMAN_ANSWERS)
    people = texts_of(rng, writer, human_PK, people_PH)
    baseline, now, narrow = (
        texts_of(rng, writer, policy_PK, draw(rng, policy_PK, count))
        for policy_PK, count in ((human_PK, BASELINE_DRAWS), (human_PK, DRAWS), (narrow_PK, DRAWS))
    )
    lengths_PH = np.array([[len(one.token_logprobs) for one in group] for group in people.values()])
    lost_PH = np.take_along_axis(np.log(human_PK / narrow_PK), people_PH, axis=1)
    none_P = np.zeros(prompts)
    # Who has a habit in 19 of 20 answers gives those without it, people's, a twentieth of what they had.
    habit_P = (-math.log(1 - HABIT) / lengths_PH).mean(axis=1)
    cases = (
        Case(name="nothing", now=now, rise_P=none_P, alarm=False),
        Case(name="a preamble", now=_each(now, with_preamble), rise_P=none_P, alarm=False),
        Case(name="a preamble, and people go without", now=_each(now, with_preamble), rise_P=habit_P, alarm=False),
        Case(name="a preamble in as many words", now=_each(now, with_preamble_cut), rise_P=habit_P, alarm=False),
        Case(name="said twice", now=_each(now, said_twice), rise_P=none_P, alarm=False),
        Case(name="said twice, and people say it once", now=_each(now, said_twice), rise_P=habit_P, alarm=False),
        Case(name="one word for each concept", now=_each(now, _in_one_form), rise_P=none_P, alarm=False),
        Case(name=f"{_COPIED:.0%} copied from another answer", now=copied(rng, now), rise_P=none_P, alarm=None),
        Case(
            name="all but one meaning of a prompt rare",
            now=narrow,
            rise_P=(lost_PH / lengths_PH).mean(axis=1),
            alarm=True,
        ),
    )
    nats_P = np.array([-fmean(fmean(one.token_logprobs) for one in group) for group in people.values()])
    human_nll = [nats_P + _NLL_NOISE * rng.standard_normal(prompts) for _ in range(_ROUND + 1)]
    rows = [_row(case, baseline, people, human_nll) for case in cases]
    return Section(
        title="Corrupted texts",
        reading=(
            f"{prompts} prompts x {DRAWS} answers beside {BASELINE_DRAWS}, round {_ROUND}: what each family lost at "
            "matched length (nll: nats per token), bold where it was hit. In the last two columns the state and the "
            f"real share of a controller that starts at {ControllerSpec().floor:g}. What spoils the form alone must "
            "raise no ALARM and inject nothing; the loss of meanings must raise one."
        ),
        columns=(*PARTS, "state", "real share"),
        rows=tuple(rows),
    )


def with_preamble(answer: ProbeAnswer) -> ProbeAnswer:
    """The answer after a stock phrase."""
    sure = (_CERTAIN,) * len(words(PREAMBLE))
    return replace(answer, text=f"{PREAMBLE} {answer.text}", token_logprobs=(*sure, *answer.token_logprobs))


def with_preamble_cut(answer: ProbeAnswer) -> ProbeAnswer:
    """The same, cut to the length of the answer alone, as a limit on tokens does."""
    longer, length = with_preamble(answer), len(answer.token_logprobs)
    return replace(longer, text=first_words(longer.text, length), token_logprobs=longer.token_logprobs[:length])


def said_twice(answer: ProbeAnswer) -> ProbeAnswer:
    """The answer, and the same again."""
    again = (_CERTAIN,) * len(answer.token_logprobs)
    return replace(answer, text=f"{answer.text} {answer.text}", token_logprobs=(*answer.token_logprobs, *again))


def copied(rng: np.random.Generator, answers: Answers) -> dict[str, list[ProbeAnswer]]:
    """Some answers replaced by the first one to the same prompt."""
    return {
        name: [group[0] if index and rng.random() < _COPIED else one for index, one in enumerate(group)]
        for name, group in answers.items()
    }


def without_rare(policy_PK: Floats, kept: int) -> Floats:
    """The policy with a twentieth of its mass left to all but the `kept` commonest meanings."""
    kept_PK = np.where(policy_PK >= np.sort(policy_PK, axis=1)[:, -kept, None], policy_PK, 0)
    narrow_PK: Floats = HABIT * kept_PK / kept_PK.sum(axis=1, keepdims=True) + (1 - HABIT) * policy_PK
    return narrow_PK


def _in_one_form(answer: ProbeAnswer) -> ProbeAnswer:
    return replace(answer, text=one_form(answer.text))


def _each(answers: Answers, spoil: Callable[[ProbeAnswer], ProbeAnswer]) -> Answers:
    return {name: [spoil(one) for one in group] for name, group in answers.items()}


def _row(case: Case, baseline: Answers, people: Answers, human_nll: Sequence[Floats]) -> Row:
    diagnosis = _diagnosis(case, baseline, people, human_nll)
    course = steer(ControllerSpec(mode="act"), evidence_of(diagnosis, DRAWS, None), None)
    alarm = diagnosis.state in ("ALARM", "SEVERE")
    injects = course.real_share > ControllerSpec().floor
    told = {finding.family: _finding_text(finding) for finding in diagnosis.findings}
    cells: tuple[Cell, ...] = (*(told.get(family) for family in PARTS), diagnosis.state, course.real_share)
    return Row(name=case.name, cells=cells, passed=None if case.alarm is None else alarm == injects == case.alarm)


def _diagnosis(case: Case, baseline: Answers, people: Answers, human_nll: Sequence[Floats]) -> Diagnosis:
    now = {name: [one.text for one in group] for name, group in case.now.items()}
    before = {name: [one.text for one in group] for name, group in baseline.items()}
    human = {name: [one.text for one in group] for name, group in people.items()}
    matched = matched_measures(case.now, baseline, human, embed_concepts).prompts.values()
    probe_round = ProbeRound(
        number=_ROUND,
        draws=DRAWS,
        baseline_draws=BASELINE_DRAWS,
        families=families(matched),
        human_nll=[*map(by_prompt, human_nll[:-1]), by_prompt(human_nll[-1] + case.rise_P)],
        start_over_people=start_over_people(matched),
        raw_sem_drop=1 - _raw_sem(now) / _raw_sem(before),
        duplicate_rate=fmean(duplicate_rate(texts) or 0.0 for texts in now.values()),
        truncation_rate=0.0,
        baseline_truncation_rate=0.0,
        mismatch=None,
    )
    return diagnose(DetectorSpec(), probe_round, None)


def _raw_sem(texts: Mapping[str, Sequence[str]]) -> float:
    distances = [mean_pairwise_distance(embed_concepts(group)) for group in texts.values()]
    return fmean(one for one in distances if one is not None)


def _finding_text(finding: Finding) -> str:
    drop = f"{finding.drop:+.2f}" if finding.family == "nll" else f"{finding.drop:+.1%}"
    return f"**{drop}**" if finding.hit else drop
