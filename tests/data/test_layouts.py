"""Public layouts: what docs/data.md says to type reads rows of that shape."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from selfreward.data.own import OwnData
from selfreward.data.roles import ColumnsSeen, HumanAnswer, HumanPair, LeftOut, Role, Row
from selfreward.records import GoldPair, Message, Prompt
from tests.data.layouts import LAYOUTS

ROOT = Path(__file__).parents[2]
TYPED = dict(re.findall(r"```yaml ([\w-]+)\n(.*?)```", (ROOT / "docs/data.md").read_text(), re.DOTALL))


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    match path.suffixes[-1]:
        case ".gz":
            path.write_bytes(gzip.compress(lines.encode()))
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        case ".jsonl":
            path.write_text(lines)
        case ".json":
            path.write_text(json.dumps(rows))


def told(row: Row) -> Any:
    match row:
        case Prompt():
            return row.messages[-1].content, row.references
        case HumanAnswer():
            return row.prompt.messages[-1].content, row.text
        case HumanPair():
            return row.prompt.messages[-1].content, row.chosen, row.rejected, row.margin
        case GoldPair():
            return row.messages[-1].content, row.right, row.wrong, (row.right_author, row.wrong_author)
        case LeftOut():
            return row.reason
        case ColumnsSeen():
            return None


def loaded(folder: Path, typed: str, rows: list[dict[str, Any]]) -> tuple[Role, list[Row]]:
    """What the settings of a block give where `rows` are the file that it names."""
    settings = yaml.safe_load(typed)
    role = next(name for name in settings if name != "on_bad_row")
    source = settings[role] if isinstance(settings[role], dict) else {"path": settings[role]}
    path = folder / Path(source["path"]).name.replace("*", "0")
    write(path, rows)
    settings[role] = {**source, "path": path}
    data = OwnData.model_validate({"train": "other.jsonl", "split": {"held_out": 0, "probe": 0}} | settings)
    return role, list(data.rows(role))


def test_every_layout_of_the_documentation_is_tried() -> None:
    assert TYPED.keys() - {"signed"} == LAYOUTS.keys()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_public_layout_loads_by_settings_alone(tmp_path: Path, name: str) -> None:
    rows, expected = LAYOUTS[name]
    _, found = loaded(tmp_path, TYPED[name], rows)
    assert [told(row) for row in found if not isinstance(row, ColumnsSeen)] == expected


@pytest.mark.parametrize("name", ["hh-rlhf", "ultrafeedback-binarized", "helpsteer2", "oasst-trees"])
def test_pairs_give_prompts_too(tmp_path: Path, name: str) -> None:
    typed = TYPED[name].replace("human_pairs:", "train:")
    _, found = loaded(tmp_path, typed, LAYOUTS[name][0])
    prompts = [row for row in found if isinstance(row, Prompt)]
    assert {prompt.messages[-1].content for prompt in prompts} == {
        "hh-rlhf": {"Why?"},
        "ultrafeedback-binarized": {"Name a tea."},
        "helpsteer2": {"Another?", "Name a cape."},
        "oasst-trees": {"Name a cheese.", "Another?"},
    }[name]


def test_turns_before_the_last_are_kept(tmp_path: Path) -> None:
    (tmp_path / "2").mkdir()
    _, found = loaded(tmp_path, TYPED["helpsteer2"], LAYOUTS["helpsteer2"][0])
    pair = next(row for row in found if isinstance(row, HumanPair))
    assert pair.prompt.messages == tuple(
        Message(role=role, content=text)  # type: ignore[arg-type]
        for role, text in (("user", "Name a bay."), ("assistant", "Biscay"), ("user", "Another?"))
    )
    _, found = loaded(tmp_path / "2", TYPED["oasst-messages"], LAYOUTS["oasst-messages"][0])
    later = [row for row in found if isinstance(row, HumanAnswer)][1]
    assert [one.content for one in later.prompt.messages] == ["Name a cheese.", "Gouda.", "Another?"]


def test_what_lists_turns_in_strings_of_json_is_read_as_a_conversation(tmp_path: Path) -> None:
    """The layout of lmsys-arena-human-preference-55k."""

    def battle(asked: list[str], one: list[str], two: list[str], **won: int) -> dict[str, Any]:
        texts = {"prompt": asked, "response_a": one, "response_b": two}
        flags = {"winner_model_a": 0, "winner_model_b": 0, "winner_tie": 0} | won
        return {"id": 1, **{name: json.dumps(value) for name, value in texts.items()}, **flags}

    rows = [
        battle(["Name a bay."], ["A lake."], ["Bengal."], winner_model_b=1),
        battle(["Hi", "Why?"], ["Hello", "So."], ["Hello", "No."], winner_model_a=1),
        battle(["Hi", "Why?"], ["Hello", "So."], ["Hey", "No."], winner_model_a=1),
        battle(["Name a bay."], ["A lake."], ["Bengal."], winner_tie=1),
    ]
    _, found = loaded(tmp_path, "{human_pairs: train.jsonl, on_bad_row: skip}", rows)
    assert [told(row) for row in found[:-1]] == [
        ("Name a bay.", "Bengal.", "A lake.", None),
        ("Why?", "So.", "No.", None),
        "conversations_part_early",
        "tie",
    ]
