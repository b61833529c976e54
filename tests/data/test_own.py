"""Your own data: several roles of one file, limits, columns of a source, the hub and the settings."""

import random
from pathlib import Path
from typing import Any

import pytest

from selfreward.__main__ import compose
from selfreward.config import validate
from selfreward.data.roles import HumanAnswer, LeftOut, Role
from selfreward.errors import ConfigError, DataError
from tests.data.owning import NO_SPLIT, ROWS, own, questions, write


def test_a_bad_row_names_file_line_role_and_setting(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [*ROWS, {"prompt": ["x"]}])
    with pytest.raises(DataError, match=r"rows\.jsonl:7 \(train\) has a list in column 'prompt'.*set columns\.prompt"):
        questions(own(train=path))


def test_repeats_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [*ROWS, ROWS[0], {"prompt": " "}]
    found = list(own(train=write(tmp_path / "rows.jsonl", rows), split=NO_SPLIT).rows("train"))
    assert [row.reason for row in found if isinstance(row, LeftOut)] == ["repeated", "empty"]
    human = list(
        own(train="x.jsonl", human=write(tmp_path / "human.jsonl", [*ROWS, {**ROWS[0], "answer": "Else."}])).rows(
            "human"
        )
    )
    assert sum(isinstance(row, HumanAnswer) for row in human) == 7


MANY: list[dict[str, Any]] = [{"prompt": f"Question {number}?"} for number in range(600)]


def test_one_file_serves_three_roles_by_content_alone(tmp_path: Path) -> None:
    roles: tuple[Role, ...] = ("train", "held_out", "probe")
    data = own(train=write(tmp_path / "one.jsonl", MANY))
    parts = {role: set(questions(data, role)) for role in roles}
    assert sum(map(len, parts.values())) == len(set.union(*parts.values())) == 600
    assert {role: len(part) / 600 for role, part in parts.items()} == pytest.approx(
        {"train": 0.8, "held_out": 0.1, "probe": 0.1}, abs=0.04
    )
    fewer = random.Random(0).sample(MANY, 300)
    other = own(train=write(tmp_path / "two.jsonl", [{"prompt": row["prompt"].upper()} for row in fewer]))
    for role in roles:
        assert {text.capitalize() for text in questions(other, role)} <= parts[role]


def test_a_role_with_its_own_file_leaves_its_share_to_train(tmp_path: Path) -> None:
    data = own(train=write(tmp_path / "a.jsonl", MANY), held_out=write(tmp_path / "b.jsonl"))
    assert len(questions(data, "held_out")) == 6
    assert len(questions(data, "train")) + len(questions(data, "probe")) == 600


def test_a_limit_takes_rows_by_content(tmp_path: Path) -> None:
    path, turned = write(tmp_path / "a.jsonl", MANY), write(tmp_path / "b.jsonl", MANY[::-1])
    one = questions(own(train={"path": path, "limit": 20}, split=NO_SPLIT))
    assert len(one) == 20
    assert one == questions(own(train={"path": turned, "limit": 20}, split=NO_SPLIT))
    assert set(questions(own(train={"path": path, "limit": 10}, split=NO_SPLIT))) < set(one)


def test_a_limit_is_split_as_the_rows_are(tmp_path: Path) -> None:
    roles: tuple[Role, ...] = ("train", "held_out", "probe")
    path = write(tmp_path / "a.jsonl", MANY)
    whole, few = own(train=path), own(train={"path": path, "limit": 100})
    assert [len(questions(few, role)) for role in roles] == [80, 10, 10]
    assert all(set(questions(few, role)) < set(questions(whole, role)) for role in roles)
    assert [len(questions(own(train={"path": path, "limit": 3}), role)) for role in roles] == [1, 1, 1]
    own_held_out = own(train={"path": path, "limit": 100}, held_out=write(tmp_path / "b.jsonl"))
    assert [len(questions(own_held_out, role)) for role in roles] == [90, 6, 10]


def test_columns_are_those_of_the_source_before_those_of_the_data(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", [{"ask": "Why?", "other": "How?"}])
    data = own(
        train={"path": one, "columns": {"prompt": "other"}}, target=one, columns={"prompt": "ask"}, split=NO_SPLIT
    )
    assert (questions(data), questions(data, "target")) == (["How?"], ["Why?"])


def test_only_the_role_whose_file_changed_is_made_anew(tmp_path: Path) -> None:
    data = own(train=write(tmp_path / "a.jsonl"), human=write(tmp_path / "b.jsonl"))
    before = {role: data.fingerprint(role) for role in ("train", "human", "held_out", "gold_gate")}
    write(tmp_path / "b.jsonl", ROWS[1:])
    after = {role: data.fingerprint(role) for role in ("train", "human", "held_out", "gold_gate")}
    assert {role for role in before if before[role] != after[role]} == {"human"}
    assert before["held_out"] == before["train"] and before["gold_gate"] == "none"


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_hub_data_set_shares_the_code_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[tuple[Any, ...]] = []

    def load_dataset(name: str, subset: str | None, *, split: str, revision: str) -> Any:
        asked.append((name, subset, split, revision))
        if split == "gone":
            raise ValueError('Unknown split "gone". Should be one of [...]')
        return datasets.Dataset.from_list(ROWS)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    data = own(train={"name": "someone/things", "revision": COMMIT, "subset": "main"}, split=NO_SPLIT)
    assert questions(data) == questions(own(train=write(tmp_path / "a.jsonl"), split=NO_SPLIT))
    assert asked == [("someone/things", "main", "train", COMMIT)]
    assert data.fingerprint("train") == COMMIT
    with pytest.raises(DataError, match=r'someone/things/gone cannot be loaded \(Unknown split "gone"'):
        questions(own(train={"name": "someone/things", "revision": COMMIT, "split": "gone"}))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=files", "data.train=a.jsonl", "data.held_out=a.jsonl"], "leave data.held_out out and set data.split"),
        (["data=files", "data.train=a.jsonl", "data.held_out=b", "data.probe=b"], "data.probe is data.held_out"),
        (["data=files", "data.train=a.jsonl", "data.split.probe=0.95"], "leave nothing to train"),
        (["data=files", "data.train=a.jsonl"], "needs human answers: give data.human a file"),
        (["data=hub", "data.train.name=a/b", "data.train.revision=main"], r"data\.train\.revision=main: .*pattern"),
        (["data=files", "data.train={path:a.jsonl,limit:0}"], r"data\.train\.limit=0: .*greater than 0"),
        (["experiment=scripted", "data.human=null"], r"data\.human=None: .*valid integer"),
    ],
)
def test_a_mistake_in_the_settings_is_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(compose(overrides))
