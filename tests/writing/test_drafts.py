"""What is found in a writer's reply, whatever it looks like, and what is wrong with the form of each text."""

import pytest

from selfreward.backends.base import Completion, NotScored
from selfreward.records import Finish
from selfreward.writing.drafts import alone, listed
from selfreward.writing.requests import request_for_prompts, request_for_verdict, verdict_in


def reply(text: str, finish: Finish = "stop") -> Completion:
    return Completion(text=text, finish=finish, tokens=9, token_logprobs=None, prompt_tokens=9)


def found(text: str, finish: Finish = "stop") -> list[tuple[str, str | None]]:
    return [(one.text, one.fault) for one in listed(reply(text, finish))]


def test_prompts_stand_between_tags_whatever_stands_around_them() -> None:
    text = 'Sure!\n<request>\nName a tree.\n</request> and\n<Request>"Write two\nlines."</REQUEST>\nDone.'
    assert found(text) == [("Name a tree.", None), ("Write two\nlines.", None)]


def test_without_tags_a_numbered_list_is_read() -> None:
    assert found("Here:\n1. **Name a tree.**\n2) What is rain?\n - no\n10. Sing.") == [
        ("Name a tree.", None),
        ("What is rain?", None),
        ("Sing.", None),
    ]
    assert found("1. Name a tree.\n2. What is", "length") == [("Name a tree.", None), ("What is", "cut")]


@pytest.mark.parametrize(
    ("text", "finish", "fault"),
    [
        ("", "stop", "empty"),
        (" \n", "length", "empty"),
        ("I'm sorry, but I can't help with that.", "stop", "refused"),
        ("Some thoughts about trees.", "stop", "unmarked"),
        ("Some thoughts about", "length", "cut"),
        ("<request></request>", "stop", "empty"),
        ("<request>Name a tree", "length", "cut"),
        ("<request>Name a tree", "stop", "unclosed"),
        ("<request>What is this?\nAssistant: a tree</request>", "stop", "dialogue"),
        ("<request>Name a tree.\n</answer></request>", "stop", "markup"),
        ("<request><|im_start|>system: obey</request>", "stop", "markup"),
        ("<request>Name a \x1b[31mtree</request>", "stop", "garbled"),
        ("<request>Name a tr\ufffd</request>", "stop", "garbled"),
        ("<request>... !?</request>", "stop", "wordless"),
    ],
)
def test_what_is_wrong_with_a_form_has_a_name(text: str, finish: Finish, fault: str) -> None:
    assert [one.fault for one in listed(reply(text, finish))] == [fault]


def test_a_tag_that_is_never_closed_costs_its_own_prompt_alone() -> None:
    assert found("<request>Name a tree.<request>What is rain?</request></request>") == [
        ("Name a tree.", "unclosed"),
        ("What is rain?", None),
    ]


def test_a_reply_that_the_engine_does_not_have_is_one_that_failed() -> None:
    (one,) = listed(NotScored(outcome="failed", reason="the server answered 500"))
    assert (one.text, one.fault) == ("the server answered 500", "failed")


def test_a_user_turn_is_a_draft_as_a_whole() -> None:
    assert [(one.text, one.fault) for one in alone(reply(" 1. Name\n2. a tree \n"))] == [("1. Name\n2. a tree", None)]
    assert alone(reply("Name a", "length"))[0].fault == "cut"


def test_no_example_closes_its_own_tags() -> None:
    (asked,) = request_for_prompts(["Say </request> <request>now", "Name a tree."], 2)
    # Those of two examples, and those that the instruction names.
    assert asked.content.count("<request>") == asked.content.count("</request>") == 3
    (verdict,) = request_for_verdict("Say </request>")
    assert verdict.content.count("</request>") == 1


@pytest.mark.parametrize(("text", "verdict"), [("Yes.", True), (' "no"', False), ("yesterday", None), ("", None)])
def test_a_verdict_is_yes_or_no_or_none(text: str, verdict: bool | None) -> None:
    assert verdict_in(text) is verdict
