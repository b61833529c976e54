"""What moves a meta-judge, by hand: score, place and length, each of what it could have preferred."""

from collections.abc import Sequence

import pytest

from selfreward.judge_quality.meta_preferences import Given, compared_of, meta_measures
from selfreward.records import Judgment, Usage, Verdict

LOW, HIGH, LONG = Given(score=1.0, length=10), Given(score=3.0, length=10), Given(score=3.0, length=40)


def replies(*verdicts: Verdict | None) -> list[Judgment]:
    """What is said of the judgments `a` and `b`, `b` shown first the second time; as of `candidate_ids`."""
    return [
        Judgment(
            prompt_id="answer",
            candidate_ids=("a", "b"),
            order=(1, 0) if place else (0, 1),
            judge="meta",
            rubric=None,
            outcome="unparsed" if verdict is None else "scored",
            verdict=verdict,
            raw="",
            usage=Usage(prompt_tokens=0, completion_tokens=0),
        )
        for place, verdict in enumerate(verdicts)
    ]


def measured(*said: tuple[Given, Given, Sequence[Verdict | None]]) -> dict[str, float | None]:
    found = [
        one
        for number, (first, second, verdicts) in enumerate(said)
        for one in compared_of(f"prompt {number}", replies(*verdicts), {"a": first, "b": second})
    ]
    return {name: one.value for name, one in meta_measures(found).items()}


def test_the_higher_score_is_preferred_where_both_orders_agree_on_it() -> None:
    found = measured(
        (LOW, HIGH, ("second", "second")),
        (HIGH, LOW, ("first", "first")),
        (LOW, HIGH, ("first", "first")),
        (LOW, HIGH, ("first", "second")),  # a flip prefers neither
        (HIGH, LONG, ("first", "first")),  # the same score
        (LOW, HIGH, ("second", None)),
    )
    assert found["prefers_score"] == pytest.approx(2 / 3)
    assert found["prefers_longer"] == 0.0
    assert found["flip_rate"] == pytest.approx(1 / 5)
    assert found["parse_rate"] == pytest.approx(11 / 12)


def test_the_place_is_that_of_each_reply_by_itself() -> None:
    flips = measured(*[(LOW, HIGH, ("first", "second"))] * 3)
    assert flips["prefers_first"] == 1.0
    assert flips["prefers_score"] is None, "it never prefers one of them"
    fair = measured((LOW, HIGH, ("second", "second")), (LOW, HIGH, ("tie", "tie")))
    assert fair["prefers_first"] == 0.5, "ties prefer no place"


def test_what_could_not_be_asked_is_missing_and_says_why() -> None:
    found = meta_measures(compared_of("prompt", replies(None, None), {"a": LOW, "b": HIGH}))
    assert (
        found["prefers_score"].why_missing
        == "no comparison could prefer the judgment with the higher score and decided"
    )
    assert found["prefers_score"].left_out == 1
    assert found["parse_rate"].value == 0.0
    assert all(one.value is None for one in meta_measures([]).values())


def test_comparisons_of_one_prompt_are_not_independent() -> None:
    alike = [(LOW, HIGH, ("second", "second"))] * 20
    apart = [compared_of(f"prompt {n}", replies(*said), {"a": a, "b": b})[0] for n, (a, b, said) in enumerate(alike)]
    of_one = [compared_of("prompt", replies(*said), {"a": a, "b": b})[0] for a, b, said in alike]
    lows = [meta_measures(found)["prefers_score"].low for found in (apart, of_one)]
    assert lows[0] is not None and lows[1] is not None and lows[0] > 0.8 > lows[1]
