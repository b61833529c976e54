"""A constitution: what a file holds, how rows name its principles, and what is wrong with a bad one."""

from collections import Counter

import pytest
from pydantic import ValidationError

from selfreward.__main__ import compose
from selfreward.config import validate
from selfreward.errors import ConfigError
from selfreward.judges.constitution import Constitution
from selfreward.judges.pairwise import PairwiseSpec


def shipped(*overrides: str) -> Constitution:
    judge = validate(compose(["judge=constitution", *overrides])).judge
    assert isinstance(judge, PairwiseSpec)
    assert judge.constitution is not None
    return judge.constitution


def test_the_shipped_one_has_principles_of_every_kind_and_examples_by_them() -> None:
    constitution = shipped()
    assert len(constitution.principles) >= 12
    texts = [text for one in constitution.principles for text in (one.critique, one.revision, one.question)]
    assert len(set(texts)) == len(texts)
    assert all(one.question.endswith("?") for one in constitution.principles)
    assert {"no_help_with_harm", "true_statements", "what_was_asked", "no_needless_refusal"} <= {
        one.id for one in constitution.principles
    }
    assert len(constitution.examples) >= 2


def test_rows_name_a_principle_by_everything_that_the_constitution_says() -> None:
    names, changed = shipped().names(), shipped("judge.constitution.version=3").names()
    assert names.keys() == changed.keys() == {one.id for one in shipped().principles}
    assert names["respect"].startswith("helpful_honest_harmless@2:")
    assert names["respect"].endswith("/respect")
    assert set(names.values()).isdisjoint(changed.values())


def test_each_principle_is_drawn_about_as_often() -> None:
    constitution = shipped()
    drawn = Counter(constitution.draw(seed).id for seed in range(2800))
    assert drawn.keys() == {one.id for one in constitution.principles}
    assert min(drawn.values()) > 140
    assert constitution.draw(7) == constitution.draw(7)


def test_a_mistake_in_a_constitution_is_named() -> None:
    one = {"id": "kind", "critique": "c", "revision": "r", "question": "Which?"}
    example = {"question": "q", "answer": "a", "principle": "brave", "critique": "c", "revision": "r"}
    for given, message in (
        ({"principles": []}, "at least 1 item"),
        ({"principles": ["Prefer the kind answer."]}, "valid dictionary or instance of Principle"),
        ({"principles": [one | {"question": ""}]}, "at least 1 character"),
        ({"principles": [one | {"id": "Not kind"}]}, "match pattern"),
        ({"principles": [one, one]}, "2 principles have the id kind: give each an id of its own"),
        ({"principles": [one], "examples": [example]}, "by the principle 'brave', .*: name one of kind"),
    ):
        with pytest.raises(ValidationError, match=message):
            Constitution.model_validate({"id": "mine", "version": 1, **given})
    with pytest.raises(ConfigError, match=r"^judge\.constitution\.principles") as caught:
        shipped("judge.constitution.principles=[]")
    assert "\n" not in str(caught.value)
