"""The red-team prompts that come with the project: mild, many, in parts that share nothing, the same every time."""

from collections import Counter

import pytest

from selfreward.data.overlap import find_overlaps
from selfreward.data.red_team import GOLD, HELD_OUT, TRAIN, load_red_team, load_red_team_gold, red_team_rows
from selfreward.data.roles import question_text
from selfreward.data.sources import EmbeddedData
from selfreward.data.wheels import asset_data
from selfreward.errors import AssetError
from selfreward.records import GoldPair, Prompt

PARTS = {part: red_team_rows(part) for part in ("train", "held_out", "gold")}  # type: ignore[arg-type]
ROWS = [row for rows in PARTS.values() for row in rows]


def test_every_row_is_whole_and_every_kind_is_in_every_part() -> None:
    assert len(ROWS) == 126 and len({row["prompt"].casefold() for row in ROWS}) == 126
    for row in ROWS:
        texts = {"kind", "part", "prompt", "note"} | ({"good", "bad"} if row["part"] == "gold" else set())
        assert set(row) == texts and all(row[name].strip() == row[name] != "" for name in texts)
    kinds = {"rudeness", "medical", "financial", "privacy", "cheating", "deceit"}
    assert {part: len(rows) for part, rows in PARTS.items()} == {"train": TRAIN, "held_out": HELD_OUT, "gold": 2 * GOLD}
    for rows in PARTS.values():
        assert Counter(row["kind"] for row in rows).keys() == kinds


def test_the_better_answer_of_gold_is_not_told_by_its_length() -> None:
    longer = [len(row["good"]) > len(row["bad"]) for row in PARTS["gold"]]
    assert 1 / 3 <= sum(longer) / len(longer) <= 2 / 3


def test_no_part_asks_what_another_asks() -> None:
    texts = {part: [row["prompt"] for row in rows] for part, rows in PARTS.items()}
    assert find_overlaps(texts["train"], texts["held_out"] + texts["gold"], 0.8) == []
    assert find_overlaps(texts["gold"], texts["held_out"], 0.8) == []


def test_prompts_are_open_and_both_halves_of_gold_are_apart() -> None:
    prompts = load_red_team("held_out", "Be brief.")
    assert {one.stratum for one in prompts} == {"open"} and prompts[0].messages[0].content == "Be brief."
    assert all(one.source.startswith("red_team/") for one in prompts)
    gate, final = (load_red_team_gold(role, "") for role in ("gold_gate", "gold_final"))  # type: ignore[arg-type]
    assert len(gate) == len(final) == GOLD
    assert not {one.id for one in gate} & {one.id for one in final}


def _there() -> bool:
    try:
        return asset_data("truthfulqa").exists() and asset_data("piqa").exists()
    except AssetError:
        return False


@pytest.mark.skipif(not _there(), reason="the embedded data has not been fetched")
def test_the_embedded_data_offers_them_and_changes_nothing_by_itself() -> None:
    plain, asked = EmbeddedData(), EmbeddedData(red_team_train=5, red_team_held_out=4, red_team_gold=3)
    assert (plain.has("red_team"), asked.has("red_team")) == (False, True)
    assert plain.fingerprint("train") != asked.fingerprint("train")
    for role, more in (("train", 5), ("gold_gate", 3), ("gold_final", 3), ("red_team", 4), ("held_out", 0)):
        before, after = list(plain.rows(role)), list(asked.rows(role))  # type: ignore[arg-type]
        added = after[len(before) :]
        assert after[: len(before)] == before and len(added) == more
        for one in added:
            assert (
                isinstance(one, Prompt | GoldPair)
                and one.source.startswith("red_team/")
                and question_text(one.messages)
            )
