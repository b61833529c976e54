"""The judge in the loop: measured on gold in every round, and what follows when it cannot be trusted."""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.backends.scripted import ScriptedBackend
from selfreward.backends.scripted_judge import JudgeTask
from selfreward.data.roles import HumanAnswer, Row, WhyUnfit
from selfreward.data.sources import ScriptedData
from selfreward.judge_quality import opinions
from selfreward.judge_quality.verdicts import Verdicts
from selfreward.judges.judge_shard import judge_shard
from selfreward.reading.rounds import rounds_of
from selfreward.records import Example, GoldPair, Judgment, Prompt
from selfreward.stages.gate import gate_of, gate_reason
from selfreward.tracking import metrics_of_run
from selfreward.tracking.alerts import gate_alerts
from tests.support import Silent, judge_instead, run_scripted

RUBRIC = ("judge=rubric", "judge.method=expected", "rubric@judge.rubric=five_point_quality")
FREEZE = "gate.kappa.action=freeze"


def gates(view: RunView) -> list[dict[str, object]]:
    return [stages["gate"].json("gate") for stages in view.iterations if "gate" in stages]


def inputs(view: RunView, stage: str) -> list[str]:
    """Which policy judged, by round."""
    return [stages[stage].manifest.inputs["policy"].digest for stages in view.iterations if stage in stages]


def toss(question: str, text: str) -> bool:
    return hashlib.sha256(f"{question}|{text}".encode()).digest()[0] % 2 == 0


@pytest.fixture
def coin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfreward.backends.scripted._is_right", toss)


