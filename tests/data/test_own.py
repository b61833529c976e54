"""Your own data: every form of file, several roles of one file, limits, the hub, and the examples of docs/data.md."""

import csv
import json
import random
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from selfreward.__main__ import compose
from selfreward.config import validate
from selfreward.data.own import OwnData
from selfreward.data.readers import content_digest, read_rows
from selfreward.data.roles import HumanAnswer, HumanPair, LeftOut, Role
from selfreward.errors import ConfigError, DataError
from selfreward.records import GoldPair, Prompt

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data"
ROWS: list[dict[str, Any]] = [
    {"prompt": f"What is thing {number}?", "answer": f"It is {number}."} for number in range(6)
]


def write(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix:
        case ".jsonl":
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        case ".json":
            path.write_text(json.dumps(rows))
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        case ".csv":
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
    return path


def saved(folder: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    from datasets import Dataset

    Dataset.from_list(rows).save_to_disk(str(folder), num_shards=2)
    return folder


def own(**settings: Any) -> OwnData:
    return OwnData.model_validate(settings)


def questions(data: OwnData, role: Role = "train") -> list[str]:
    return [row.messages[-1].content for row in data.rows(role) if isinstance(row, Prompt)]


NO_SPLIT = {"held_out": 0, "probe": 0}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv", "rows.parquet"])
def test_every_form_of_file_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    data = own(train=write(tmp_path / name), split=NO_SPLIT)
    rows = list(data.rows("train"))
    assert [(row.messages[-1].content, row.references) for row in rows if isinstance(row, Prompt)] == [
        (row["prompt"], (row["answer"],)) for row in ROWS
    ]


def test_a_saved_folder_gives_the_same_rows(tmp_path: Path) -> None:
    data = own(train=saved(tmp_path / "saved"), split=NO_SPLIT)
    assert questions(data) == [row["prompt"] for row in ROWS]


def test_a_saved_folder_counts_by_its_rows_not_its_place(tmp_path: Path) -> None:
    one, two = content_digest(saved(tmp_path / "one")), content_digest(saved(tmp_path / "two"))
    assert one == two
    assert content_digest(saved(tmp_path / "three", ROWS[1:])) != one


def test_a_saved_folder_reads_no_file_outside_itself(tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved")
    state = json.loads((folder / "state.json").read_text())
    state["_data_files"] = [{"filename": "../../secret.arrow"}]
    (folder / "state.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match="no file beside it"):
        list(read_rows(folder))


def test_several_splits_saved_together_are_told_apart(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    DatasetDict({"train": Dataset.from_list(ROWS), "test": Dataset.from_list(ROWS)}).save_to_disk(str(tmp_path / "all"))
    with pytest.raises(DataError, match="several splits: give one of .*all/test, .*all/train"):
        list(read_rows(tmp_path / "all"))
    assert len(list(read_rows(tmp_path / "all" / "train"))) == len(ROWS)


def test_a_folder_of_shards_and_a_pattern(tmp_path: Path) -> None:
    for number in range(2):
        write(tmp_path / "clone/data" / f"train-{number}.parquet", ROWS[3 * number : 3 * number + 3])
    (tmp_path / "clone/.git").mkdir()
    write(tmp_path / "clone/.git/hidden.jsonl")
    assert [row["prompt"] for _, row in read_rows(tmp_path / "clone")] == [row["prompt"] for row in ROWS]
    write(tmp_path / "clone/data/test-0.parquet")
    with pytest.raises(DataError, match=r"several splits \(test, train\): .*data/test\*\.parquet"):
        list(read_rows(tmp_path / "clone"))
    assert len(list(read_rows(tmp_path / "clone/data/train-*.parquet"))) == len(ROWS)


def test_splits_in_folders_of_their_own_are_told_apart(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        write(tmp_path / "clone/default" / split / "0000.parquet")
    (tmp_path / "clone/default/train/empty.parquet").mkdir()
    with pytest.raises(DataError, match=r"several splits \(train, validation\): .*as in '.*default/train/\*\.parquet'"):
        list(read_rows(tmp_path / "clone"))
    assert len(list(read_rows(tmp_path / "clone/default/train/*.parquet"))) == len(ROWS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"prompt": "x"}\n{"prompt": \n', r"a\.jsonl:2 is not JSON"),
        ("a.jsonl", b'["x"]\n', r"a\.jsonl:1 is a list, no object"),
        ("a.jsonl", b"[" * 100_000, r"a\.jsonl:1 is not JSON"),
        ("a.jsonl", b'{"prompt": "\xff"}', "not UTF-8"),
        ("a.json", b'"x"', "no list of objects"),
        ("a.csv", b"prompt,answer\nonly one\n", r"a\.csv:2 has not as many fields"),
        ("a.csv", b'prompt\n"x', r"a\.csv:2 is not CSV"),
        ("a.parquet", b"no", "not Parquet"),
        ("a.txt", b"x", r"none of \.jsonl, \.ndjson, \.json, \.csv, \.tsv, \.parquet \(\.gz or \.zst too\)"),
    ],
)
def test_a_broken_file_names_its_place(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read_rows(tmp_path / name))


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
    one = questions(own(train={"path": path, "limit": 20}))
    assert len(one) == 20
    assert one == questions(own(train={"path": turned, "limit": 20}))
    assert set(questions(own(train={"path": path, "limit": 10}))) < set(one)


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
