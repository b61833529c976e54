"""The probe at matched length: length, a preamble and refusals move nothing, a lost mode does."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from selfreward.benchmarks.length_cases import Lengths, answers, findings_of, vocabularies
from selfreward.metrics.embed import embed_hashing
from selfreward.metrics.matched_probe import MatchedProbe, ProbeAnswer, matched_measures, usable

MEANINGS = [
    "the river carries cold water down from the mountains in spring",
    "most doctors would tell you that nothing at all happens",
    "a small bakery on the corner sells bread before sunrise",
    "people once believed that whales were a kind of fish",
    "your phone simply rings until somebody answers the call",
    "seven lawyers argued about the meaning of one comma",
]
Texts = Mapping[str, Sequence[str]]


def answer(prompt_id: str, index: int, text: str) -> ProbeAnswer:
    logprobs = (-2.0,) * len(text.split())
    return ProbeAnswer(prompt_id=prompt_id, index=index, text=text, finish="stop", token_logprobs=logprobs)


def drawn(seed: int, k: int, meanings: int = len(MEANINGS), prompts: int = 30) -> dict[str, list[str]]:
    luck = random.Random(seed)
    return {
        f"p{prompt}": [f"{luck.choice(MEANINGS[:meanings])} number {prompt}" for _ in range(k)]
        for prompt in range(prompts)
    }


def probe(now: Texts, baseline: Texts, human: Texts | None = None) -> MatchedProbe:
    def given(texts: Texts) -> dict[str, list[ProbeAnswer]]:
        return {name: [answer(name, index, text) for index, text in enumerate(group)] for name, group in texts.items()}

    return matched_measures(given(now), given(baseline), human or {name: [] for name in now}, embed_hashing)


def change(found: MatchedProbe, name: str) -> float:
    """The relative change of a family's mean."""
    now = [getattr(one, name) for one in found.prompts.values()]
    before = [getattr(one, f"baseline_{name}") for one in found.prompts.values()]
    return sum(now) / sum(before) - 1


def test_two_draws_of_one_policy_differ_by_little() -> None:
    found = probe(drawn(0, 8), drawn(1, 32))
    assert abs(change(found, "sem")) < 0.05
    assert abs(change(found, "lex")) < 0.05


def test_a_policy_that_lost_meanings_is_less_varied() -> None:
    found = probe(drawn(0, 8, meanings=2), drawn(1, 32))
    assert change(found, "sem") < -0.3
    assert change(found, "lex") < -0.3


@pytest.mark.parametrize(
    "corrupt",
    [lambda text: f"Sure! Here is my answer: {text}", lambda text: f"{text}. {text}"],
    ids=["preamble", "said twice"],
)
def test_a_preamble_and_length_are_no_contraction(corrupt) -> None:
    now = {name: [corrupt(text) for text in group] for name, group in drawn(0, 8).items()}
    found = probe(now, drawn(1, 32))
    assert abs(change(found, "sem")) < 0.05
    assert abs(change(found, "lex")) < 0.05


def test_the_opening_that_was_taken_off_is_told() -> None:
    now = {name: [f"Sure! Here is my answer: {text}" for text in group] for name, group in drawn(0, 8).items()}
    assert probe(now, drawn(1, 32)).opening == ("sure", "here", "is", "my", "answer")
    assert probe(drawn(0, 8), drawn(1, 32)).opening == ()


def test_one_answer_to_everything_is_no_opening() -> None:
    found = probe(drawn(0, 8, meanings=1), drawn(1, 32))
    assert found.opening == ()
    assert change(found, "sem") < -0.9


def test_shorter_answers_are_compared_with_a_baseline_as_short() -> None:
    now = {name: [" ".join(text.split()[:6]) for text in group] for name, group in drawn(0, 8).items()}
    found = probe(now, drawn(1, 32))
    assert found.words == 6
    assert abs(change(found, "sem")) < 0.05


# Words drawn at random from those of a prompt: how long an answer is says nothing about how varied the answers are.
NARROW, WIDE = (10, 20), (3, 30)


@pytest.mark.parametrize(("now", "baseline"), [(WIDE, NARROW), (NARROW, WIDE)], ids=["wider", "narrower"])
def test_the_spread_of_lengths_alone_is_no_contraction(now: Lengths, baseline: Lengths) -> None:
    rng = np.random.default_rng(0)
    own = [words for _ in range(3) for words in vocabularies(rng)]
    people = answers(rng, own, 4, (5, 14))
    found = findings_of(answers(rng, own, 8, now), answers(rng, own, 16, baseline), people)
    assert abs(found["sem"].drop) < 0.02
    assert abs(found["ent"].drop) < 0.02
    assert not any(one.hit for one in found.values())


def test_people_who_write_shorter_answers_are_not_less_varied_for_that() -> None:
    rng = np.random.default_rng(0)
    own = vocabularies(rng)
    people = answers(rng, own, 4, (4, 8))
    found = findings_of(answers(rng, own, 8, (25, 40)), answers(rng, own, 16, (25, 40)), people)
    assert abs(found["human"].drop) < 0.05


def test_answers_shorter_than_the_matched_length_are_left_out() -> None:
    now = drawn(0, 8)
    now["p0"] = ["yes", "no", *now["p0"][2:]]
    found, without = probe(now, drawn(1, 32)), probe({**now, "p0": now["p0"][2:]}, drawn(1, 32))
    assert found.words == without.words > 1
    assert (found.prompts["p0"].sem, found.prompts["p0"].lex) == (without.prompts["p0"].sem, without.prompts["p0"].lex)


