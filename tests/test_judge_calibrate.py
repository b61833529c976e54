"""`selfreward judge calibrate`: what it says of judges that are right, biased, or a jury."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from selfreward.backends.scripted import ScriptedBackend
from selfreward.backends.scripted_judge import JudgeTask
from selfreward.labels.items import read_items
from tests.calibrated import PAIRWISE, SAMPLED, calibrate, figures, write_gold
from tests.report.browser import Page


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    write_gold(tmp_path)
    return tmp_path


def test_a_judge_that_knows_agrees_with_people_and_stays_put(gold: Path) -> None:
    done = calibrate(gold, *PAIRWISE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("Better than chance: accuracy 1.000")
    assert re.search(r"^kappa +1\.000 +\[1\.000, 1\.000\] +40 +40 +0 +0\.\d+$", done.stdout, re.MULTILINE)
    assert re.search(r"^flip_rate +0\.000 ", done.stdout, re.MULTILINE)
    assert "gate: observe" in done.stdout
    found = figures(gold)
    people = found["people"]["mean_pairwise_kappa"]
    assert 0.5 < people["value"] < 1
    assert sum(kind["against"] for kind in found["kinds"]) == 0


def test_a_judge_that_goes_by_the_order_is_a_coin_and_says_so(gold: Path) -> None:
    done = calibrate(gold, *SAMPLED, "backend.position_bias=1")
    assert "Near chance: accuracy 0.500" in done.stdout
    measures = figures(gold)["measures"]
    assert measures["flip_rate"]["value"] == measures["same_position"]["value"] == 1
    assert "gate warn: kappa 0 (0 to 0) lies wholly below 0.4: these labels should not be trained on" in done.stdout
    assert "(interval" not in done.stdout
    assert "Near chance" in Page((gold / "out/judge.html").read_text()).text


def test_a_judge_that_is_never_read_has_no_accuracy_and_stops_nothing(gold: Path) -> None:
    done = calibrate(gold, *SAMPLED, "backend.unparsed_share=1")
    assert done.returncode == 0
    assert "Accuracy is not known: no item has both" in done.stdout
    assert "gate stop: parse_rate 0 (0 to 0.109) lies wholly below 0.5" in done.stdout
    found = figures(gold)
    assert found["measures"]["accuracy"]["value"] is None
    assert found["outcomes"] == {"unparsed": 80}


def test_a_judge_of_length_has_a_slope_and_no_other_bias(gold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [json.loads(line) for line in (gold / "gold.jsonl").read_text().splitlines()]
    for n, row in enumerate(rows):
        row["first"] += " Indeed." * (n // 2 % 3)
    (gold / "gold.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def longer(self: ScriptedBackend, task: Any, question: str) -> float:
        return float((len(task.first) > len(task.second)) - (len(task.first) < len(task.second)))

    monkeypatch.setattr(ScriptedBackend, "_merit", longer)
    calibrate(gold, *PAIRWISE, "judge.own=[me]")
    measures = figures(gold)["measures"]
    assert measures["length_slope"]["low"] > 0
    assert measures["self_preference"]["low"] <= 0 <= measures["self_preference"]["high"]
    assert measures["flip_rate"]["value"] == 0


def test_a_judge_that_knows_its_own_answers_has_that_bias_alone(gold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [json.loads(line) for line in (gold / "gold.jsonl").read_text().splitlines()]
    for row in rows:
        mine = "first" if row["first_author"] == "me" else "second"
        row[mine] = row[mine].replace("The answer", "My answer")
        other = "second" if mine == "first" else "first"
        row[other] = row[other].replace("The answer", "An answer" if row["id"] in "258" else "An answ.")
    (gold / "gold.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def mine(self: ScriptedBackend, task: Any, question: str) -> float:
        return float(task.first.startswith("My") - task.second.startswith("My"))

    monkeypatch.setattr(ScriptedBackend, "_merit", mine)
    calibrate(gold, *PAIRWISE, "judge.own=[me]")
    measures = figures(gold)["measures"]
    assert measures["self_preference"]["low"] > 0.2
    assert figures(gold)["judge"]["own"] == ["me"]
    assert measures["length_slope"]["low"] <= 0 <= measures["length_slope"]["high"]
    assert measures["flip_rate"]["value"] == 0


def test_a_judge_that_gives_everyone_the_top_score_would_be_stopped(
    gold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JudgeTask, "reply", lambda task, **_: f"{task.label}: {task.highest}")
    write_gold(gold, pairs=48)
    done = calibrate(gold, "judge=rubric", "rubric@judge.rubric=right_or_wrong")
    assert done.returncode == 0, done.stderr
    assert "gate stop: share_at_maximum 1 (0.909 to 1) lies wholly above 0.9" in done.stdout
    assert "Near chance: accuracy 0.500" in done.stdout
    assert "scores: 2: 96" in done.stdout


def test_scores_are_counted_with_their_share_at_the_top(gold: Path) -> None:
    done = calibrate(gold, "judge=rubric", "rubric@judge.rubric=right_or_wrong", "--items", "24")
    assert "left out: not asked 16" in done.stdout
    found = figures(gold)
    counts = {one["low"]: one["count"] for one in found["scores"]}
    assert sum(counts.values()) == 48
    assert found["measures"]["share_at_maximum"]["value"] == pytest.approx(counts[2.0] / 48)
    assert "flip_rate: the judge was not asked in both orders" in done.stdout
    assert "How often answers got each score" in Page((gold / "out/judge.html").read_text()).text


def test_a_jury_tells_people_what_it_is_apart_on(gold: Path) -> None:
    done = calibrate(gold, "judge=jury", "rubric@judge.members.rubric.rubric=right_or_wrong", "--items", "20")
    assert done.returncode == 0, done.stderr
    items, _ = read_items(gold / "out/items.jsonl")
    apart = [item for item in items if item.disagreement is not None]
    assert apart and all(0 <= item.disagreement <= 1 for item in apart if item.disagreement is not None)
    assert figures(gold)["measures"]["accuracy"]["low"] > 0.5


def test_a_jury_that_learns_is_measured_by_weights_of_the_other_pairs_and_tells_those_of_all(gold: Path) -> None:
    jury = ("judge=jury", "rubric@judge.members.rubric.rubric=right_or_wrong", "judge.rule=weighted")
    done = calibrate(gold, *jury, "judge.weights=learned", "--items", "20")
    assert done.returncode == 0, done.stderr
    found = figures(gold)
    assert found["weights"].keys() == {"likelihood", "pairwise", "rubric"}
    heaviest = max(found["weights"], key=found["weights"].__getitem__)
    told = f"{heaviest} {found['weights'][heaviest]:.3g}"
    assert f"weights learned on these pairs, each judged by those of the others: {told}" in done.stdout
    assert told in Page((gold / "out/judge.html").read_text()).text
    assert found["measures"]["accuracy"]["low"] > 0.5
    assert calibrate(gold, *jury[:2], "--items", "20").returncode == 0
    assert figures(gold)["weights"] is None
