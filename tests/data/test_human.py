"""Human questions and pairs: what is read, and that no question is in two parts."""

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest

from selfreward.data import embedded
from selfreward.data.embedded import PairPart, QuestionPart, load_piqa, load_truthfulqa
from selfreward.data.sources import EmbeddedData
from selfreward.errors import DataError
from selfreward.records import GoldPair, Message
from selfreward.spec import identity

QUESTION_PARTS: tuple[QuestionPart, ...] = get_args(QuestionPart)
PAIR_PARTS: tuple[PairPart, ...] = get_args(PairPart)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(embedded, "asset_data", lambda name: tmp_path / f"{name}.jsonl")
    return tmp_path


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _all_pairs(system: str = "") -> list[GoldPair]:
    return [pair for part in PAIR_PARTS for pair in load_piqa(part, system)]


def test_questions_are_split_by_content_alone(folder: Path) -> None:
    rows: list[dict[str, object]] = [{"question": f"Why {number}?", "answer": ["Because"]} for number in range(400)]
    _write(folder / "truthfulqa.jsonl", rows)
    whole = {part: load_truthfulqa(part) for part in QUESTION_PARTS}
    _write(folder / "truthfulqa.jsonl", rows[:99:-1])
    for part in QUESTION_PARTS:
        names = [one.messages[-1].content for one in whole[part]]
        fewer = [one.messages[-1].content for one in load_truthfulqa(part)]
        assert fewer == [name for name in names if name in set(fewer)]
    sizes = {part: len(rows) / 400 for part, rows in whole.items()}
    assert sizes == pytest.approx({"pool": 0.45, "train": 0.20, "probe": 0.15, "final": 0.20}, abs=0.06)
    assert sum(len(rows) for rows in whole.values()) == 400


def test_repeated_questions_and_bad_answers_are_dropped(folder: Path) -> None:
    rows: list[dict[str, object]] = [
        {"question": "What is it?", "answer": ["A cat ", "", "A cat", "A dog"]},
        {"question": "what  IS it", "answer": ["Nothing"]},
    ]
    _write(folder / "truthfulqa.jsonl", rows)
    (one,) = [one for part in QUESTION_PARTS for one in load_truthfulqa(part)]
    assert one.messages[-1].content == "What is it?"
    assert one.references == ("A cat", "A dog")


def test_pairs_lose_their_letters(folder: Path) -> None:
    options = "A. boil it \nB. freeze it\nfor a day"
    _write(folder / "piqa.jsonl", [{"question": "melt ice", "options": options, "answer": "A. boil it "}])
    (pair,) = _all_pairs("Be brief.")
    assert (pair.right, pair.wrong) == ("boil it", "freeze it\nfor a day")
    assert pair.messages == (
        Message(role="system", content="Be brief."),
        Message(role="user", content="melt ice"),
    )
    assert pair.source == "piqa"
    (plain,) = _all_pairs()
    assert plain.messages == pair.messages[1:]
    assert plain.id != pair.id


def test_a_goal_that_occurs_twice_stays_in_one_part(folder: Path) -> None:
    rows: list[dict[str, object]] = [
        {"question": goal, "options": f"A. {number}\nB. no", "answer": f"A. {number}"}
        for number in range(30)
        for goal in (f"goal {number}", f"Goal {number}.")
    ]
    _write(folder / "piqa.jsonl", rows)
    sizes = Counter(
        (part, pair.right) for part in PAIR_PARTS for pair in load_piqa(part) if pair.messages[0].role == "user"
    )
    assert set(sizes.values()) == {2}
    assert len(sizes) == 30
    assert len({part for part, _ in sizes}) == 2


def test_a_broken_row_names_its_line(folder: Path) -> None:
    for row in ({"question": "Why?"}, {"answer": ["x"]}):
        _write(folder / "truthfulqa.jsonl", [row])
        with pytest.raises(DataError, match=r"truthfulqa\.jsonl:1: .*selfreward assets"):
            load_truthfulqa("pool")
    (folder / "truthfulqa.jsonl").write_text('{"question": ')
    with pytest.raises(DataError, match=r"truthfulqa\.jsonl:1 is not JSON"):
        load_truthfulqa("pool")
    _write(folder / "piqa.jsonl", [{"question": "melt ice", "options": "A. only", "answer": "A. only"}])
    with pytest.raises(DataError, match=r"piqa\.jsonl:1: .*selfreward assets"):
        _all_pairs()


@pytest.mark.model
def test_the_real_questions() -> None:
    parts = {part: load_truthfulqa(part) for part in QUESTION_PARTS}
    assert {part: len(rows) for part, rows in parts.items()} == {"pool": 352, "train": 164, "probe": 121, "final": 180}
    questions = {part: {one.messages[-1].content.casefold() for one in rows} for part, rows in parts.items()}
    for first, second in combinations(QUESTION_PARTS, 2):
        assert not questions[first] & questions[second]
    assert all(one.references and all(one.references) for rows in parts.values() for one in rows)


def test_human_pairs_are_the_last_of_the_part_whose_first_are_gold(folder: Path) -> None:
    _write(
        folder / "piqa.jsonl",
        [{"question": f"Do {n}", "options": f"A. good {n}\nB. bad {n}", "answer": f"A. good {n}"} for n in range(60)],
    )
    _write(folder / "truthfulqa.jsonl", [])
    part = len(load_piqa("gate"))
    data = EmbeddedData(human_pairs=part - 10, gold_gate=10)
    pairs, gold = list(data.rows("human_pairs")), list(data.rows("gold_gate"))
    assert (len(pairs), len(gold)) == (part - 10, 10)
    assert not {one.prompt.messages for one in pairs} & {one.messages for one in gold}
    assert all(one.chosen.startswith("good") and one.rejected.startswith("bad") for one in pairs)
    assert list(EmbeddedData().rows("human_pairs")) == []
    assert "human_pairs" not in identity(EmbeddedData()), "keys of data without them are as they were"
    assert list(EmbeddedData(gold_gate=10).rows("gold_gate")) == gold


@pytest.mark.model
def test_the_real_pairs() -> None:
    parts = {part: load_piqa(part, "Answer briefly.") for part in PAIR_PARTS}
    assert {part: len(rows) for part, rows in parts.items()} == {"gate": 761, "final": 739}
    goals = {part: {pair.messages[-1].content.casefold() for pair in rows} for part, rows in parts.items()}
    assert not goals["gate"] & goals["final"]
    ids = [pair.id for rows in parts.values() for pair in rows]
    assert len(set(ids)) == len(ids)
    assert all(pair.right and pair.wrong and pair.right != pair.wrong for rows in parts.values() for pair in rows)
