"""A jury that learns on gold whom to believe: in the loop, after a kill, and when the gate takes an earlier policy."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.backends.scripted import ScriptedBackend
from selfreward.backends.scripted_judge import CompareTask
from selfreward.backends.scripted_policy import outcome_of
from selfreward.errors import DataError
from selfreward.judge_quality import opinions
from selfreward.judge_quality.verdicts import Verdicts
from selfreward.judges.judge_shard import judge_shard
from selfreward.records import Judgment, PreferencePair
from selfreward.report.page import render
from tests.report.browser import Page
from tests.support import judge_instead, run_scripted

JURY = (
    "judge=jury",
    "~judge.members.likelihood",
    "+judge@judge.members.coin=constitution",
    "judge.members.coin.method=probability",
    "judge.members.pairwise.method=probability",
    "judge.members.rubric.method=expected",
    "rubric@judge.members.rubric.rubric=five_point_quality",
)
LEARNED = ("judge.rule=weighted", "judge.weights=learned", "run=learned")
SMALL = ("select=preference_pairs", "data.train_closed=24", "data.train_open=8", "loop.iterations=1")


def tossed(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@pytest.fixture
def misled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those who compare, who goes by principles is a coin, and the other is always wrong; the rubric is right."""
    merit = ScriptedBackend._merit

    def planted(self: ScriptedBackend, task: CompareTask, question: str) -> float:
        if "rinciple" in question:
            return 1.0 if tossed(task.first) > tossed(task.second) else -1.0
        return -merit(self, task, question)

    monkeypatch.setattr(ScriptedBackend, "_merit", planted)


def rightly_chosen(view: RunView) -> list[bool]:
    """Of the pairs with one right answer, whether that was chosen."""
    found = []
    for one in view.iterations[0]["select"].records(PreferencePair, "pairs"):
        sides = [outcome_of(one.messages[-1].content, text) == 0 for text in (one.chosen, one.rejected)]
        found += [sides[0]] if sides[0] != sides[1] else []
    return found


def accuracy(view: RunView) -> float:
    value: float = view.iterations[0]["health"].json("health")["measures"]["accuracy"]["value"]
    return value


@pytest.mark.usefixtures("misled")
def test_the_member_that_is_right_on_gold_gets_the_say_and_what_is_right_is_chosen(tmp_path: Path) -> None:
    outvoted = run_scripted(tmp_path, *JURY, *SMALL, "gate.accuracy.action=observe", "gate.kappa.action=observe")
    view = run_scripted(tmp_path, *JURY, *SMALL, *LEARNED)
    weights = view.iterations[0]["health"].json("weights")
    assert weights["rubric"] > 3 > 1 > weights["coin"] >= weights["pairwise"] == 0
    assert accuracy(view) == 1 > 0.75 > accuracy(outvoted)
    chosen = rightly_chosen(view)
    assert len(chosen) > 5 and all(chosen)
    assert not all(rightly_chosen(outvoted))
    assert "weights" not in outvoted.iterations[0]["health"].json("health")
    assert {"weights", "juror"} & outvoted.iterations[0]["judge"].manifest.inputs.keys() == set()
    assert view.iterations[0]["judge"].manifest.inputs["weights"].key == view.iterations[0]["health"].key
    assert view.iterations[0]["judge"].rows("evidence") == outvoted.iterations[0]["judge"].rows("evidence")
    text = Page(render(view, None, texts=True)).text
    assert f"learned on its gold pairs: rubric {weights['rubric']:.3g}, " in text and "pairwise 0 (no say)" in text
    assert "Where its members disagree the most" in text and "What is" in text
    bare = Page(render(view, None, texts=False)).text
    assert "What is" not in bare
    assert "no say" not in Page(render(outvoted, None, texts=True)).text


