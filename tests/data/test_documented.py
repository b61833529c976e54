"""The examples of docs/data.md, and real data sets where they are at hand."""

import re
from pathlib import Path

import pytest
import yaml

from selfreward.data.own import OwnData
from selfreward.data.roles import HumanAnswer, HumanPair, LeftOut, Role
from selfreward.records import GoldPair, Prompt
from tests.data.owning import NO_SPLIT, own, questions

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data"

DOCS = (ROOT / "docs/data.md").read_text()


@pytest.mark.parametrize(("suffix", "role", "text"), re.findall(r"```(jsonl|csv) (\w+)\n(.*?)```", DOCS, re.DOTALL))
def test_every_example_of_the_documentation_loads(tmp_path: Path, suffix: str, role: Role, text: str) -> None:
    path = tmp_path / f"example.{suffix}"
    path.write_text(text)
    rows = list(own(**{"train": "x.jsonl", role: path}, split=NO_SPLIT).rows(role))
    assert len([row for row in rows if not isinstance(row, LeftOut)]) >= len(text.strip().splitlines()) - (
        suffix == "csv"
    )
    assert {row.reason for row in rows if isinstance(row, LeftOut)} <= {"equal_ratings"}


def test_the_settings_of_the_documentation_are_settings() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    data = OwnData.model_validate(yaml.safe_load(text))
    assert data.columns.match == "numeric"


real = pytest.mark.skipif(not REAL.is_dir(), reason="the folder shared/data is not beside the checkout")


@pytest.mark.slow
@real
def test_gsm8k_loads_without_code() -> None:
    data = own(
        train=REAL / "gsm8k/train.jsonl",
        held_out=REAL / "gsm8k/test.jsonl",
        columns={"reference_pattern": "#### (.*)", "match": "numeric"},
        split={"probe": 0.05},
    )
    held_out = [row for row in data.rows("held_out") if isinstance(row, Prompt)]
    assert len(held_out) == 1319
    assert all(row.match == "numeric" and re.fullmatch(r"-?[\d,.]+", row.references[0]) for row in held_out)
    assert len(questions(data)) + len(questions(data, "probe")) == 7473


@real
def test_self_instruct_loads_without_settings() -> None:
    data = own(train="x.jsonl", human=REAL / "self-instruct-human/user_oriented_instructions.jsonl")
    rows = [row for row in data.rows("human") if isinstance(row, HumanAnswer)]
    assert len(rows) == 252
    assert any("\n\n" in row.prompt.messages[-1].content for row in rows)


@real
def test_human_preferences_of_other_columns_load() -> None:
    columns = {"prompt": "Question", "chosen": "Best Answer", "rejected": "Incorrect Answers"}
    source = {"path": REAL / "truthfulqa/TruthfulQA.csv", "columns": columns}
    data = own(train="x.jsonl", human_pairs=source, gold_final=source)
    assert sum(isinstance(row, HumanPair) for row in data.rows("human_pairs")) > 700
    assert sum(isinstance(row, GoldPair) for row in data.rows("gold_final")) > 700
