"""Out to a labelling tool and back: who preferred what survives the random order, and labellers see nothing else."""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfreward.judge_quality.verdicts import Verdicts
from selfreward.labels import argilla, label_studio
from selfreward.labels.blind import CHOICES, blind, read_key, write_key
from selfreward.labels.items import Item
from selfreward.labels.returned_gold import labelled_items, read_returned
from selfreward.records import Message
from selfreward.thought import split_thought
from tests.labels import tools
from tests.labels.tools import pair

HOSTILE = "]]></Text><View> <script>alert(1)</script> & \"'$answer_b {{item}} https://example.org/\u202e ../../etc"
# A text that a marker opens is a thought to whoever reads the file, and no answer.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20).filter(
    lambda text: split_thought(text)[0] is None
)
TRIPS = {
    "label-studio": (label_studio.write, tools.label_studio),
    "argilla": (argilla.write, tools.argilla),
    "argilla, flat": (argilla.write, tools.argilla_flat),
}


def there_and_back(items, people, trip, seed=0, rubric="r@1:abc") -> list[Item]:
    write, back = TRIPS[trip]
    with TemporaryDirectory() as name:
        folder = Path(name) / "out"
        folder.mkdir()
        pairs = blind(items, seed, rubric)
        write_key(Path(name) / "key.jsonl", [hidden for _, hidden in pairs])
        write(folder, [shown for shown, _ in pairs], "Which is better?")
        returned = back(folder, people)
        return labelled_items(read_returned(returned)[0], read_key(Path(name) / "key.jsonl"))


@pytest.mark.parametrize("trip", TRIPS)
@settings(max_examples=25)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_who_preferred_what_survives_whatever_the_order(trip: str, data: st.DataObject, seed: int) -> None:
    texts = data.draw(st.lists(st.tuples(TEXTS, TEXTS).filter(lambda two: two[0] != two[1]), min_size=1, max_size=5))
    items = [pair(f"id {n}", *two, question=f"question {n}") for n, two in enumerate(texts)]
    margins = [data.draw(st.tuples(*[st.integers(-2, 2)] * 2)) for _ in items]
    choice_of = {margin: choice for choice, margin in CHOICES.items()}

    def person(place: int) -> tools.Person:
        def choose(question: str, answer_a: str, answer_b: str) -> str:
            number = int(question.split()[1])
            margin = margins[number][place]
            return choice_of[margin if texts[number] == (answer_a, answer_b) else -margin]

        return choose

    found = there_and_back(items, {"ann": person(0), "bob": person(1)}, trip, seed)
    by_id = {item.id: item for item in found}
    assert set(by_id) == {item.id for item in items}
    for n, item in enumerate(items):
        back = by_id[item.id]
        assert (back.labelled.first, back.labelled.second) == texts[n]
        assert back.labelled.messages == item.labelled.messages
        assert [(label.labeller, label.margin) for label in back.labels] == [
            ("ann", margins[n][0]),
            ("bob", margins[n][1]),
        ]
        assert back.labelled.verdicts == tuple("tie" if m == 0 else "first" if m > 0 else "second" for m in margins[n])
        assert back.rubric == "r@1:abc"


@pytest.mark.parametrize("trip", TRIPS)
def test_comment_and_time_come_back_and_who_skips_has_no_label(trip: str) -> None:
    people = {"ann": tools.prefers({"What of x?": "good"}), "bob": lambda *_: None}
    (item,) = there_and_back([pair("x", "good", "bad")], people, trip)
    (label,) = item.labels
    assert (label.labeller, label.verdict, label.comment) == ("ann", "first", "says ann")
    assert label.at == ("2026-03-10T22:16:08.728353Z" if trip == "label-studio" else None)


def test_both_orders_come_about_and_depend_on_id_and_seed_alone() -> None:
    items = [pair(f"id {n}", "good", "bad") for n in range(200)]
    swapped = {hidden.item.id: hidden.swapped for _, hidden in blind(items, 0, None)}
    assert 70 < sum(swapped.values()) < 130
    assert swapped == {hidden.item.id: hidden.swapped for _, hidden in blind(items[::-1], 0, "r@1:abc")}
    assert swapped != {hidden.item.id: hidden.swapped for _, hidden in blind(items, 1, None)}


