"""Held-out prompts in sets with names: what they give, what counts in a key, what is told of a mistake."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.__main__ import compose
from selfreward.config import validate
from selfreward.data.own import OwnData
from selfreward.data.roles import ColumnsSeen, LeftOut
from selfreward.errors import ConfigError, DataError
from selfreward.records import HeldOutPrompt
from selfreward.spec import identity
from tests.data.owning import ROWS, own, write
from tests.support import selfreward

OTHER = [{"prompt": f"Why is thing {number} shifted?"} for number in range(4)]


def sets_of(folder: Path, **sets: list[dict[str, Any]]) -> dict[str, Path]:
    return {name: write(folder / f"{name}.jsonl", rows) for name, rows in sets.items()}


def asked(folder: Path, **sets: list[dict[str, Any]]) -> list[tuple[str | None, str]]:
    data = own(train="t.jsonl", held_out=sets_of(folder, **sets))
    rows = [row for row in data.rows("held_out") if isinstance(row, HeldOutPrompt)]
    return [(row.set_name, row.messages[-1].content) for row in rows]


def test_every_prompt_is_of_the_set_whose_file_it_stands_in(tmp_path: Path) -> None:
    found = asked(tmp_path, near=ROWS, far=OTHER)
    assert found == [("near", row["prompt"]) for row in ROWS] + [("far", row["prompt"]) for row in OTHER]


def test_a_prompt_of_two_sets_is_kept_in_the_first_and_counted(tmp_path: Path) -> None:
    both = own(train="t.jsonl", held_out=sets_of(tmp_path, near=ROWS, far=[ROWS[0], *OTHER, OTHER[0], ROWS[0]]))
    rows = list(both.rows("held_out"))
    assert [row.set_name for row in rows if isinstance(row, HeldOutPrompt)] == ["near"] * 6 + ["far"] * 4
    assert [row.reason for row in rows if isinstance(row, LeftOut)] == [
        "in_an_earlier_set",
        "repeated",
        "in_an_earlier_set",
    ]


@given(st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=6), min_size=1, max_size=4))
def test_sets_hold_together_what_one_file_of_all_rows_holds(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("sets")
    # Its own row gives every set one prompt that no other has.
    sets = {
        f"s{place}": [{"prompt": f"Own {place}?"}, *({"prompt": f"{n}?"} for n in some)]
        for place, some in enumerate(numbers)
    }
    one = own(train="t.jsonl", held_out=write(folder / "all.jsonl", [row for rows in sets.values() for row in rows]))
    told = asked(folder, **sets)
    assert [text for _, text in told] == [
        row.messages[-1].content for row in one.rows("held_out") if not isinstance(row, LeftOut | ColumnsSeen)
    ]
    for name, text in told:
        assert name == next(name for name, rows in sets.items() if {"prompt": text} in rows)


def test_a_set_may_be_a_source_with_columns_and_a_limit(tmp_path: Path) -> None:
    near, far = write(tmp_path / "a.jsonl"), write(tmp_path / "b.jsonl", [{"ask": row["prompt"]} for row in OTHER])
    data = own(train="t.jsonl", held_out={"near": near, "far": {"path": far, "columns": {"prompt": "ask"}, "limit": 2}})
    rows = list(data.rows("held_out"))
    assert [row.set_name for row in rows if isinstance(row, HeldOutPrompt)] == ["near"] * 6 + ["far"] * 2
    assert [(row.set_name, dict(row.unread)) for row in rows if isinstance(row, ColumnsSeen)] == [
        ("near", {}),
        ("far", {}),
    ]


def test_sets_count_by_name_and_content_and_one_file_as_ever(tmp_path: Path) -> None:
    near, far, more = (
        write(tmp_path / f"{name}.jsonl", rows) for name, rows in (("near", ROWS), ("far", OTHER), ("more", OTHER[:2]))
    )
    alone, named = own(train="t.jsonl", held_out=near), own(train="t.jsonl", held_out={"near": near, "far": far})
    assert identity(alone)["held_out"] == {"columns": None, "limit": None}
    changed = own(train="t.jsonl", held_out={"near": near, "far": more})
    renamed = own(train="t.jsonl", held_out={"near": near, "shifted": far})
    moved = own(train="t.jsonl", held_out={"near": near, "far": write(tmp_path / "moved.jsonl", OTHER)})
    prints = [one.fingerprint("held_out") for one in (alone, named, changed, renamed)]
    assert len(set(prints)) == 4
    assert (moved.fingerprint("held_out"), identity(moved)) == (named.fingerprint("held_out"), identity(named))
    assert identity(renamed) != identity(named)


@pytest.mark.parametrize(
    ("held_out", "message"),
    [
        ("{a b: a.jsonl}", "data.held_out: the name of a set 'a b' is no plain word: take letters, digits and _ alone"),
        ("{in-distribution: a.jsonl}", "the name of a set 'in-distribution' is no plain word"),
        ("{}", "data.held_out: {} names no set: give {NAME: FILE, ...}, one file, or null"),
        ("{a: x.jsonl, b: x.jsonl}", "data.held_out.b is data.held_out.a: give each its own file"),
        ("{a: x.jsonl, b: t.jsonl}", "data.held_out.b is data.train: give each its own file"),
        ("{a: x.jsonl, b: p.jsonl}", "data.probe is data.held_out.b: give each its own file"),
        ("{a: x.jsonl, b: {path: y.jsonl, limit: 0}}", "data.held_out.b.limit=0: Input should be greater than 0"),
        ("{a: {limit: 3}}", "data.held_out.a.path: Field required"),
    ],
)
def test_a_mistake_in_the_settings_is_one_line(held_out: str, message: str) -> None:
    settings = ["data=files", "data.train=t.jsonl", "data.probe=p.jsonl", f"data.held_out={held_out}"]
    with pytest.raises(ConfigError) as told:
        validate(compose(settings))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_a_set_that_gives_no_prompt_or_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^data\.held_out\.far gives no prompt, empty 1, in an earlier set 1: check"):
        asked(tmp_path, near=ROWS, far=[{"prompt": " "}, ROWS[0]])
    gone = own(train="t.jsonl", held_out={"near": write(tmp_path / "a.jsonl"), "far": tmp_path / "gone.jsonl"})
    with pytest.raises(DataError, match=r"gone\.jsonl does not exist"):
        gone.fingerprint("held_out")
    broken = write(tmp_path / "b.jsonl")
    broken.write_text('{"prompt": \n')
    with pytest.raises(DataError, match=r"b\.jsonl:1 is not JSON"):
        list(own(train="t.jsonl", held_out={"near": tmp_path / "a.jsonl", "far": broken}).rows("held_out"))


def test_sets_that_are_typed_one_by_one_are_given_back_as_one_setting(tmp_path: Path) -> None:
    one_by_one = ["data.held_out.near=a.jsonl", "data.held_out.far=b.jsonl"]
    done = selfreward("run", "data=files", "data.train=t.jsonl", "mix.real_share=0", *one_by_one, cwd=tmp_path)
    assert done.returncode == 2
    (typed,) = shlex.split(done.stderr.partition("type ")[2])
    assert typed == "data.held_out={near: a.jsonl, far: b.jsonl}"
    config = validate(compose(["data=files", "data.train=t.jsonl", "mix.real_share=0", typed]))
    assert config.data == own(
        train="t.jsonl", held_out={"near": "a.jsonl", "far": "b.jsonl"}, system=config.data.system
    )


def test_a_set_may_be_of_the_hub_and_be_called_by_a_number() -> None:
    near = "{name: someone/things, revision: 0123456789abcdef0123456789abcdef01234567, split: test}"
    typed = ["data=files", "data.train=t.jsonl", "mix.real_share=0", f"data.held_out={{1: {near}, 2: b.jsonl}}"]
    data = validate(compose(typed)).data
    assert isinstance(data, OwnData) and isinstance(data.held_out, dict)
    assert {name: type(source).__name__ for name, source in data.held_out.items()} == {
        "1": "HubSource",
        "2": "FileSource",
    }
