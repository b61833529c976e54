"""`selfreward labels`: the whole way out and back on the command line, and what is refused."""

import json
import re
from pathlib import Path

import pytest

from selfreward.data.own import FileSource, OwnData
from selfreward.labels.items import read_items, write_items
from selfreward.labels.returned_gold import read_labels
from selfreward.records import GoldPair
from tests.labels import tools
from tests.labels.test_hardest import judged
from tests.labels.tools import pair
from tests.support import Done, selfreward

ROOT = Path(__file__).parent.parent
ITEMS = [pair(f"id {n}", f"good {n}", f"bad {n}", question=f"question {n}") for n in range(8)]
WANTED = {f"question {n}": f"good {n}" for n in range(8)}
BACK = {"label-studio": tools.label_studio, "argilla": tools.argilla}


def exported(tmp_path: Path, *more: str, tool: str = "label-studio", items=ITEMS, out: str = "out") -> Done:
    write_items(tmp_path / "items.jsonl", items)
    return selfreward("labels", "export", "items.jsonl", "--format", tool, "--out", out, *more, cwd=tmp_path)


@pytest.mark.parametrize("tool", BACK)
def test_labels_go_out_and_come_back_as_gold(tool: str, tmp_path: Path) -> None:
    items = [tools.replace_labelled(item, first_author="mine") for item in ITEMS]
    done = exported(tmp_path, "--rubric", "five_point_quality", "--seed", "3", tool=tool, items=items)
    assert done.returncode == 0, done.stderr
    assert "8 of 8 pairs to label" in done.stdout
    people = {"ann": tools.prefers(WANTED), "bob": tools.prefers(WANTED | {"question 0": "bad 0"}, much=False)}
    returned = BACK[tool](tmp_path / "out" / tool, people)
    arguments = ("labels", "import", str(returned), "--key", "out/key.jsonl", "--out", "gold.jsonl")
    done = selfreward(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "16 labels by 2 people on 8 of 8 pairs" in done.stdout
    assert "1 of 8 are ties or undecided" in done.stdout
    labels = {item.id: item for item in read_labels(tmp_path / "gold.jsonl")}
    assert labels["id 0"].labelled.verdicts == ("first", "second")
    assert all(labels[f"id {n}"].labelled.verdicts == ("first", "first") for n in range(1, 8))
    assert {item.labelled.first_author for item in labels.values()} == {"mine"}
    source = FileSource(path=tmp_path / "gold.jsonl")
    rows = OwnData(system="", train=source, gold_gate=source).rows("gold_gate")
    gold = [row for row in rows if isinstance(row, GoldPair)]
    assert sum(isinstance(one, GoldPair) for one in gold) == 7
    assert all(re.fullmatch(r"five_point_quality@\d+:\w{16}", item.rubric or "") for item in labels.values())
    again = selfreward(*arguments, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    assert "gold.jsonl is there already" in again.stderr


def test_labellers_read_the_words_of_the_rubric(tmp_path: Path) -> None:
    assert exported(tmp_path, "--rubric", "comparison/better_answer").returncode == 0
    told = json.loads((tmp_path / "out/label-studio/tasks.json").read_text())[0]["data"]["guidelines"]
    assert "Neither length nor the order in which the answers stand is a merit." in told
    assert "{" not in told and "<" not in told and "Answer A:" not in told
    assert exported(tmp_path, "--rubric", "five_point_quality", out="more").returncode == 0
    told = json.loads((tmp_path / "more/label-studio/tasks.json").read_text())[0]["data"]["guidelines"]
    assert "In doubt, give 3." in told and "{" not in told and "<" not in told


def test_the_hardest_pairs_are_told_by_kind(tmp_path: Path) -> None:
    items = [judged(f"sum {n}", 0.1, kind="sums") for n in range(5)] + [judged("tree", 0.9, kind="trees\x1b[31m")]
    done = exported(tmp_path, "--count", "2", items=items)
    assert "2 of 6 pairs to label" in done.stdout
    assert re.search(r"^sums +5 +5 of 5 +2$", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout
    assert len(json.loads((tmp_path / "out/label-studio/tasks.json").read_text())) == 2


def test_verdicts_of_another_judge_decide_which_are_hardest(tmp_path: Path) -> None:
    rows = [{"id": "id 5", "preference": 0.5, "flipped": True, "outcome": "scored"}]
    (tmp_path / "verdicts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert exported(tmp_path, "--verdicts", "verdicts.jsonl", "--count", "1").returncode == 0
    ((task,), key) = (json.loads((tmp_path / "out/label-studio/tasks.json").read_text()), tmp_path / "out/key.jsonl")
    assert task["data"]["question"] == "question 5"
    assert json.loads(key.read_text())["item"]["id"] == "id 5"
    (tmp_path / "verdicts.jsonl").write_text('{"id": "elsewhere", "preference": 0, "outcome": "scored"}\n')
    done = exported(tmp_path, "--verdicts", "verdicts.jsonl", out="more")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "'elsewhere', which is no pair of the file" in done.stderr


def test_stale_labels_go_out_again_and_the_others_stay(tmp_path: Path) -> None:
    assert exported(tmp_path, "--rubric", "right_or_wrong").returncode == 0
    returned = tools.label_studio(tmp_path / "out/label-studio", {"ann": tools.prefers(WANTED)})
    selfreward("labels", "import", str(returned), "--key", "out/key.jsonl", "--out", "labels.jsonl", cwd=tmp_path)
    lines = (tmp_path / "labels.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    old = {row["id"] for row in rows[:3]}
    for row in rows[:3]:
        row["rubric"] = "right_or_wrong@0:0000000000000000"
    rows[3]["rubric"] = "five_point_quality@1:0000000000000000"
    (tmp_path / "labels.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    stale = ("labels", "stale", "labels.jsonl", "--rubric", "right_or_wrong")
    twice = selfreward(*stale, "--out", "same.jsonl", "--current", "same.jsonl", cwd=tmp_path)
    assert twice.returncode == 2 and "same.jsonl is given twice" in twice.stderr
    done = selfreward(
        *stale,
        *("--out", "old.jsonl", "--current", "current.jsonl"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "3 of 8 pairs were labelled under another version than right_or_wrong@2:" in done.stdout
    assert {line.split("  ")[0] for line in done.stdout.splitlines() if "right_or_wrong@0" in line} == old
    assert {item.id for item in read_items(tmp_path / "old.jsonl")[0]} == old
    assert {item.id for item in read_labels(tmp_path / "current.jsonl")} == {row["id"] for row in rows[3:]}
    again = selfreward("labels", "export", "old.jsonl", "--format", "argilla", "--out", "again", cwd=tmp_path)
    assert "3 of 3 pairs to label" in again.stdout


def test_nothing_is_written_over_or_outside_the_folder(tmp_path: Path) -> None:
    items = [pair("../../escaped", "../x", "/etc/y", question="../../z"), pair("/tmp/escaped", "x", "y")]
    assert exported(tmp_path, items=items, tool="argilla").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["items.jsonl", "out"]
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.json*")) == [
        "argilla/.argilla/dataset.json",
        "argilla/.argilla/settings.json",
        "argilla/records.json",
        "key.jsonl",
    ]
    key = (tmp_path / "out/key.jsonl").read_bytes()
    done = exported(tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "out is not empty: give a new folder with --out" in done.stderr
    assert (tmp_path / "out/key.jsonl").read_bytes() == key


def test_of_an_annotation_and_its_copy_the_newer_one_counts(tmp_path: Path) -> None:
    assert exported(tmp_path).returncode == 0
    returned = tools.label_studio(tmp_path / "out/label-studio", {"ann": tools.prefers(WANTED)})
    tasks = json.loads(returned.read_text())
    (given,) = tasks[0]["annotations"]
    other = {"A is much better": "B is much better", "B is much better": "A is much better"}
    changed = json.loads(json.dumps(given["result"]))
    changed[0]["value"]["choices"] = [other[changed[0]["value"]["choices"][0]]]
    copy = {**given, "id": 999, "result": changed, "updated_at": "2026-03-11T08:00:00.1Z"}
    tasks[0]["annotations"] = [copy, given]
    returned.write_text(json.dumps(tasks))
    arguments = ("labels", "import", str(returned), "--key", "out/key.jsonl", "--out", "gold.jsonl")
    done = selfreward(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "8 labels by 1 people on 8 of 8 pairs (1 replaced by a newer one of the same person)" in done.stdout
    against = [item.id for item in read_labels(tmp_path / "gold.jsonl") if item.labelled.verdicts == ("second",)]
    assert len(against) == 1
    del copy["updated_at"], copy["created_at"]
    returned.write_text(json.dumps(tasks))
    done = selfreward(*arguments[:-1], "again.jsonl", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no time tells which is the last: delete one of the two" in done.stderr


def test_what_cannot_be_done_is_told_in_one_line(tmp_path: Path) -> None:
    for arguments, message in (
        (("--rubric", "comparison/by_principle"), "shows a principle, which labellers do not see"),
        (("--rubric", "elsewhere/name"), "--rubric elsewhere/name is no rubric"),
    ):
        done = exported(tmp_path, *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr
    assert not (tmp_path / "out").exists()
    assert exported(tmp_path).returncode == 0
    returned = tools.label_studio(tmp_path / "out/label-studio", {"ann": lambda *_: None})
    for arguments, message in (
        ((str(returned), "--key", "out/key.jsonl", "--out", "gold.jsonl"), "holds no label: export it again"),
        ((str(returned), "--key", "out/key.jsonl", "--out", "gold.csv"), "has to end with .jsonl"),
        ((str(returned), "--key", "none.jsonl", "--out", "gold.jsonl"), "none.jsonl does not exist"),
    ):
        done = selfreward("labels", "import", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr


def test_the_rows_that_the_documentation_shows_are_read(tmp_path: Path) -> None:
    text = (ROOT / "docs/labels.md").read_text()
    for kind, read in (("items", read_items), ("labels", read_labels)):
        blocks = re.findall(rf"```jsonl {kind}\n(.*?)```", text, re.DOTALL)
        assert blocks, kind
        for block in blocks:
            (tmp_path / "rows.jsonl").write_text(block)
            assert read(tmp_path / "rows.jsonl")