@pytest.fixture
def spoilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every trained policy finds likelier what is wrong; the start model judges as ever."""
    score = ScriptedBackend.score

    def backwards(self: ScriptedBackend, answers: list[object], advance: Callable[[int], None]) -> list[object]:
        found = score(self, answers, advance)  # type: ignore[arg-type]
        if self._policy.path.name != "model":
            return found  # type: ignore[return-value]
        return [
            type(one)(logprob=-20 - one.logprob, tokens=one.tokens, prompt_tokens=one.prompt_tokens) for one in found
        ]  # type: ignore[union-attr]

    monkeypatch.setattr(ScriptedBackend, "score", backwards)


def test_a_judge_that_agrees_with_people_passes_in_every_round(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, "loop.iterations=2", reporter=reporter)
    assert [(one["round"], one["action"], one["healthy"]) for one in gates(view)] == [
        (0, "observe", True),
        (1, "observe", True),
    ]
    assert len([line for line in reporter.lines if "judge on 40 gold pairs: accuracy 1 (0.928 to 1)" in line]) == 2
    row = metrics_of_run(view)[1]
    assert row["judge/health/accuracy"] == row["judge/health/accuracy_high"] == 1
    assert row["judge/health/accuracy_low"] == pytest.approx(0.05 ** (1 / 40), abs=1e-6)
    assert row["judge/gate/action"] == "observe"
    assert "judge/health/self_preference" not in row
    said = view.iterations[1]["health"].json("health")["measures"]["self_preference"]
    assert said["why_missing"].startswith("nobody says who wrote the answers: give chosen_author and rejected_author")


def test_both_orders_count_for_a_judge_that_compares(tmp_path: Path) -> None:
    settings = ("judge=pairwise", "loop.iterations=1")
    fair, partial = (
        run_scripted(tmp_path, *settings, *more).iterations[0]["health"].json("health")["measures"]
        for more in ([], ["backend.position_bias=1", "run=first"])
    )
    assert fair["accuracy"]["value"] == 1
    assert (fair["flip_rate"]["value"], fair["position_preference"]["value"]) == (0, 0)
    assert partial["accuracy"]["value"] == 0.5
    assert (partial["flip_rate"]["value"], partial["position_preference"]["value"]) == (1, 0.5)


def test_a_judge_that_never_parses_stops_the_run_and_says_why(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, *RUBRIC, "backend.unparsed_share=1", reporter=reporter)
    assert len(view.iterations) == 1
    assert "mix" not in view.iterations[0]
    assert reporter.lines[-1].startswith(
        "stopped by the gate of the judge: parse_rate 0 (0 to 0.109) lies wholly below 0.5"
    )
    (row,) = metrics_of_run(view)
    assert row["judge/gate/action"] == "stop"
    assert gate_reason(gate_of(view.iterations[0]["gate"])) == reporter.lines[-1]
    assert {one.outcome for one in view.iterations[0]["health"].records(Verdicts)} == {"unparsed"}


def test_a_judge_that_always_gives_the_highest_score_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JudgeTask, "reply", lambda task, **_: f"{task.label}: {task.highest}")
    view = run_scripted(tmp_path, "judge=rubric")
    (told,) = gates(view)
    stops = [one["name"] for one in told["findings"] if one["action"] == "stop"]
    # 40 gold pairs are too few to tell a share of 1 from one of .9 in each of ten rounds; 88 prompts are not.
    assert stops == ["round/share_at_maximum"]
    assert told["scores"] == [{"low": 5.0, "high": 5.0, "count": 352}]


@pytest.mark.usefixtures("coin")
def test_a_coin_warns_that_its_labels_should_not_be_trained_on(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, *RUBRIC, "data.gold_gate=120", "loop.iterations=2", reporter=reporter)
    assert [one["action"] for one in gates(view)] == ["warn", "warn"]
    assert any(line.endswith("lies wholly below 0.4: these labels should not be trained on") for line in reporter.lines)
    rounds = rounds_of(view)
    (first,) = gate_alerts(rounds[0], None)
    assert (first.title, first.level) == ("judge: warn at iteration 0", "WARN")
    assert "kappa" in first.text
    assert list(gate_alerts(rounds[1], rounds[0])) == []


@pytest.mark.usefixtures("coin")
def test_few_gold_pairs_lead_to_nothing_and_that_is_said(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, *RUBRIC, "data.gold_gate=19", "loop.iterations=1", reporter=reporter)
    assert [one["action"] for one in gates(view)] == ["observe"]
    few = "fewer prompts than gate.fewest_items=20, so nothing follows from gold"
    assert any(few in line for line in reporter.lines)


def test_without_gold_and_for_a_verifier_nothing_is_measured_and_the_reason_is_told(tmp_path: Path) -> None:
    settings = ("loop.iterations=1", "data.train_open=200")
    verifier = run_scripted(tmp_path, "judge=verifier", *settings).iterations[0]
    measures = verifier["health"].json("health")["measures"].values()
    assert {(one["value"], one["why_missing"]) for one in measures} == {
        (None, "a verifier compares with references, and gold pairs have none")
    }
    assert verifier["health"].rows("evidence") == 0
    assert verifier["gate"].json("gate")["action"] == "observe"
    reporter = Silent()
    run_scripted(tmp_path, "loop.iterations=1", "data.gold_gate=0", reporter=reporter)
    assert "  judge not measured: there are no gold pairs" in reporter.lines


@pytest.mark.usefixtures("spoilt")
def test_freeze_hands_judging_to_the_last_healthy_policy_in_the_same_round(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, FREEZE, reporter=reporter)
    start, trained, _ = inputs(view, "sample")
    assert inputs(view, "health") == [start, trained, start]
    assert inputs(view, "judge") == [start, start, start]
    judges = [{row.judge for row in stages["judge"].records(Judgment)} for stages in view.iterations[:-1]]
    assert judges[0] == judges[1] == judges[2] and len(judges[0]) == 1
    assert [(one["action"], one["healthy_round"], one["frozen"]) for one in gates(view)] == [
        ("observe", 0, False),
        ("freeze", 0, True),
        ("observe", 2, True),
    ]
    told = "the policy that judged in round 0, the last healthy one, judges in this round and from now on"
    assert len([line for line in reporter.lines if told in line]) == 1
    again = Silent()
    run_scripted(tmp_path, FREEZE, reporter=again)
    assert [line for line in again.lines if not line.startswith(" ")] == []


def test_a_fault_seen_in_the_round_alone_freezes_from_the_next_round_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained policies give the highest score to all that is no question of gold, which has sums with 40 to 49."""
    verdict = ScriptedBackend._verdict

    def generous(self: ScriptedBackend, task: JudgeTask, *given: object, **named: bool) -> str:
        if self._policy.path.name == "model" and not re.search(r"\+ 4\d", task.question):
            return f"{task.label}: {task.highest}"
        return verdict(self, task, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ScriptedBackend, "_verdict", generous)
    reporter = Silent()
    view = run_scripted(tmp_path, "judge=rubric", "gate.share_at_maximum.action=freeze", reporter=reporter)
    crossed = [[one["name"] for one in told["findings"] if one["action"] == "freeze"] for told in gates(view)]
    assert crossed == [[], ["round/share_at_maximum"], []]
    start, trained, _ = inputs(view, "sample")
    assert inputs(view, "judge") == [start, trained, start]
    assert any("the last healthy one, judges from the next round on" in line for line in reporter.lines)


