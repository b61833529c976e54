"""Comparisons with reasons before the probabilities, held within limits, by several principles at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from selfreward.backends import HfSpec
from selfreward.backends.base import Advance, Conversation, NotScored, OptionScore, Sampling
from selfreward.errors import ConfigError
from selfreward.judge_quality.verdicts import Labelled, as_candidates, verdicts_on
from selfreward.judges.ask_policy import ask_behind_reasons, ask_for_means
from selfreward.judges.both_orders import against_most, comparisons, over_principles
from selfreward.judges.reads import LETTER_PREFERENCES
from selfreward.judges.votes import preference_between
from selfreward.reading.metrics import metrics_of_run
from selfreward.reading.rounds import rounds_of
from selfreward.records import Judgment, Message, PreferencePair
from selfreward.report.page import render
from tests.judges.made import ESSAY, Says, item, judged, options
from tests.judges.pairs import by_principle, concluded, shown, spec_of
from tests.report.browser import harmless
from tests.support import Silent, run_scripted
from tests.tiny import make_tiny_policy

REASONED = "judge.method=reasoned_probability"
SOFT = "judge.method=probability"
SERVED = (
    *("+backend@judge.backend=server", "judge.policy=endpoint", "judge.backend.options=none"),
    *("judge.backend.model=m", "judge.backend.revision=r", "judge.backend.urls=[http://localhost:1/v1]"),
)


@dataclass
class Reasons(Says):
    """Draws reasons by `says`, and reads from them whom they name: A, B or nobody."""

    read: list[Conversation] = field(default_factory=list)

    def score_options(
        self, prompts: Sequence[Conversation], options_: Sequence[str], advance: Advance
    ) -> list[OptionScore | NotScored]:
        self.read += prompts
        advance(len(prompts))
        named = {"A": (0.9, 0.05, 0.05), "B": (0.05, 0.9, 0.05)}
        return [options(*named.get(one[-2].content[-1], (0.2, 0.2, 0.2))) for one in prompts]


def names_the_good(message: str) -> str:
    return f"I would take {'A' if shown(message)[0] == 'good' else 'B'}"


def test_probabilities_are_read_in_a_turn_behind_the_reasons() -> None:
    spec, items = spec_of(REASONED), [item("good"), item("bad", 1)]
    backend = Reasons(names_the_good)
    evidence = judged(spec, backend, *items)
    for asked, read, one in zip(backend.asked, backend.read, evidence, strict=True):
        assert read[: len(asked)] == asked and "Then end with one line" in asked[-1].content
        assert [turn.role for turn in read[len(asked) :]] == ["assistant", "user"]
        assert read[-2].content == names_the_good(asked[-1].content)
        assert read[-1].content.startswith("Reply with one letter") and "<answer_a>" not in read[-1].content
        assert (one.outcome, one.verdict, one.score) == ("scored", None, pytest.approx(0.9 + 0.025))
        assert one.raw.startswith("I would take ") and "\n\np(A)=" in one.raw
        assert (one.usage.prompt_tokens, one.usage.completion_tokens) == (90 + 80, 6)
    good, bad = concluded(spec, evidence, *items)
    assert good.score is not None and bad.score is not None and good.score > 0 > bad.score


def test_reasons_that_are_cut_count_and_what_says_nothing_is_no_verdict() -> None:
    items = [item("good"), item("bad", 1)]
    assert {one.outcome for one in judged(spec_of(REASONED), Reasons(names_the_good, "length"), *items)} == {"scored"}
    for said in ("", " \n"):
        silent = Reasons(lambda _, said=said: said)  # type: ignore[misc]
        assert {(one.outcome, one.score) for one in judged(spec_of(REASONED), silent, *items)} == {("unparsed", None)}
    nobody = Reasons(lambda _: "They are alike.")
    assert [one.score for one in judged(spec_of(REASONED), nobody, *items)] == pytest.approx([0.5, 0.5])


def test_a_comparison_without_room_for_reasons_costs_no_other() -> None:
    items = [item("good"), item("bad", 1), item(ESSAY, 2)]
    evidence = judged(spec_of(REASONED), Reasons(lambda message: f"It is {shown(message)[0]} A"), *items)
    outcomes = {one.candidate_ids: one.outcome for one in evidence}
    assert outcomes == {("c0", "c1"): "scored", ("c0", "c2"): "truncated", ("c1", "c2"): "truncated"}


def test_a_model_is_asked_as_by_hand(tmp_path: Path) -> None:
    asked = [(Message(role="user", content=one),) for one in ("hello", "tell")]

    def then(conversation: Conversation, reasons: str) -> Conversation:
        return (*conversation, Message(role="assistant", content=reasons), Message(role="user", content="A?"))

    greedy = Sampling(k=1, temperature=0.0, top_p=1.0, max_new_tokens=6)
    with HfSpec(dtype="float32", device="cpu", workers=1).open(make_tiny_policy(tmp_path)) as backend:
        steps: list[int] = []
        found = ask_behind_reasons(backend, asked, greedy, then, LETTER_PREFERENCES, 0.0, 1, steps.append)
        drawn = [one for (one,) in backend.generate(asked, greedy, 1, lambda _: None)]
        behind = [then(one, reply.text) for one, reply in zip(asked, drawn, strict=True)]
        by_hand = ask_for_means(backend, behind, LETTER_PREFERENCES, 0.0, lambda _: None)
    assert sum(steps) == 2 * len(asked)
    assert [one.value for one in found] == [one.value for one in by_hand]
    assert [one.usage.completion_tokens for one in found] == [one.tokens for one in drawn]
    assert spec_of(REASONED).needs >= {"draw", "score_options"}


@pytest.mark.parametrize("method", [REASONED, SOFT])
def test_a_clamp_holds_each_order_within_its_limits(method: str) -> None:
    items = [item("good"), item("bad", 1)]

    class Sure(Reasons):
        def score_options(self, prompts: Any, options_: Any, advance: Advance) -> list[OptionScore | NotScored]:
            advance(len(prompts))
            asked = [next(turn for turn in one if "<answer_a>" in turn.content) for one in prompts]
            first = [shown(turn.content)[0] == "good" for turn in asked]
            return [options(*((0.97, 0.01, 0.01) if good else (0.3, 0.33, 0.3))) for good in first]

    evidence = judged(spec_of(method, "judge.clamp=[0.4,0.6]"), Sure(names_the_good), *items)
    assert [one.score for one in evidence] == [0.6, pytest.approx(1 - 0.45 / 0.93)]
    assert "p(A)=0.97" in evidence[0].raw
    free = judged(spec_of(method), Sure(names_the_good), *items)
    assert free[0].score is not None and free[0].score > 0.9 and free[1].score == evidence[1].score


def _by(fits: dict[str, tuple[float, ...]], spec: Any) -> Says:
    """A judge that goes by the principle it is shown, for whichever answer is `good`."""
    questions = {one.question: fits.get(one.id, (0.7, 0.2, 0.1)) for one in spec.constitution.principles}

    def says(message: str) -> tuple[float, ...]:
        better, worse, tie = next(chances for question, chances in questions.items() if question in message)
        return (better, worse, tie) if shown(message)[0] == "good" else (worse, better, tie)

    return Says(says)


def test_a_comparison_is_by_several_principles_no_two_alike_and_their_mean_counts() -> None:
    spec = by_principle(SOFT, "judge.principles=4")
    assert spec.constitution is not None
    items = [item("good"), item("bad", 1), item("worse", 2)]
    evidence = judged(spec, _by({}, spec), *items)
    assert len(evidence) == 3 * 4 * 2
    for pair in {one.candidate_ids for one in evidence}:
        own = [one for one in evidence if one.candidate_ids == pair]
        assert len({one.principle for one in own}) == 4
        assert {(one.repeat, one.principle) for one in own if one.order == (0, 1)} == {
            (one.repeat, one.principle) for one in own if one.order == (1, 0)
        }
    against = {one.id: (0.05, 0.85, 0.1) for one in spec.constitution.principles[:7]}
    said = judged(spec, _by(against, spec), *items[:2])
    each = [one.preference for one in comparisons(said) if one.preference is not None]
    (one,) = over_principles(comparisons(said))
    assert len(each) == 4 and one.preference == pytest.approx(fmean(each)) and one.flipped is False
    assert preference_between("c0", "c1", said) == pytest.approx(fmean(each))
    assert preference_between("c1", "c0", said) == pytest.approx(1 - fmean(each))
    first, _ = concluded(spec, said, *items[:2])
    assert first.score is not None and (first.score > 0) == (fmean(each) > 0.5)
    assert first.raw.endswith(" of 1")
    names = {name: id_ for id_, name in spec.constitution.names().items()}
    drawn = {names[one.principle] for one in said if one.principle is not None}
    minority = min(len(drawn & against.keys()), len(drawn - against.keys()))
    assert against_most(said) == (minority, 4)


def test_one_principle_has_nobody_to_disagree_with_and_a_missing_verdict_is_left_out() -> None:
    spec = by_principle(SOFT)
    assert against_most(judged(spec, _by({}, spec), item("good"), item("bad", 1))) == (0, 0)
    several = by_principle(SOFT, "judge.principles=3")
    assert several.constitution is not None
    mute = {one.id: (0.1, 0.1, 0.1) for one in several.constitution.principles[:9]}
    said = judged(several, _by(mute, several), item("good"), item("bad", 1))
    known = [one for one in comparisons(said) if one.preference is not None]
    (together,) = over_principles(comparisons(said))
    assert 0 < len(known) < 3, "the draw of this seed has both kinds"
    assert together.preference == pytest.approx(fmean(one.preference or 0 for one in known))


def test_on_gold_several_principles_are_one_preference_and_one_look_at_the_order() -> None:
    spec = by_principle(SOFT, "judge.principles=3")
    labelled = Labelled(id="g", messages=(), first="good", second="bad", verdicts=("first",), source="t")
    items = as_candidates([labelled], 0)
    said = judged(spec, _by({}, spec), *items)
    (found,) = verdicts_on([labelled], said, [])
    assert found.preference == pytest.approx(0.75) and found.flipped is False
    assert found.first_shown == pytest.approx(0.5) and found.first_score is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("judge.principles=2",), r"judge\.principles=2 and there is no judge\.constitution: set judge\.principles=1"),
        (("judge.principles=0",), r"judge\.principles=0: .*greater than 0"),
        (("judge.clamp=[0.4,0.6]",), r"judge\.clamp=\[0\.4, 0\.6\] holds probabilities, and judge\.method=sampled"),
        ((SOFT, "judge.clamp=[0.4,0.7]"), r"judge\.clamp=\[0\.4, 0\.7\] is not as far below one half as above it: set"),
        ((SOFT, "judge.clamp=[0.6,0.4]"), r"is not as far below one half as above it"),
        ((SOFT, "judge.clamp=[0.5,0.5]"), r"is not as far below one half as above it"),
        ((SOFT, "judge.clamp=[-0.1,1.1]"), r"set both limits from 0 to 1, as in judge\.clamp=\[0\.4,0\.6\]"),
        ((REASONED, "judge.constrained=true"), r"constrained=true at judge\.method=reasoned_probability"),
        (
            (REASONED, *SERVED),
            r"which cannot give the probabilities of options as it is set: set .*judge\.method=sampled",
        ),
    ],
)
def test_a_mistake_is_one_line(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        spec_of(*overrides)
    assert "\n" not in str(caught.value)


def test_more_principles_than_the_constitution_has_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"judge\.principles=99 and helpful_honest_harmless has 14: set .*=14 or less"
    ):
        by_principle("judge.principles=99")


def test_pairs_keep_what_the_principles_said_as_soft_labels(tmp_path: Path) -> None:
    settings = (
        "judge=constitution",
        REASONED,
        "judge.clamp=[0.4,0.6]",
        "judge.principles=3",
        "sample.k=2",
        "select.k=2",
    )
    pairs = ("select=preference_pairs", "select.labels=soft", "mix.real_share=0", "mix.min_rows=1", "data.train_open=0")
    small = ("data.train_closed=24", "loop.iterations=1", "backend.position_bias=0.3", "judge.policy=initial")
    view = run_scripted(tmp_path, *settings, *pairs, *small, reporter=(reporter := Silent()))
    rows = list(view.iterations[0]["mix"].records(PreferencePair, "pairs"))
    assert rows and all(one.label is not None and 0.4 <= one.label <= 0.6 for one in rows)
    evidence = list(view.iterations[0]["judge"].records(Judgment, "evidence"))
    assert {one.repeat for one in evidence} == {0, 1, 2}
    labels = {one.label for one in rows}
    assert len(labels) > 1 and 0.6 in labels
    row, (first, *_) = metrics_of_run(view)[0], rounds_of(view)
    assert row["judge/comparisons"] == len(evidence) / 2
    assert first.judged is not None and first.judged.principle_verdicts == row["judge/principle_verdicts"] > 0
    against = row["judge/principles_against"]
    assert (against, row["judge/principle_verdicts"]) == against_most(evidence) and against > 0
    assert row["judge/health/flip_rate"] is not None
    told = f"{against} of {row['judge/principle_verdicts']} verdicts"
    assert f"  principles: {told} are against most of their comparison's" in reporter.lines
    assert f"M0 → M1: {told} of principles" in " ".join(harmless(render(view, None)).text.split())