@pytest.mark.parametrize("trip", ["label-studio", "argilla"])
def test_labellers_see_question_and_answers_and_nothing_else(trip: str, tmp_path: Path) -> None:
    judge = Verdicts(
        id="SECRET-ID",
        preference=0.987654,
        flipped=True,
        first_score=4.3125,
        second_score=None,
        first_shown=None,
        outcome="scored",
    )
    item = pair(
        "SECRET-ID",
        "good",
        "bad",
        "Which?",
        judge=judge,
        disagreement=0.123456,
        kind="SECRET-KIND",
        rubric="SECRET@1:0",
    )
    item = tools.replace_labelled(
        item, verdicts=("second",), source="SECRET-SOURCE", first_author="SECRET-MODEL", second_author="SECRET-PERSON"
    )
    pairs = blind([item], 7, "r@1:abc")
    folder = tmp_path / "out"
    folder.mkdir()
    TRIPS[trip][0](folder, [shown for shown, _ in pairs], "Which is better?")
    given_out = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert "good" in given_out and "bad" in given_out
    for secret in (
        "SECRET",
        "0.98",
        "4.31",
        "0.12",
        "flipped",
        "verdict",
        "scored",
        "swapped",
        "r@1",
        "first",
        "second",
    ):
        assert secret not in given_out, secret
    assert not re.search(r"\bseed\b", given_out)


@pytest.mark.parametrize("trip", TRIPS)
def test_hostile_text_comes_back_as_it_was(trip: str) -> None:
    item = pair(HOSTILE, HOSTILE, f"{HOSTILE}!", question=HOSTILE)
    (back,) = there_and_back([item], {HOSTILE: tools.prefers({HOSTILE: f"{HOSTILE}!"})}, trip)
    assert (back.id, back.labelled.first, back.labelled.second) == (HOSTILE, HOSTILE, f"{HOSTILE}!")
    assert back.labels[0].verdict == "second"


def test_a_character_that_databases_refuse_is_shown_as_a_sign(tmp_path: Path) -> None:
    ((shown, hidden),) = blind([pair("x", "a\0", "b\0", question="c\0")], 0, None)
    assert "\0" not in f"{shown.question}{shown.answer_a}{shown.answer_b}"
    assert hidden.item.labelled.first == "a\0"


def test_no_text_of_the_data_stands_in_the_labelling_interface(tmp_path: Path) -> None:
    for name, text in (("plain", "a"), ("hostile", HOSTILE)):
        (tmp_path / name).mkdir()
        shown = [one for one, _ in blind([pair("x", text, "b", question=text)], 0, None)]
        label_studio.write(tmp_path / name, shown, text)
    plain, hostile = ((tmp_path / name / "interface.xml").read_text() for name in ("plain", "hostile"))
    assert plain == hostile
    assert plain.count("<Text ") == plain.count('valueType="text"'), "an address in the data is never fetched"


def test_a_conversation_is_shown_with_its_speakers(tmp_path: Path) -> None:
    turns = (Message(role="system", content="Be brief."), Message(role="user", content="Hi"))
    item = tools.replace_labelled(pair("x", "a", "b"), messages=turns)
    ((shown, _),) = blind([item], 0, None)
    assert shown.question == "System: Be brief.\n\nUser: Hi"
    ((alone, _),) = blind([pair("x", "a", "b", question="Hi")], 0, None)
    assert alone.question == "Hi"


def test_argilla_gets_a_data_set_that_it_can_load(tmp_path: Path) -> None:
    """The names and forms that version 2.8 of its Python package wrote and loaded."""
    argilla.write(tmp_path, [one for one, _ in blind([pair("x", "a", "b")], 0, None)], "Which is better?")
    settings = json.loads((tmp_path / ".argilla/settings.json").read_text())
    assert [field["name"] for field in settings["fields"]] == ["question", "response_a", "response_b"]
    assert all(field["settings"] == {"type": "text", "use_markdown": False} for field in settings["fields"])
    preference, comment = settings["questions"]
    assert preference["settings"]["type"] == "label_selection" and preference["required"]
    assert [option["value"] for option in preference["settings"]["options"]] == list(CHOICES)
    assert comment["settings"]["type"] == "text" and not comment["required"]
    (record,) = json.loads((tmp_path / "records.json").read_text())
    assert record["responses"] == {} and set(record["fields"]) == {"question", "response_a", "response_b"}
    name = json.loads((tmp_path / ".argilla/dataset.json").read_text())["name"]
    (tmp_path / "other").mkdir()
    argilla.write(tmp_path / "other", [one for one, _ in blind([pair("x", "a", "b")], 1, None)], "Which is better?")
    assert json.loads((tmp_path / "other/.argilla/dataset.json").read_text())["name"] != name, "two exports never mix"