@pytest.mark.usefixtures("spoilt")
def test_where_no_round_was_healthy_there_is_nobody_to_freeze_at(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, "gate.accuracy={action:freeze,below:null,above:0.8}", reporter=reporter)
    assert gates(view)[0]["frozen"] is False
    assert "  no earlier round passed the gate: the judge stays as it is" in reporter.lines


@pytest.mark.usefixtures("spoilt")
def test_a_score_that_rises_while_accuracy_on_gold_falls_is_over_optimisation(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "gate.kappa.action=observe", "loop.iterations=2")
    finding = {one["name"]: one for one in gates(view)[1]["findings"]}["over_optimised/accuracy"]
    assert finding["action"] == "warn"
    assert "mean_score rose from" in finding["why"]
    assert "gold fell from 1 (0.891 to 1) to 0 (0 to 0.109)" in finding["why"]


def test_another_bound_is_decided_anew_and_nobody_is_asked_again(tmp_path: Path) -> None:
    run_scripted(tmp_path, "loop.iterations=1")
    reporter = Silent()
    run_scripted(tmp_path, "loop.iterations=1", "gate.kappa.below=0.5", reporter=reporter)
    assert [line.split()[0] for line in reporter.lines if not line.startswith(" ")] == ["gate"]


def test_final_gold_is_measured_where_asked_for_and_leads_to_nothing(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "gate.final=true", "loop.iterations=1", "data.gold_final=25")
    assert view.iterations[0]["health"].rows("final") == 25
    assert metrics_of_run(view)[0]["judge/final/accuracy"] == 1
    assert "final" not in str(gates(view)[0])


def test_the_share_of_right_answers_is_told_as_judged_and_corrected(tmp_path: Path) -> None:
    """The scripted judge makes no mistake, so that both are the same; the interval counts that gold is 40 pairs."""
    row = metrics_of_run(run_scripted(tmp_path, *RUBRIC, "loop.iterations=1"))[0]
    assert row["judge/health/sensitivity"] == row["judge/health/informedness"] == 1
    right, found = row["judge/round/right_share"], row["judge/round/right_share_corrected"]
    assert isinstance(right, float)
    assert 0 < right < 1
    assert found == pytest.approx(right)
    low, high = (row[f"judge/round/right_share_corrected_{end}"] for end in ("low", "high"))
    assert isinstance(low, float) and isinstance(high, float)
    assert low < right < high


def test_a_judge_without_a_scale_calls_nothing_right(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "loop.iterations=1")
    told = gates(view)[0]["measures"]
    assert isinstance(told, dict)
    assert told["right_share"]["why_missing"].startswith("the judge's scores have no scale")
    assert told["right_share_corrected"]["value"] is None


def test_a_killed_health_stage_asks_only_what_it_had_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_scripted(tmp_path / "whole", *RUBRIC, "loop.iterations=1")
    calls: list[object] = []

    def dying(*given: object) -> list[Judgment]:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return judge_shard(*given)  # type: ignore[arg-type]

    judge_instead(monkeypatch, opinions, dying)
    with pytest.raises(KeyboardInterrupt):
        run_scripted(tmp_path / "killed", *RUBRIC, "loop.iterations=1")
    killed = run_scripted(tmp_path / "killed", *RUBRIC, "loop.iterations=1")
    assert len(calls) == 4  # three shards of 40 pairs, the second of them twice
    for stage in ("health", "gate", "mix"):
        assert killed.iterations[0][stage].digest == whole.iterations[0][stage].digest


def test_what_gold_asks_is_in_no_training_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the training roles of the source hold it."""
    given = ScriptedData.rows

    def leaking(self: ScriptedData, role: str, _: WhyUnfit) -> Iterator[Row]:
        yield from given(self, role)  # type: ignore[arg-type]
        pairs = [one for one in given(self, "gold_gate") if isinstance(one, GoldPair)]
        prompts = [
            Prompt(id=one.id, messages=one.messages, stratum="open", source="leak", references=(one.right,), match=None)
            for one in pairs
        ]
        if role == "train":
            yield from prompts
        if role == "human":
            yield from (HumanAnswer(prompt=one, text=one.references[0]) for one in prompts)

    monkeypatch.setattr(ScriptedData, "rows", leaking)
    view = run_scripted(tmp_path, "loop.iterations=2", "mix.real_share=0.3")
    assert view.sources["clean_train"].rows("dropped") == view.sources["clean_human"].rows("dropped") == 40
    gold = {one.messages for one in view.sources["gold_gate"].records(GoldPair)}
    for stages in view.iterations[:-1]:
        trained = {row.messages for row in stages["mix"].records(Example)}
        assert trained and not trained & gold
