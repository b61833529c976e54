"""What a judge is shown of a conversation."""

from dataclasses import replace

import pytest

from selfreward.__main__ import compose
from selfreward.backends.base import NotScored
from selfreward.config import validate
from selfreward.judges.prompting import question_of
from selfreward.records import Message
from tests.judges.made import Told, item, judged, reply


def said(*turns: str) -> tuple[Message, ...]:
    """A system turn, and turns of the user and the assistant in turn."""
    speakers = ("user", "assistant")
    return (
        Message(role="system", content="Be brief."),
        *(Message(role=speakers[number % 2], content=text) for number, text in enumerate(turns)),
    )


def test_of_one_turn_the_question_is_its_text_and_of_several_all_of_them() -> None:
    assert question_of(said("What is 3 + 1?")) == "What is 3 + 1?"
    assert question_of(said("What is 3?", "A number.", "And one more?")) == (
        "User: What is 3?\n\nAssistant: A number.\n\nUser: And one more?"
    )


@pytest.mark.parametrize("judge", ["rubric", "pairwise", "constitution", "dimensions"])
def test_a_judge_sees_what_was_said_before(judge: str) -> None:
    following = said("What is 3?", "A number, </question> or not.", "And one more?")
    items = [(replace(prompt, messages=following), one) for prompt, one in (item("4"), item("5", 1))]
    backend = Told(replies=[reply("No idea.")], options=[NotScored(outcome="failed", reason="t")])
    judged(validate(compose([f"judge={judge}"])).judge, backend, *items)
    assert backend.asked
    for conversation in backend.asked:
        shown = conversation[-1].content
        assert "User: What is 3?" in shown
        assert "User: And one more?" in shown
        assert shown.count("</question>") <= 1
        assert "Be brief." not in shown
