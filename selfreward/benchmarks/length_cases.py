"""What a probe must not see, a change of lengths alone, and what it must, one answer said again and again.

Every answer to a prompt is a run of words drawn at random from those of that prompt, however long it is, so the length
of answers says nothing about how varied they are. People answer in the same way.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

import numpy as np

from selfreward.benchmarks.bench_table import Cell, Row, Section
from selfreward.benchmarks.exact_loops import DRAWS
from selfreward.benchmarks.writer import Answers, concepts, embed_concepts, worded
from selfreward.metrics.estimators import duplicate_rate
from selfreward.metrics.intervals import Family
from selfreward.metrics.matched_probe import ProbeAnswer, families, matched_measures, start_over_people
from selfreward.monitor.detector import DetectorSpec, ProbeRound, diagnose
from selfreward.monitor.findings import Finding

Lengths = tuple[int, int]
"""The shortest and the longest answer in words; all between are as frequent."""

PROMPTS = 128
STEADY = 0.02
COPIED = 0.5

_BASELINE_DRAWS = 16
_OWN_CONCEPTS = 8
_HUMAN_ANSWERS = 4
_HUMAN_LENGTHS = (5, 14)
_LENGTHS = (10, 20)
_SPREAD = (3, 30)
_ROUND = 2
_NOISE = 0.3
_FAMILIES: tuple[Family, ...] = ("sem", "ent", "recall", "human")


def matching_sections(luck: np.random.SeedSequence, draws: int) -> list[Section]:
    """Both tables."""
    lengths, collapse = luck.spawn(2)
    return [length_section(lengths, draws), collapse_section(collapse, draws)]


def length_section(luck: np.random.SeedSequence, draws: int) -> Section:
    """What every family says of a policy that changed its answers in length alone, and of one that copies."""
    cases: tuple[tuple[str, Lengths, Lengths, float], ...] = (
        ("nothing changed", _LENGTHS, _LENGTHS, 0.0),
        ("a wider spread", _SPREAD, _LENGTHS, 0.0),
        ("a narrower spread", _LENGTHS, _SPREAD, 0.0),
        ("shorter", (4, 9), _LENGTHS, 0.0),
        ("longer", (25, 40), _LENGTHS, 0.0),
        ("a wider spread, and half of the answers copies", _SPREAD, _LENGTHS, COPIED),
        ("a narrower spread, and half of the answers copies", _LENGTHS, _SPREAD, COPIED),
    )
    rows = [_length_row(case, luck.spawn(draws)) for case in cases]
    return Section(
        title="Length alone",
        reading=(
            f"{PROMPTS} prompts x {DRAWS} answers beside {_BASELINE_DRAWS}, {draws} draws. The words of an answer are "
            "drawn at random, so its length says nothing about variety. What each family lost at matched length, mean "
            "over draws and its standard error; then in how many draws a part was hit. Where nothing is copied, `sem` "
            f"must move by less than {STEADY:g} and nothing may be hit; contraction must be hit in every draw where "
            "half of the answers are copies."
        ),
        columns=("words now", "at the start", *_FAMILIES, "contraction", "loss"),
        rows=tuple(rows),
    )


def collapse_section(luck: np.random.SeedSequence, draws: int) -> Section:
    """Whether recall sees a policy that gives one answer to each prompt, by the number of answers."""
    return Section(
        title="One answer to each prompt",
        reading=(
            f"{PROMPTS} prompts, one answer to each said k times, beside 4k of the start policy; {draws} draws. The "
            "share of human answers within reach, now and at the start, and in how many draws `recall` was measured "
            "and hit. A row holds if it is hit in every draw, and for k = 1, where there is no neighbour, not measured."
        ),
        columns=("recall", "at the start", "measured", "hit"),
        rows=tuple(_collapse_row(k, luck.spawn(draws)) for k in (1, 2, 4, 6, 8)),
    )


def answers(
    rng: np.random.Generator, words: Sequence[Sequence[str]], count: int, lengths: Lengths, copied: float = 0.0
) -> dict[str, list[ProbeAnswer]]:
    """So many answers to each prompt, of its `words`; a share `copied` begins as one and the same text does."""
    drawn: dict[str, list[ProbeAnswer]] = {}
    for prompt, own in enumerate(words):
        again = _words(rng, own, lengths[1])
        group = []
        for index in range(count):
            length = int(rng.integers(lengths[0], lengths[1] + 1))
            fresh = _words(rng, own, length)
            text = " ".join(again[:length] if rng.random() < copied else fresh)
            group.append(_answer(rng, prompt, index, text, length))
        drawn[str(prompt)] = group
    return drawn


def vocabularies(rng: np.random.Generator) -> list[tuple[str, ...]]:
    """The words of each prompt."""
    return [concepts(rng, _OWN_CONCEPTS) for _ in range(PROMPTS)]


def findings_of(now: Answers, baseline: Answers, people: Answers) -> dict[Family, Finding]:
    """What the detector finds in a round of these answers; the likelihood of human answers is not measured."""
    texts = {name: [one.text for one in group] for name, group in people.items()}
    matched = matched_measures(now, baseline, texts, embed_concepts).prompts.values()
    seen = ProbeRound(
        number=_ROUND,
        draws=max(map(len, now.values())),
        baseline_draws=max(map(len, baseline.values())),
        families=families(matched),
        human_nll=(),
        start_over_people=start_over_people(matched),
        raw_sem_drop=None,
        duplicate_rate=fmean(duplicate_rate([one.text for one in group]) or 0.0 for group in now.values()),
        truncation_rate=0.0,
        baseline_truncation_rate=0.0,
        mismatch=None,
    )
    return {finding.family: finding for finding in diagnose(DetectorSpec(), seen, None).findings}


def _length_row(case: tuple[str, Lengths, Lengths, float], lucks: Sequence[np.random.SeedSequence]) -> Row:
    name, lengths, before, copied = case
    found = []
    for luck in lucks:
        rng = np.random.default_rng(luck)
        words = vocabularies(rng)
        people = answers(rng, words, _HUMAN_ANSWERS, _HUMAN_LENGTHS)
        baseline = answers(rng, words, _BASELINE_DRAWS, before)
        found.append(findings_of(answers(rng, words, DRAWS, lengths, copied), baseline, people))
    contracted, lost = (sum(_hit(one, part) for one in found) for part in ("contraction", "loss"))
    quiet = abs(fmean(one["sem"].drop for one in found)) < STEADY and not contracted and not lost
    cells: tuple[Cell, ...] = (
        f"{lengths[0]} to {lengths[1]}",
        f"{before[0]} to {before[1]}",
        *(_mean([one[family].drop for one in found if family in one]) for family in _FAMILIES),
        contracted,
        lost,
    )
    return Row(name=name, cells=cells, passed=contracted == len(found) if copied else quiet)


def _collapse_row(k: int, lucks: Sequence[np.random.SeedSequence]) -> Row:
    found = []
    for luck in lucks:
        rng = np.random.default_rng(luck)
        words = vocabularies(rng)
        people, baseline = answers(rng, words, _HUMAN_ANSWERS, _HUMAN_LENGTHS), answers(rng, words, 4 * k, _LENGTHS)
        now = {name: group * k for name, group in answers(rng, words, 1, _LENGTHS).items()}
        found.append(findings_of(now, baseline, people).get("recall"))
    measured = [one for one in found if one is not None]
    hits = sum(one.hit for one in measured)
    now_mean = fmean(one.now for one in measured) if measured else None
    base_mean = fmean(one.base for one in measured) if measured else None
    return Row(
        name=f"k = {k}",
        cells=(now_mean, base_mean, len(measured), hits),
        passed=hits == len(found) if k > 1 else not measured,
    )


def _hit(findings: Mapping[Family, Finding], part: str) -> bool:
    return any(one.hit and one.part == part for one in findings.values())


def _mean(drops: Sequence[float]) -> str | None:
    """The mean and its standard error; None of fewer than two, where a family has no noise in the other draws."""
    return f"{fmean(drops):+.1%} ± {stdev(drops) / math.sqrt(len(drops)):.1%}" if len(drops) > 1 else None


def _words(rng: np.random.Generator, own: Sequence[str], count: int) -> list[str]:
    return worded(rng, rng.choice(own, size=count).tolist()).split()


def _answer(rng: np.random.Generator, prompt: int, index: int, text: str, length: int) -> ProbeAnswer:
    """The first words of an answer are the least sure."""
    logprobs = -(1 + 2 / np.arange(1, length + 1)) + _NOISE * rng.standard_normal(length)
    return ProbeAnswer(
        prompt_id=str(prompt), index=index, text=text, finish="stop", token_logprobs=tuple(map(float, logprobs))
    )
