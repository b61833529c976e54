"""Reward models on the page: a coin is called one, nothing is shown without one, names from data are text."""

import pytest

from selfreward.judge_quality.reward_accuracy import ScoredPair, accuracy_by_set, reward_measures
from selfreward.report.reward_models import SeenReward, reward_figures
from selfreward.stages.reward import HeldTo, Rewarding
from selfreward.updates.reward import RewardTraining


def held(right: int, wrong: int, *sources: str) -> HeldTo:
    signs = [1.0] * right + [-1.0] * wrong
    pairs = [
        ScoredPair(prompt_id=f"{number}", better=(sign,), worse=(0.0,), better_words=3, worse_words=2)
        for number, sign in enumerate(signs)
    ]
    sets = [(sources[number % len(sources)],) if sources else () for number in range(len(pairs))]
    measures = reward_measures(pairs, 0, 0)
    return HeldTo(pairs=len(pairs), prompts=len(pairs), measures=measures, sets=accuracy_by_set(pairs, sets))


def report(held_out: HeldTo, gold: HeldTo | None = None) -> Rewarding:
    member = RewardTraining(
        rows_trained=90,
        rows_too_long=0,
        rows_without_margin=None,
        steps=12,
        mean_loss=0.5,
        trainable_parameters=10,
        total_parameters=20,
    )
    return Rewarding(pairs=100, members=(member,), held_out=held_out, gold=gold, final=None, told=())


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (held(7, 3), "no better than a coin, as far as these pairs tell"),
        (held(50, 50), "no better than a coin"),
        (held(70, 30), "better than a coin."),
        (held(20, 80), "worse than a coin. It has learned the reverse"),
        (held(0, 0), "no pair was scored"),
    ],
)
def test_what_an_accuracy_is_worth_is_said_in_words(found: HeldTo, says: str) -> None:
    (told,) = SeenReward("start", report(found)).verdicts
    assert says in told
    assert told.startswith("On held-out pairs")


def test_a_source_of_gold_is_text_in_the_figure() -> None:
    hostile = "<script>alert(1)</script>"
    ((figure, _),) = reward_figures([SeenReward("start", report(held(6, 4), held(6, 4, hostile, "b")))], [])
    assert figure.drawing is not None
    assert "<script" not in figure.drawing
    assert "&lt;script" in figure.drawing
    assert figure.rows[-1][:2] == ("gold, b", "5")


def test_without_a_scored_pair_there_is_no_drawing() -> None:
    ((figure, _),) = reward_figures([SeenReward("start", report(held(0, 0)))], [])
    assert figure.drawing is None
    assert reward_figures([], []) == []