@pytest.mark.usefixtures("misled")
def test_a_killed_health_stage_asks_no_pair_twice_and_learns_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (*JURY, *SMALL, *LEARNED, "gate.final=true", "data.gold_final=20")
    whole = run_scripted(tmp_path / "whole", *settings)
    calls: list[object] = []

    def dying(*given: object) -> list[Judgment]:
        calls.append(given)
        if len(calls) in (2, 5):
            raise KeyboardInterrupt
        return judge_shard(*given)  # type: ignore[arg-type]

    judge_instead(monkeypatch, opinions, dying)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_scripted(tmp_path / "killed", *settings)
    killed = run_scripted(tmp_path / "killed", *settings)
    assert len(calls) == 3 + 2 + 2  # shards of 40 and of 20 pairs, two of them asked for again
    for stage in ("health", "judge", "gate", "select"):
        assert killed.iterations[0][stage].digest == whole.iterations[0][stage].digest


def test_where_nobody_is_better_than_a_coin_the_jury_is_silent_and_the_gate_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merit = ScriptedBackend._merit
    monkeypatch.setattr(ScriptedBackend, "_merit", lambda *given: -merit(*given))
    jury = (*JURY[:4], "judge.members.pairwise.method=probability", "~judge.members.rubric")
    view = run_scripted(tmp_path, *jury, *SMALL, *LEARNED)
    first = view.iterations[0]
    assert set(first["health"].json("weights").values()) == {0}
    assert {one.outcome for one in first["health"].records(Verdicts)} == {"unparsed"}
    assert {one.outcome for one in first["judge"].records(Judgment)} == {"unparsed"}
    assert first["gate"].json("gate")["action"] == "stop"


def test_weights_are_not_learned_from_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there are none: give data\.gold_gate some, or set judge\.weights"):
        run_scripted(tmp_path, *JURY, *SMALL, *LEARNED, "data.gold_gate=0")


def test_an_earlier_policy_judges_by_the_weights_that_were_learned_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every trained policy is wrong about a third of the sums, whoever of its members is asked."""
    score, merit = ScriptedBackend.score_options, ScriptedBackend._merit

    def wrong(self: ScriptedBackend, question: str) -> bool:
        return self._policy.path.name == "model" and tossed(question)[0] % 3 == 0

    def confused(self: ScriptedBackend, task: CompareTask, question: str) -> float:
        return -merit(self, task, question) if wrong(self, task.question) else merit(self, task, question)

    def blunt(
        self: ScriptedBackend, prompts: list[object], options: list[str], advance: Callable[[int], None]
    ) -> object:
        told = score(self, prompts, options, advance)  # type: ignore[arg-type]
        return told if len(options) == 3 or self._policy.path.name != "model" else told[:1] * len(told)

    monkeypatch.setattr(ScriptedBackend, "_merit", confused)
    monkeypatch.setattr(ScriptedBackend, "score_options", blunt)
    freeze = "gate.accuracy={action: freeze, above: null, below: 0.9}"
    view = run_scripted(tmp_path, *JURY, *SMALL, *LEARNED, freeze, "gate.kappa.action=observe", "loop.iterations=3")
    health, judge = ([stages[name] for stages in view.iterations[:3]] for name in ("health", "judge"))
    start, trained = (view.iterations[t]["sample"].manifest.inputs["policy"].digest for t in (0, 1))
    assert [one.manifest.inputs["policy"].digest for one in health] == [start, trained, start]
    assert [one.manifest.inputs["policy"].digest for one in judge] == [start, start, start]
    assert [one.manifest.inputs["weights"].key for one in judge] == [health[t].key for t in (0, 0, 2)]
    assert health[1].json("weights") != health[0].json("weights")


@pytest.mark.usefixtures("misled")
def test_the_only_pair_teaches_the_weights_and_measures_nothing(tmp_path: Path) -> None:
    first = run_scripted(tmp_path, *JURY, *SMALL, *LEARNED, "data.gold_gate=1").iterations[0]
    assert first["health"].json("weights")["rubric"] == pytest.approx(0.6931, abs=1e-4)
    assert [one.outcome for one in first["health"].records(Verdicts)] == ["unparsed"]
    assert "scored" in {one.outcome for one in first["judge"].records(Judgment)}
