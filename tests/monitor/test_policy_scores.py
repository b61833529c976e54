"""From scores of answers to figures of policies: what is missing is left out, never 0."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.metrics.best_of_n import best_of_n_kl
from selfreward.metrics.intervals import Interval
from selfreward.monitor.gate_rules import GateSpec
from selfreward.monitor.over_optimisation import turning
from selfreward.monitor.policy_scores import (
    PromptScores,
    ScoredAnswer,
    best_of_answers,
    best_so_far,
    mean_over_prompts,
    rounds_of_scores,
    scores_by_prompt,
    scores_by_set,
)

ONE = st.none() | st.floats(-5, 5)


def answer(prompt: str, index: int, proxy: float | None, gold: float | None, tokens: int = 4) -> ScoredAnswer:
    return ScoredAnswer(
        prompt_id=prompt,
        index=index,
        tokens=tokens,
        proxy=proxy,
        proxy_outcome="unparsed" if proxy is None else "scored",
        gold=gold,
        gold_outcome="unparsed" if gold is None else "scored",
    )


def of(policy: int, prompt: str, proxy: float | None, gold: float | None) -> PromptScores:
    return PromptScores(policy=policy, prompt_id=prompt, tokens=4.0, proxy=proxy, gold=gold)


def test_a_prompt_has_the_mean_of_the_answers_that_have_a_score() -> None:
    answers = [answer("a", 0, 1, 0, 2), answer("a", 1, None, 1, 4), answer("b", 0, None, None), answer("c", 0, 2, None)]
    assert list(scores_by_prompt(3, answers)) == [
        PromptScores(policy=3, prompt_id="a", tokens=3.0, proxy=1.0, gold=0.5),
        PromptScores(policy=3, prompt_id="c", tokens=4.0, proxy=2.0, gold=None),
    ]


def test_the_best_is_chosen_on_the_prompts_that_have_gold_of_every_policy() -> None:
    rows = [of(0, "a", 0, 1), of(0, "b", 0, 0), of(1, "a", 1, 0.5), of(1, "c", 1, 1)]
    assert best_so_far(rows, 2, seed=0) is not None
    found = best_so_far(rows, 2, seed=0)
    assert found is not None and (found.policy, found.gold) == (0, Interval(1.0, 1.0, 1.0, 1))
    assert best_so_far(rows, 3, seed=0) is None
    assert best_so_far([], 1, seed=0) is None


def test_equal_policies_have_the_earliest_as_their_best() -> None:
    found = best_so_far([of(t, name, t, 0.5) for t in range(3) for name in "ab"], 3, seed=0)
    assert found is not None and found.policy == 0


def test_a_policy_without_scores_is_still_a_policy() -> None:
    assert rounds_of_scores([of(1, "a", 1, None)], 3) == [{}, {"a": (1, None)}, {}]
    found = turning(GateSpec(), rounds_of_scores([], 2), None)
    assert (found.action, found.value, found.why) == ("observe", None, "not measured: on 0 prompts: too few to act on")


@pytest.mark.parametrize("unmeasured", ["the judge changed", None])
def test_what_cannot_be_compared_is_not_measured_and_says_why(unmeasured: str | None) -> None:
    rising = [{str(n): (t + n % 3 / 10, -t + n % 5 / 10) for n in range(40)} for t in (0.0, 1.0)]
    found = turning(GateSpec(), rising, unmeasured)
    assert found.name == "over_optimised/gold"
    if unmeasured is None:
        assert (found.action, found.bound, found.prompts) == ("warn", 0.0, 40)
    else:
        assert (found.action, found.value, found.why) == ("observe", None, "not measured: the judge changed")


def test_each_set_has_its_own_figures_and_prompts_of_no_set_are_in_none() -> None:
    rows = [of(0, "a", 1, 0), of(0, "b", 3, 1), of(0, "c", 5, None), of(0, "d", 7, 1)]
    found = scores_by_set(rows, {"a": "sums", "b": "sums", "c": "poems"}, seed=0)
    assert list(found) == ["poems", "sums"]
    assert found["sums"].proxy is not None and found["sums"].gold is not None
    assert (found["sums"].proxy.value, found["sums"].gold.value) == (2.0, 0.5)
    assert found["poems"].gold is None
    assert scores_by_set(rows, {}, seed=0) == {}


def test_best_of_n_leaves_out_prompts_that_lack_a_score_of_every_n() -> None:
    whole = [answer("a", n, n, n % 2) for n in range(4)]
    lacking = [answer("b", n, n, None if n else 1) for n in range(4)]
    short = [answer("c", n, n, 1) for n in range(3)]
    found = best_of_answers([*whole, *lacking, *short], seed=0)
    assert [one.n for one in found] == [1, 2, 3, 4]
    assert {one.gold.n for one in found} == {1}
    assert (found[0].proxy.value, found[0].gold.value) == (1.5, 0.5)
    assert (found[3].proxy.value, found[3].gold.value) == (3, 1)
    assert [one.kl for one in found] == [round(best_of_n_kl(n), 6) for n in range(1, 5)]
    assert best_of_answers(lacking, seed=0) == best_of_answers([], seed=0) == []


@given(st.lists(ONE, max_size=8))
def test_a_mean_lies_within_its_limits_and_counts_what_is_there(values: list[float | None]) -> None:
    found = mean_over_prompts(values, 0)
    there = [one for one in values if one is not None]
    if found is None:
        assert not there
    else:
        assert found.n == len(there)
        assert min(there) - 1e-5 <= found.low <= found.value + 1e-5
        assert found.value - 1e-5 <= found.high <= max(there) + 1e-5