def test_a_policy_that_only_says_yes_has_lost_its_variety() -> None:
    found = probe({name: ["yes"] * 8 for name in drawn(0, 8)}, drawn(1, 32))
    assert found.words == 1
    assert change(found, "sem") == -1


def test_refusals_and_empty_answers_are_compared_with_nothing() -> None:
    assert not usable(answer("p", 0, "I'm sorry, but I can't help with that."))
    assert not usable(answer("p", 0, " ... "))
    now = drawn(0, 8)
    spoiled = {name: ["", "I'm sorry, but I can't help with that.", *group[2:]] for name, group in now.items()}
    assert abs(change(probe(spoiled, drawn(1, 32)), "sem")) < 0.06


def test_a_prompt_without_a_usable_answer_has_no_value() -> None:
    now = drawn(0, 8)
    now["p0"] = [""] * 8
    lost = probe(now, drawn(1, 32)).prompts["p0"]
    assert (lost.sem, lost.lex, lost.ent) == (None, None, None)
    assert lost.baseline_sem is not None


def test_entropy_is_of_the_first_tokens_alone() -> None:
    surprising_end = ProbeAnswer(
        prompt_id="p", index=0, text="one two three four five six", finish="stop", token_logprobs=(-1.0,) * 4 + (-9.0,)
    )
    short = ProbeAnswer(prompt_id="p", index=1, text="one two three four", finish="stop", token_logprobs=(-1.0,) * 4)
    found = matched_measures({"p": [surprising_end, short]}, {"p": [short, short]}, {"p": []}, embed_hashing)
    assert found.tokens == 4
    assert found.prompts["p"].ent == pytest.approx(1.0)


def test_human_answers_out_of_reach_are_lost_recall() -> None:
    human = {name: [f"{meaning} number {name[1:]}" for meaning in MEANINGS] for name in drawn(0, 8)}
    kept, lost = probe(drawn(0, 8), drawn(1, 32), human), probe(drawn(0, 8, meanings=1), drawn(1, 32), human)
    assert change(kept, "recall") > -0.1
    assert change(lost, "recall") < -0.3
    assert {one.human_sem is None for one in lost.prompts.values()} == {False}


def test_recall_is_not_measured_by_a_single_answer() -> None:
    human = {name: [f"{meaning} number {name[1:]}" for meaning in MEANINGS] for name in drawn(0, 1)}
    found = probe(drawn(0, 1), drawn(1, 4), human)
    assert found.neighbours == 0
    assert {(one.recall, one.baseline_recall) for one in found.prompts.values()} == {(None, None)}


def test_a_prompt_with_too_few_answers_is_left_out_of_recall_and_no_other_is() -> None:
    human = {name: [f"{meaning} number {name[1:]}" for meaning in MEANINGS] for name in drawn(0, 8)}
    now = drawn(0, 8)
    now["p0"] = [*now["p0"][:2], *[""] * 6]
    found = probe(now, drawn(1, 32), human)
    assert found.neighbours == 2
    assert [name for name, one in found.prompts.items() if one.recall is None] == ["p0"]


def test_recall_needs_enough_human_answers() -> None:
    human = {name: [MEANINGS[0]] for name in drawn(0, 8)}
    one = next(iter(probe(drawn(0, 8), drawn(1, 32), human).prompts.values()))
    assert (one.recall, one.baseline_recall) == (None, None)


@pytest.mark.parametrize("left", [0, 1, 5])
def test_recall_needs_enough_answers_that_say_anything(left: int) -> None:
    human = {name: [f"{meaning} number {name[1:]}" for meaning in MEANINGS] for name in drawn(0, 8)}
    silent = {name: [*group[: int(prompt < left)], "", ""] for prompt, (name, group) in enumerate(drawn(0, 8).items())}
    for found in (probe(silent, drawn(1, 32), human), probe(drawn(0, 1), silent, human)):
        assert {(one.recall, one.baseline_recall) for one in found.prompts.values()} == {(None, None)}


def test_modes_hold_the_whole_baseline_and_count_what_is_still_said() -> None:
    found = probe(drawn(0, 8, meanings=2), drawn(1, 32))
    mine = [mode for mode in found.modes if mode.prompt_id == "p3"]
    assert sum(mode.mass for mode in mine) == pytest.approx(1)
    assert sum(mode.hits for mode in mine) == 8
    assert sum(mode.hits > 0 for mode in mine) <= 2


def test_a_thought_is_taken_off_with_its_share_of_the_tokens() -> None:
    thought = "<think>" + "x" * 24 + "</think>\n"  # 40 characters, four for each token
    text = "one two three four five six seven eight"[:40].ljust(40, ".")
    plain = ProbeAnswer(prompt_id="p", index=0, text=text, finish="stop", token_logprobs=(-1.0,) * 8 + (-3.0,) * 2)
    thoughtful = replace(plain, thought=thought, token_logprobs=(-9.0,) * 10 + plain.token_logprobs)
    assert len(thought) == len(text) == 40
    assert (plain.tokens, thoughtful.tokens) == (10, 10)
    found = matched_measures({"p": [thoughtful] * 2}, {"p": [plain] * 2}, {"p": []}, embed_hashing)
    one = found.prompts["p"]
    assert (found.tokens, one.ent) == (10, pytest.approx(1.4))
    assert (one.sem, one.lex, one.ent) == (one.baseline_sem, one.baseline_lex, one.baseline_ent)


def test_an_answer_cut_in_its_thought_says_nothing() -> None:
    cut = ProbeAnswer(
        prompt_id="p", index=0, text="", finish="length", token_logprobs=(-1.0,) * 5, thought="<think>one two"
    )
    assert (usable(cut), cut.tokens) == (False, 0)
