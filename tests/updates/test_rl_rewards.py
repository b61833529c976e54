"""Rewards by hand: what is added up, what is missing and never 0, and what is refused."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.errors import ConfigError, StageError
from selfreward.judges.base import NO_USAGE, Judge
from selfreward.judges.likelihood import LikelihoodSpec
from selfreward.policies import Policy, RewardModels
from selfreward.records import Candidate, Judgment, Prompt, make_prompt, undrawn
from selfreward.updates.rl_judges import OpenJudge
from selfreward.updates.rl_rewards import HERE, RewardSource, Scores, reward, rewarded
from selfreward.updates.rl_sources import LengthReward, ModelReward, VerifierReward, build_sources, judged
from tests.rewarding import make_tiny_reward_model

CLOSED = make_prompt("what is 1 + 1?", system="", stratum="closed", source="t", references=("2",), match="numeric")
OPEN = make_prompt("tell me of the sea", system="", stratum="open", source="t")


def completions(*texts: str, tokens: int = 4) -> list[Candidate]:
    return [replace(undrawn(str(n), "p", n, text), tokens=tokens) for n, text in enumerate(texts)]


def planted(name: str, scores: list[float | None], weight: float = 1.0, only: Prompt | None = None) -> RewardSource:
    """A source that gives these scores, to the completions of one prompt where that is named."""
    return RewardSource(
        name=name,
        weight=weight,
        applies=lambda prompt: only is None or prompt.id == only.id,
        score=lambda prompts, _: Scores(scores[: len(prompts)]),
    )


def totals(sources: list[RewardSource], prompts: list[Prompt], group_size: int = 2) -> tuple[float | None, ...]:
    return reward(sources, prompts, completions(*"abcdefgh"[: len(prompts)]), group_size).total


def test_scores_are_added_up_by_their_weights() -> None:
    sources = [planted("a", [1.0, 0.0]), planted("b", [2.0, -1.0], weight=0.5)]
    assert totals(sources, [OPEN, OPEN]) == (2.0, -0.5)


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_a_completion_that_lacks_one_of_its_sources_has_no_reward_and_is_not_0(nothing: float | None) -> None:
    found = reward([planted("a", [1.0] * 3), planted("b", [3.0, nothing, 2.0])], [OPEN] * 3, completions(*"abc"), 3)
    assert found.total == (4.0, None, 3.0)
    assert found.kept == [True, False, True]
    figures = found.figures()
    assert (figures["rl/missing"], figures["source/b/missing"], figures["source/a/missing"]) == (1, 1, 0)
    assert figures["source/b/mean"] == 2.5
    assert figures["rl/reward"] == 3.5
    assert figures["rl/reward_deviation"] == pytest.approx(0.5**0.5)


def test_a_source_that_does_not_apply_is_not_missed() -> None:
    sources = [planted("all", [1.0, 2.0, 3.0, 4.0]), planted("some", [10.0, None], only=CLOSED)]
    assert totals(sources, [CLOSED, CLOSED, OPEN, OPEN]) == (None, None, 3.0, 4.0), "one alone compares nothing"
    sources[1] = planted("some", [10.0, 20.0], only=CLOSED)
    assert totals(sources, [CLOSED, CLOSED, OPEN, OPEN]) == (11.0, 22.0, 3.0, 4.0)


def test_a_group_with_one_reward_gives_nothing_and_flat_ones_are_counted() -> None:
    source = planted("a", [1.0, None, 2.0, 2.0, 0.0, 1.0])
    found = reward([source], [OPEN] * 6, completions(*"abcdef"), 2)
    assert found.total == (None, None, 2.0, 2.0, 0.0, 1.0)
    assert found.figures()["rl/flat_groups"] == 0.5, "of the two groups that compare something"
    nothing = reward([planted("a", [None, None])], [OPEN] * 2, completions("a", "b"), 2).figures()
    assert nothing.keys().isdisjoint({"rl/flat_groups", "rl/reward", "source/a/mean"})


@given(st.lists(st.lists(st.none() | st.floats(-9, 9), min_size=6, max_size=6), min_size=1, max_size=3))
def test_there_is_a_reward_where_every_source_spoke_and_another_of_the_group_has_one(
    scores: list[list[float | None]],
) -> None:
    sources = [planted(f"s{n}", one) for n, one in enumerate(scores)]
    whole = [all(one[place] is not None for one in scores) for place in range(6)]
    expected = [whole[place] and sum(whole[place - place % 3 : place - place % 3 + 3]) > 1 for place in range(6)]
    assert reward(sources, [OPEN] * 6, completions(*"abcdef"), 3).kept == expected


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ([1.0], r"update\.rewards\.a gave 1 scores for 2 completions"),
        ([math.inf, 0.0], r"update\.rewards\.a gave the score inf"),
    ],
)
def test_what_is_no_score_is_refused(scores: list[float | None], told: str) -> None:
    with pytest.raises(StageError, match=told):
        totals([planted("a", scores)], [OPEN, OPEN])


def test_a_verifier_rewards_right_answers_of_prompts_that_it_can_compare() -> None:
    (source,) = build_sources({"verifier": VerifierReward(weight=2.0)}, None, 64, "cpu")
    assert [source.applies(one) for one in (CLOSED, OPEN, replace(CLOSED, references=()))] == [True, False, False]
    assert source.score([CLOSED] * 3, completions("2", "3", "no idea")).said == [1.0, 0.0, 0.0]
    assert totals([source, planted("all", [0.5] * 4)], [CLOSED, CLOSED, OPEN, OPEN]) == (0.5, 0.5, 0.5, 0.5)


def test_length_costs_beyond_what_is_free_up_to_the_longest() -> None:
    (source,) = build_sources({"length": LengthReward(above=4)}, None, 8, "cpu")
    asked = [replace(one, tokens=tokens) for one, tokens in zip(completions(*"abcd"), (1, 4, 6, 8), strict=True)]
    assert source.score([OPEN] * 4, asked).said == [0.0, 0.0, -0.5, -1.0]


def test_a_reward_model_gives_its_logit_and_says_nothing_of_what_it_cannot_read(tmp_path) -> None:
    folder = make_tiny_reward_model(tmp_path / "reward")
    models = RewardModels(members=(Policy(path=folder, key="r", digest="r"),), engine={})
    (source,) = build_sources({"model": ModelReward()}, models, 64, "cpu")
    found = source.score([OPEN, OPEN, OPEN], completions("hello you", "no", "x" * 500)).said
    assert found[2] == "truncated"
    assert isinstance(found[0], float)
    assert found[0] != found[1]
    with pytest.raises(ConfigError, match=r"update\.rewards\.model\.aggregate=lower of one reward model"):
        build_sources({"model": ModelReward(aggregate="lower")}, models, 64, "cpu")


def test_a_reward_model_that_nobody_gives_is_told() -> None:
    with pytest.raises(ConfigError, match=r"update\.rewards\.model\.kind=reward_model.*~update\.rewards\.model"):
        build_sources({"model": ModelReward()}, None, 64, "cpu")


def test_a_judge_is_a_source_that_is_missing_where_it_says_nothing() -> None:
    def ask(items, seed, advance):
        seeds.append(seed)
        return [
            Judgment(
                prompt_id=prompt.id,
                candidate_ids=(one.id,),
                order=(0,),
                judge="j",
                repeat=repeat,
                outcome="unparsed" if one.text == "b" else "scored",
                score=None if one.text == "b" else 1.0 + repeat,
                raw="",
                usage=NO_USAGE,
            )
            for prompt, one in items
            for repeat in range(2)
        ]

    seeds: list[int] = []
    source = judged(
        "judge", 1.0, OpenJudge(judge=Judge("j", ask), spec=LikelihoodSpec(), asks=frozenset({HERE})), seed=3
    )
    assert source.score([OPEN, OPEN], completions("a", "b")).said == [1.5, "unparsed"]
    source.score([OPEN, OPEN], completions("a", "b"))
    source.score([OPEN, OPEN], [replace(one, id=f"2-{one.id}") for one in completions("a", "b")])
    assert seeds[0] == seeds[1] != seeds[2], "another step draws anew"


def test_prompts_that_no_source_applies_to_are_left_out_and_a_source_without_any_is_refused() -> None:
    sources = build_sources({"verifier": VerifierReward()}, None, 64, "cpu")
    assert rewarded(sources, [CLOSED, OPEN]) == [CLOSED]
    with pytest.raises(ConfigError, match=r"^update\.rewards\.verifier applies to 0 of 2 prompts: .*closed") as caught:
        rewarded(sources, [OPEN, OPEN])
    assert "\n" not in str(caught.value)
