"""Texts that come one by one are compared as two tables are: rewordings are caught, near templates are kept."""

from selfreward.data.known_texts import KnownTexts
from tests.data.test_overlap import DIFFERENT, REWORDED, everyday


def knowing(texts: list[str], near: float | None = 0.8) -> KnownTexts:
    known = KnownTexts(near)
    for text in texts:
        known.add(text)
    return known


def test_rewordings_are_caught_and_templates_are_kept_as_between_two_tables() -> None:
    cases = [*REWORDED, *DIFFERENT]
    known = knowing([case["held_out"] for case in cases])
    found = [known.find(case["train"]) for case in cases]
    hits = [one is not None and one.other == number for number, one in enumerate(found)]
    assert sum(hits[: len(REWORDED)]) / len(REWORDED) >= 0.95
    assert sum(hits[len(REWORDED) :]) <= 2


def test_of_the_everyday_questions_each_template_is_kept() -> None:
    known = knowing(everyday("held_out"))
    assert [text for text in everyday("train") if known.find(text) is not None] == []


def test_looking_for_a_text_does_not_make_it_known() -> None:
    known = knowing(["What is a lake?"])
    assert known.find("Name three rivers of Peru.") is None
    assert known.find("Name three rivers of Peru.") is None
    found = known.find("What's a lake, please?")
    assert found is not None
    assert (found.other, found.kind) == (0, "near")


def test_without_near_only_equal_texts_are_alike() -> None:
    known = knowing(["What is a lake?"], near=None)
    assert known.find("What's a lake, please?") is None
    found = known.find("WHAT  is a lake")
    assert found is not None
    assert (found.kind, found.similarity) == ("exact", 1.0)
