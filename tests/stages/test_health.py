"""Health on gold that says more than who was right: what each person said, and who wrote the answers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.backends.scripted import ScriptedBackend
from selfreward.backends.scripted_judge import CompareTask
from selfreward.report.page import render
from selfreward.tracking import metrics_of_run
from tests.report.browser import Page
from tests.support import Silent, run_scripted

PAIRWISE = ("judge=pairwise", "judge.method=probability")


def run_on(folder: Path, gold: Sequence[dict[str, Any]], *settings: str, reporter: Silent | None = None) -> RunView:
    """One round with `gold` in a file, as gate and as final pairs."""
    questions = {"train": "What is {} + 60?", "held_out": "What is {} + 70?", "probe": "Tell me about topic {}."}
    for name, question in questions.items():
        rows = [{"prompt": question.format(n), "answer": "It is."} for n in range(8)]
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "gold.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in gold))
    files = [f"data.{name}={folder}/{name}.jsonl" for name in questions]
    files += [f"data.{role}={folder}/gold.jsonl" for role in ("gold_gate", "gold_final")]
    small = ("data=files", "data.overlap.near=null", "mix.real_share=0", "mix.min_rows=1", "loop.iterations=1")
    return run_scripted(folder / "runs", *files, *small, *settings, reporter=reporter)


def health(view: RunView) -> dict[str, Any]:
    return view.iterations[0]["health"].json("health")


def question(n: int) -> dict[str, Any]:
    return {"prompt": f"What is {n} + 4?", "chosen": f"The answer is {n + 4}.", "rejected": f"The answer is {n + 5}."}


def test_how_far_people_agree_stands_beside_the_judge(tmp_path: Path) -> None:
    """Two of four pairs are unanimous, on two one of three dissents: pairs of people agree on 2 / 3.

    Chance is one half, which answer is called the first being no one's choice: 2 * 2 / 3 - 1 = 1 / 3. Alpha counts
    chance without replacement among 24 verdicts: 1 - (1 / 3) / (12 / 23) = 13 / 36.
    """
    for_chosen = ["first"] * 3
    said = [for_chosen, ["first", "first", "second"], for_chosen, ["first", "second", "first"]]
    view = run_on(tmp_path, [question(n) | {"verdicts": one} for n, one in enumerate(said)], "gate.final=true")
    for people in (health(view)["people"], health(view)["final_people"]):
        values = {name: one["value"] for name, one in people.items()}
        assert values == pytest.approx(
            {"fleiss_kappa": 1 / 3, "krippendorff_alpha": 13 / 36, "mean_pairwise_kappa": 1 / 3}
        )
        assert {one["n"] for one in people.values()} == {4}
    (row,) = [row for row in metrics_of_run(view) if "judge/health/kappa" in row]
    assert row["judge/people/mean_pairwise_kappa"] == pytest.approx(1 / 3)
    assert row["judge/final_people/fleiss_kappa"] == pytest.approx(1 / 3)
    assert row["judge/people/mean_pairwise_kappa_low"] < 1 / 3 < row["judge/people/mean_pairwise_kappa_high"]
    text = Page(render(view, None, texts=False)).text
    assert "people's kappa" in text and "0.333[" in text


def test_where_each_pair_was_labelled_once_the_ceiling_is_missing_with_its_reason(tmp_path: Path) -> None:
    view = run_on(tmp_path, [question(n) for n in range(4)])
    people = health(view)["people"].values()
    assert {(one["value"], one["why_missing"]) for one in people} == {(None, "fewer than two raters an item")}
    assert health(view)["final_people"] is None
    assert not [name for row in metrics_of_run(view) for name in row if name.startswith("judge/people")]
    assert "mean_pairwise_kappa: fewer than two raters" in Page(render(view, None, texts=False)).text


def signed(pairs: int = 36) -> list[dict[str, Any]]:
    """Each author is right half the time, and the longer one half the time."""
    rows = []
    for n in range(pairs):
        mine, mine_is_right = ("I say it is {}." if n % 3 else "I say {}."), n % 2 == 0
        texts = [mine.format(n + 4 + (not mine_is_right)), f"So it is {n + 4 + mine_is_right}."]
        authors = ["me", "you"]
        if not mine_is_right:
            texts, authors = texts[::-1], authors[::-1]
        rows.append({"prompt": f"What is {n} + 4?", "chosen": texts[0], "rejected": texts[1]})
        rows[-1] |= {"chosen_author": authors[0], "rejected_author": authors[1]}
    return rows


def prefers_its_own(self: ScriptedBackend, task: CompareTask, prompt: str) -> float:
    return float(task.first.startswith("I ")) - float(task.second.startswith("I "))


def prefers_what_is_right(self: ScriptedBackend, task: CompareTask, prompt: str) -> float:
    total = sum(int(word) for word in task.question.rstrip("?").split() if word.isdecimal())
    return float(task.first.endswith(f" {total}.")) - float(task.second.endswith(f" {total}."))


def test_a_judge_that_prefers_its_own_answers_is_told_from_one_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for name, merit in (("partial", prefers_its_own), ("fair", prefers_what_is_right)):
        monkeypatch.setattr(ScriptedBackend, "_merit", merit)
        (tmp_path / name).mkdir()
        view = run_on(tmp_path / name, signed(), *PAIRWISE, "judge.own=[me]")
        found[name] = health(view)["measures"]
    assert found["partial"]["self_preference"]["low"] > 0.2
    assert found["partial"]["accuracy"]["value"] == 0.5
    assert found["fair"]["self_preference"]["low"] <= 0 <= found["fair"]["self_preference"]["high"]
    assert found["fair"]["accuracy"]["value"] == 1


def test_who_counts_as_the_judge_changes_the_measure_and_nothing_that_is_judged(tmp_path: Path) -> None:
    said = health(run_on(tmp_path, signed(), *PAIRWISE))["measures"]["self_preference"]
    assert (said["value"], said["left_out"]) == (None, 36)
    assert said["why_missing"] == "it is not known which answers are the judge's own: set judge.own=[AUTHOR]"
    reporter = Silent()
    again = run_on(tmp_path, signed(), *PAIRWISE, "judge.own=[me]", reporter=reporter)
    assert health(again)["measures"]["self_preference"]["n"] == 36
    assert [line.split()[0] for line in reporter.lines if not line.startswith(" ")] == ["health", "gate"]


def test_an_author_who_wrote_nothing_is_told(tmp_path: Path) -> None:
    said = health(run_on(tmp_path, signed(4), *PAIRWISE, "judge.own=[nobody]"))["measures"]["self_preference"]
    assert said["why_missing"] == "no item with a preference sets an answer of judge.own against another's"
