"""The judge on the page of a run: its health as the stages wrote it, what the gate did, flips and unread replies."""

from dataclasses import replace
from pathlib import Path

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.backends.scripted_judge import CompareTask
from selfreward.records import Judgment
from selfreward.report.judge_texts import Unread, replies
from selfreward.report.page import render
from tests.report.browser import Page, harmless
from tests.report.test_page import HOSTILE
from tests.support import run_scripted

FAULTS = ("backend.position_bias=0.4", "backend.unparsed_share=0.15")
SMALL = ("data.train_closed=24", "data.train_open=8", "loop.iterations=2")
PAIRWISE = ("judge=pairwise", "judge.reasoning=false", "select=preference_pairs", *SMALL)


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    folder = tmp_path_factory.mktemp("careless")
    return run_scripted(folder, *PAIRWISE, *FAULTS, "gate.flip_rate={action: warn, above: 0.1}")


def told(view: RunView, *, texts: bool = True) -> str:
    return Page(render(view, None, texts=texts)).text


def test_every_round_stands_there_with_what_the_stages_wrote(careless: RunView) -> None:
    text = told(careless)
    for stages in careless.iterations[:2]:
        measures, gate = stages["health"].json("health")["measures"], stages["gate"].json("gate")
        for name in ("accuracy", "kappa", "flip_rate", "parse_rate"):
            one = measures[name]
            assert f"{one['value']:.3f}[{one['low']:.3f}, {one['high']:.3f}]" in text
        acted = [one for one in gate["findings"] if one["action"] == "warn"]
        assert "flip_rate" in {one["name"] for one in acted}
        assert all(f"warn: {one['name']} {one['why']}" in text for one in acted)
    assert "self_preference: nobody says who wrote the answers" in text


def test_a_run_without_a_judge_yet_says_so(careless: RunView) -> None:
    assert "Not measured yet." in told(replace(careless, iterations=()))
    stages = {name: one for name, one in careless.iterations[0].items() if name in ("measure", "health")}
    assert "No bound was crossed." in told(replace(careless, iterations=(stages,)))


def test_every_reply_that_was_not_read_is_counted_once(careless: RunView) -> None:
    missing = sum(
        one.outcome != "scored"
        for stages in careless.iterations
        for stage in ("judge", "health")
        if stage in stages
        for one in stages[stage].records(Judgment, "evidence")
    )
    assert missing > 0
    assert f"unparsed {missing}; 1 different." in told(careless)


def test_a_copy_without_texts_has_none(careless: RunView) -> None:
    text = told(careless, texts=False)
    assert "are left out of this copy" in text
    assert "What is" not in text and "Verdict:" not in text


def test_hostile_replies_stay_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = CompareTask.reply
    monkeypatch.setattr(CompareTask, "reply", lambda task, **more: f"{HOSTILE}\n{plain(task, **more)}")
    html = render(run_scripted(tmp_path, *PAIRWISE, *FAULTS, "loop.iterations=1"), None)
    assert "<script>alert(1)</script>" in harmless(html).text


def test_a_run_that_the_gate_stopped_says_so(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *PAIRWISE, *FAULTS, "gate.flip_rate={action: stop, above: 0.1}")
    text = Page(render(view, None)).text
    assert "After 0 updates, stopped by the gate of the judge: flip_rate " in text
    assert "Unfinished" not in text


def test_a_judge_that_cannot_be_measured_says_why(tmp_path: Path) -> None:
    text = told(run_scripted(tmp_path, "judge=verifier", *SMALL, "loop.iterations=1", "mix.min_rows=1"))
    assert "accuracy: a verifier compares with references, and gold pairs have none" in text
    assert "Its verdicts are no comparisons in both orders." in text


def test_of_many_replies_the_most_frequent_are_shown_in_full_and_the_rest_counted() -> None:
    long = "x" * 3000
    found = [Unread("unparsed", "an answer", "Why?", f"reply {n}") for n in range(60)]
    found += [Unread("truncated", "an answer", "How?", long)] * 5
    told, shown = replies(found)
    assert told == "unparsed 60, truncated 5; 61 different. Not shown: 21 of them, given 21 times."
    assert shown[0] == ("truncated, 5 times, first about an answer to:", found[-1])
    assert [one.reply for _, one in shown[1:]] == [f"reply {n}" for n in range(39)]
