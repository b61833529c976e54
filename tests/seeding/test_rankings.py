"""Rankings: the order that pairs imply, and that references give to the policy's own answers."""

from collections import Counter
from dataclasses import replace

from selfreward.records import PreferencePair, Prompt
from selfreward.seeding.rankings import Ranking, ranked_by_people, ranked_by_verifier
from tests.stages.tables import closed_prompt, drawn, open_prompt
from tests.tiny import make_pair


def pairs_of(*orders: str, prompt: int = 0) -> list[PreferencePair]:
    """Pairs such as "ab": people preferred answer a to answer b."""
    return [make_pair(prompt, chosen=better, rejected=worse) for better, worse in orders]


def by_people(*pairs: PreferencePair) -> tuple[list[Ranking], Counter[str]]:
    counts: Counter[str] = Counter()
    return list(ranked_by_people(pairs, counts)), counts


def places(ranking: Ranking) -> dict[str, int]:
    return {answer.text: answer.place for answer in ranking.answers}


def test_a_list_of_answers_comes_back_from_its_pairs() -> None:
    (ranking,), _ = by_people(*pairs_of("ac", "bc", "ab"))
    assert places(ranking) == {"a": 2, "b": 1, "c": 0}
    ids = {answer.text: answer.id for answer in ranking.answers}
    assert {answer.text: set(answer.worse) for answer in ranking.answers} == {
        "a": {ids["b"], ids["c"]},
        "b": {ids["c"]},
        "c": set(),
    }
    assert (ranking.origin, ranking.prompt.id) == ("human", "0")


def test_equal_answers_share_a_place() -> None:
    (ranking,), _ = by_people(*pairs_of("ab", "cb"))
    assert places(ranking) == {"a": 1, "b": 0, "c": 1}


def test_pairs_of_a_prompt_need_not_stand_together_and_a_circle_is_no_ranking() -> None:
    first, second = pairs_of("ab", "bc", "ca"), pairs_of("ab", prompt=1)
    found, counts = by_people(first[0], *second, *first[1:])
    assert [ranking.prompt.id for ranking in found] == ["1"]
    assert counts == {"prompts": 2, "contradictory": 1}


def by_verifier(prompt: Prompt, *texts: str) -> tuple[list[Ranking], Counter[str]]:
    counts: Counter[str] = Counter()
    candidates = [drawn(prompt, index, text) for index, text in enumerate(texts)]
    return list(ranked_by_verifier([prompt], candidates, counts)), counts


def test_right_answers_stand_above_wrong_ones_and_each_answer_counts_once() -> None:
    prompt = closed_prompt(2)
    (ranking,), _ = by_verifier(prompt, "It is 5.", "The answer is 4.", "4", "It is 5!", "It is 7.")
    assert places(ranking) == {"The answer is 4.": 1, "It is 5.": 0, "It is 7.": 0}
    assert ranking.answers[0].worse == tuple(answer.id for answer in ranking.answers[1:])
    assert (ranking.origin, ranking.prompt) == ("self", prompt)


def test_a_prompt_without_a_ranking_says_why() -> None:
    for prompt, texts, why in (
        (closed_prompt(2), ("It is 5.", "It is 6.", " "), "no_right_answer"),
        (closed_prompt(2), ("It is 4.",), "no_wrong_answer"),
        (open_prompt(1), ("It is 4.", "It is 5."), "nothing_to_compare_with"),
    ):
        assert by_verifier(prompt, *texts) == ([], {"prompts": 1, why: 1})


def test_an_answer_that_was_cut_is_neither_right_nor_wrong() -> None:
    prompt = closed_prompt(2)
    counts: Counter[str] = Counter()
    cut = replace(drawn(prompt, 1, "It is 4."), finish="length")
    assert list(ranked_by_verifier([prompt], [drawn(prompt, 0, "It is 5."), cut], counts)) == []
    assert counts["no_right_answer"] == 1


def test_a_ranked_answer_keeps_its_thought() -> None:
    (pair,) = pairs_of("ab")
    (ranking,), _ = by_people(replace(pair, chosen_thought="<think>Hm.</think>"))
    assert {answer.text: answer.thought for answer in ranking.answers} == {"a": "<think>Hm.</think>", "b": None}
    prompt = closed_prompt(2)
    right, wrong = (drawn(prompt, index, text) for index, text in enumerate(("4", "5")))
    counts: Counter[str] = Counter()
    (own,) = ranked_by_verifier([prompt], [replace(right, thought="<think>5</think>"), wrong], counts)
    assert [(answer.text, answer.place, answer.thought) for answer in own.answers] == [
        ("4", 1, "<think>5</think>"),
        ("5", 0, None),
    ]
