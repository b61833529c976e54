"""Seed: which replies are kept, the balance of scores, labels, and what the policy is shown."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.__main__ import compose
from selfreward.backends.base import Advance, Completion, Conversation, OptionScore, Sampling
from selfreward.config import SeedJudgeConfig, validate, validate_as
from selfreward.errors import ConfigError
from selfreward.judges.base import Means
from selfreward.judges.prompting import Rubric
from selfreward.judges.reply import read_score
from selfreward.judges.rubric import RubricSpec
from selfreward.judges.scale import Scale
from selfreward.policies import Policy
from selfreward.seeding.rankings import RankedAnswer, Ranking
from selfreward.seeding.replies import JudgeReply
from selfreward.seeding.seed import SeedJudgeSpec, agreeing, balanced, label_of
from tests.stages.tables import closed_prompt, drawn

RUBRICS = ("additive_five_point", "five_point_quality", "right_or_wrong")


def spec_of(*overrides: str) -> SeedJudgeSpec:
    return validate_as(SeedJudgeConfig, compose(["+seed_judge=default", *overrides])).seed_judge


def ranking_of(*ratings: int) -> Ranking:
    """Answers that people rated; equal ratings say nothing."""
    steps = sorted(set(ratings))
    answers = tuple(
        RankedAnswer(
            id=str(at),
            text=f"answer {at}",
            tokens=2,
            place=steps.index(rating),
            worse=tuple(str(other) for other, below in enumerate(ratings) if below < rating),
        )
        for at, rating in enumerate(ratings)
    )
    return Ranking(prompt=closed_prompt(2), origin="human", answers=answers)


def replies_of(*scores: Sequence[int | None]) -> list[JudgeReply]:
    """For each answer its replies, by their scores."""
    return [
        JudgeReply(
            prompt_id="p",
            answer_id=str(at),
            repeat=repeat,
            text=f"Score: {score}",
            tokens=3,
            finish="stop",
            score=score,
        )
        for at, drawn_scores in enumerate(scores)
        for repeat, score in enumerate(drawn_scores)
    ]


def kept_scores(ranking: Ranking, replies: list[JudgeReply], keep: int) -> dict[str, list[int]]:
    kept: dict[str, list[int]] = {}
    for reply in agreeing(ranking, replies, keep):
        kept.setdefault(reply.answer_id, []).append(reply.stated)
    return kept


@given(
    st.lists(st.integers(0, 3), min_size=2, max_size=4).filter(lambda ratings: len(set(ratings)) > 1),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_no_kept_reply_contradicts_people(ratings: list[int], keep: int, lot) -> None:
    drawn_scores = [[lot.choice((None, 0, 1, 2, 3, 4, 5)) for _ in range(12)] for _ in ratings]
    kept = kept_scores(ranking_of(*ratings), replies_of(*drawn_scores), keep)
    for one, other in combinations(range(len(ratings)), 2):
        better, worse = (one, other) if ratings[one] > ratings[other] else (other, one)
        if kept and ratings[better] != ratings[worse]:
            assert min(kept[str(better)]) > max(kept[str(worse)])
    counts = {len(scores) for scores in kept.values()}
    assert not kept or (len(kept) == len(ratings) and len(counts) == 1 and counts.pop() <= keep)


def test_of_a_pair_the_better_answer_scores_strictly_higher() -> None:
    pair = ranking_of(1, 0)
    assert kept_scores(pair, replies_of([3], [3]), keep=2) == {}
    assert kept_scores(pair, replies_of([2], [3]), keep=2) == {}
    assert kept_scores(pair, replies_of([3], [2]), keep=2) == {"0": [3], "1": [2]}


def test_a_reading_that_contradicts_one_before_it_is_left_out() -> None:
    replies = replies_of([4, 2, 5, 5], [2, 1, 4, 3])
    assert kept_scores(ranking_of(1, 0), replies, keep=3) == {"0": [4, 5], "1": [2, 3]}
    assert kept_scores(ranking_of(1, 0), replies, keep=1) == {"0": [4], "1": [2]}


def test_a_reply_without_a_score_holds_up_no_other() -> None:
    assert kept_scores(ranking_of(1, 0), replies_of([None, 4], [2, None]), keep=2) == {"0": [4], "1": [2]}
    assert kept_scores(ranking_of(1, 0), replies_of([None, None], [2, 1]), keep=2) == {}


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 3))
def test_the_most_common_score_falls_to_the_second_most_common(scores: list[int], seed: int) -> None:
    replies = replies_of(scores)
    kept = balanced(replies, seed)
    assert kept == balanced(replies, seed)
    assert kept == sorted(kept, key=lambda reply: reply.repeat)
    before, after = Counter(scores), Counter(reply.stated for reply in kept)
    expected = [count for _, count in before.most_common()]
    expected[0] = expected[min(1, len(expected) - 1)]
    assert sorted(after.values()) == sorted(expected)
    assert set(kept) <= set(replies)


def test_another_seed_leaves_others_out() -> None:
    replies = replies_of([2] * 40 + [1] * 20)
    assert {reply.repeat for reply in balanced(replies, 0)} != {reply.repeat for reply in balanced(replies, 1)}


@pytest.mark.parametrize("name", RUBRICS)
def test_a_label_is_what_the_rubric_reads_back(name: str) -> None:
    rubric = spec_of(f"rubric@seed_judge.rubric={name}").rubric
    ranking = ranking_of(0, 1, 2)
    scores = [label_of(rubric.scale, ranking, answer) for answer in ranking.answers]
    assert (scores[0], scores[-1]) == (rubric.scale.lowest, rubric.scale.highest)
    assert scores == sorted(set(scores))
    assert [read_score(f"{rubric.label}: {score}", rubric.label, rubric.scale) for score in scores] == scores


def test_labels_rise_with_the_place_as_far_as_the_scale_goes() -> None:
    scale = Scale(lowest=1, highest=5)
    ranking = ranking_of(*range(9))
    scores = [label_of(scale, ranking, answer) for answer in ranking.answers]
    assert scores == sorted(scores)
    assert set(scores) == {1, 2, 3, 4, 5}


class Asked:
    """A backend that remembers what it was asked."""

    def __init__(self) -> None:
        self.conversations: list[Conversation] = []

    def why_unfit(self, messages: Conversation, room: int = 1) -> None:
        pass

    def generate(
        self, prompts: Sequence[Conversation], sampling: Sampling, seed: int, advance: Advance
    ) -> list[list[Completion]]:
        self.conversations += prompts
        return [
            [Completion(text="Score: 1", finish="stop", tokens=1, token_logprobs=(-1.0,), prompt_tokens=9)]
            for _ in prompts
        ]

    def generate_each(self, *given: object) -> list[list[Completion]]:
        return self.generate(*given)  # type: ignore[arg-type]

    def score_options(
        self, prompts: Sequence[Conversation], options: Sequence[str], advance: Advance
    ) -> list[OptionScore]:
        self.conversations += prompts
        return [OptionScore(logprobs=(-2.0,) * len(options), prompt_tokens=9) for _ in prompts]


@pytest.mark.parametrize(("method", "explained"), [("sampled", True), ("expected", False)])
def test_what_is_learned_is_asked_as_the_judge_asks(method: str, explained: bool) -> None:
    overrides = ["judge=rubric", "rubric@judge.rubric=right_or_wrong", f"judge.method={method}"]
    judge = validate(compose(overrides)).judge
    assert isinstance(judge, RubricSpec)
    backend, prompt = Asked(), closed_prompt(2)
    policy = Policy(path=Path("p"), key="p", digest="p")
    building = judge.build(Means(policy=policy, backend=backend))  # type: ignore[arg-type]
    building.ask([(prompt, drawn(prompt, 0, "It is 4."))], 0, lambda _: None)
    assert backend.conversations == [judge.rubric.ask_about(prompt, "It is 4.", explained=explained)]


def test_a_rubric_that_shows_references_needs_prompts_that_have_them() -> None:
    shown = [
        "seed_judge.rubric.template='<question>{question}</question><r>{reference}</r><answer>{answer}</answer>'",
        "rubric@seed_judge.rubric=five_point_quality",
    ]
    with pytest.raises(ConfigError, match="set seed_judge.source=verifier"):
        spec_of(*shown)
    rubric: Rubric = spec_of(*shown, "seed_judge.source=verifier").rubric
    assert "<r>4</r>" in rubric.ask_about(closed_prompt(2), "It is 4.", explained=True)[-1].content


def test_the_yaml_writes_every_other_field_at_its_default() -> None:
    written = compose(["+seed_judge=default"])["seed_judge"]
    defaults = {name: one.default for name, one in SeedJudgeSpec.model_fields.items() if name != "rubric"}
    assert {name: value for name, value in written.items() if name != "rubric"} == {**defaults, "tokens": []}
    assert defaults["tokens"] == ()
