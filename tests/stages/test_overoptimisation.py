"""The judge of a run against gold that it is never trained on, in every round of a scripted run."""

import math
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.backends.scripted_policy import probabilities, read_state
from selfreward.errors import ConfigError
from selfreward.judge_quality import answer_scores
from selfreward.judges.judge_shard import judge_shard
from selfreward.monitor.policy_scores import PromptScores, ScoredAnswer
from selfreward.reading.rounds import rounds_of
from selfreward.records import Judgment
from selfreward.stages import overoptimisation as stage
from selfreward.stages.overoptimisation import Curve
from selfreward.tracking import metrics_of_run
from tests.golden import CURVE, GOLDEN, golden_of
from tests.support import Silent, judge_instead, run_scripted

GOLD = "overoptimisation=default"
SMALL = ("data.train_closed=32", "data.train_open=8", "data.probe_closed=20", "mix.real_share=0", "mix.min_rows=1")
# A start model whose likeliest answer is wrong, trained on the answers that it finds likeliest.
CLIMBS = (GOLD, *SMALL, "judge.policy=initial", "model.skill=0.1", "update.rate=1", "data.held_out_closed=120")
LEARNS = (GOLD, *SMALL, "judge.policy=initial", "model.skill=0.4", "data.held_out_closed=60")


def curves(view: RunView) -> list[Curve]:
    return [one.curve for one in rounds_of(view) if one.curve is not None]


def findings(view: RunView) -> list[dict[str, Any]]:
    gates = [stages["gate"].json("gate") for stages in view.iterations if "gate" in stages]
    return [next(one for one in gate["findings"] if one["name"] == "over_optimised/gold") for gate in gates]


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_scripted(tmp_path_factory.mktemp("learnt"), *LEARNS, "loop.iterations=2")


def test_a_proxy_that_climbs_while_gold_falls_stops_the_run(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, *CLIMBS, "gate.over_optimised=stop", "loop.iterations=6", reporter=reporter)
    found = curves(view)
    proxies, golds = ([one.value for one in some if one is not None] for some in _means(found))
    assert proxies == sorted(proxies) and golds[-1] < golds[0] - 0.03
    assert len(found) < 7 and "mix" not in view.iterations[-1]
    *before, last = findings(view)
    assert [one["action"] for one in before] == ["observe"] * len(before)
    assert last["action"] == "stop" and last["bound"] == 0 and last["high"] < 0
    assert reporter.lines[-1].startswith("stopped by the gate of the judge: over_optimised/gold since M")
    assert "the proxy rose while gold fell" in reporter.lines[-1]
    assert found[-1].best is not None and found[-1].best.policy < found[-1].policy
    assert metrics_of_run(view)[-1]["overoptimisation/turned"] is True


def test_a_warning_lets_the_run_go_on(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, *CLIMBS, "loop.iterations=4", reporter=reporter)
    assert len(view.iterations) == 5
    assert findings(view)[-1]["action"] == "warn"
    assert any("gate warn: over_optimised/gold since M" in line for line in reporter.lines)


def test_where_both_rise_nothing_is_said_and_the_last_policy_is_the_best(learnt: RunView) -> None:
    proxies, golds = ([one.value for one in some if one is not None] for some in _means(curves(learnt)))
    assert proxies == sorted(proxies) and golds == sorted(golds)
    assert {one["action"] for one in findings(learnt)} == {"observe"}
    assert findings(learnt)[0]["why"] == "not measured: there is no earlier policy"
    last = curves(learnt)[-1]
    assert last.best is not None and last.best.policy == last.policy == 2
    assert last.best.gold.value == last.gold.value if last.gold is not None else False


def _means(found: list[Curve]) -> tuple[list[Any], list[Any]]:
    return [one.proxy for one in found], [one.gold for one in found]


def test_every_policy_is_measured_the_last_one_too(learnt: RunView) -> None:
    assert all("overoptimisation" in stages for stages in learnt.iterations)
    for t, stages in enumerate(learnt.iterations):
        rows = list(stages["overoptimisation"].records(ScoredAnswer))
        assert len(rows) == 60 * 4 and {one.gold for one in rows} == {0.0, 1.0}
        table = list(stages["overoptimisation"].records(PromptScores, "prompts"))
        assert [one.policy for one in table] == [n for n in range(t + 1) for _ in range(60)]
    closed = learnt.iterations[2]["evaluate"].json("metrics")["closed"]["pass_at_1"]["value"]
    assert curves(learnt)[2].gold is not None
    assert curves(learnt)[2].gold.value == pytest.approx(closed, abs=1e-6)


def test_answers_to_prompts_without_gold_are_not_put_to_the_judge(learnt: RunView) -> None:
    made = learnt.iterations[0]["overoptimisation"]
    asked = {one.prompt_id for one in made.records(Judgment, "proxy_judgments")}
    assert len(asked) == 60 and curves(learnt)[0].prompts == 72
    assert len({one.prompt_id for one in made.records(Judgment, "gold_judgments")}) == 72


def test_kl_is_that_of_the_policies(learnt: RunView) -> None:
    states = [read_state(Path(_folder(learnt, t))) for t in range(3)]
    start = probabilities(states[0])
    for t, curve in enumerate(curves(learnt)):
        assert curve.distance is not None and curve.distance.kl is not None
        now = probabilities(states[t])
        exact = sum(p * math.log(p / q) for p, q in zip(now, start, strict=True))
        for found in (curve.distance.kl.plain, curve.distance.kl.k3):
            slack = 2 * (found.high - found.low)
            assert found.value == pytest.approx(exact, abs=slack) if t else found.value == 0
        assert curve.distance.left_out == 0


def _folder(view: RunView, t: int) -> Path:
    return (
        view.iterations[t - 1]["update"].path / "model" if t else next((view.folder.parent / "store/.models").iterdir())
    )


def test_best_of_n_is_of_the_start_model_alone_and_needs_no_further_answers(learnt: RunView) -> None:
    first, *others = curves(learnt)
    assert [one.n for one in first.best_of_n] == [1, 2, 3, 4] and not any(one.best_of_n for one in others)
    assert first.best_of_n[0].kl == 0 and first.best_of_n[0].gold.value == pytest.approx(first.gold.value)  # type: ignore[union-attr]
    proxies = [one.proxy.value for one in first.best_of_n]
    assert proxies == sorted(proxies)


def test_a_judge_that_changes_is_shown_and_not_compared(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, *LEARNS, "judge.policy=live", "loop.iterations=2", reporter=reporter)
    assert all(one.proxy is not None for one in curves(view))
    why = "not measured: another policy judged an earlier one's answers"
    assert findings(view)[1]["why"].startswith(why)
    assert any(line.startswith(f"    whether it turned is {why}") for line in reporter.lines)
    assert curves(view)[-1].best is not None
    assert "overoptimisation/turned" not in metrics_of_run(view)[1]


def test_a_jury_is_not_asked_and_gold_still_names_the_best(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *LEARNS, "judge=jury", "loop.iterations=1")
    assert {one.proxy for one in curves(view)} == {None}
    assert findings(view)[0]["why"].startswith("not measured: the judge is a jury")
    assert not view.iterations[0]["overoptimisation"].has("proxy_judgments")
    assert curves(view)[1].best is not None


def test_a_judge_that_compares_scores_an_answer_beside_the_start_models(tmp_path: Path) -> None:
    settings = ("judge@overoptimisation.gold=pairwise", "overoptimisation.gold.policy=initial", "data.held_out_open=4")
    view = run_scripted(tmp_path, *CLIMBS, *settings, "judge.policy=initial", "loop.iterations=2")
    first, _, last = curves(view)
    assert first.gold is not None and (first.gold.value, first.gold.low, first.gold.high) == (0.5, 0.5, 0.5)
    assert first.gold_name == "pairwise, share won against M0"
    assert first.best_of_n == () and first.no_best_of_n is not None and "start model" in first.no_best_of_n
    assert last.gold is not None and last.gold.value < 0.5 and last.gold.n == 124
    rows = [one.gold for one in view.iterations[2]["overoptimisation"].records(ScoredAnswer)]
    assert {0.0, 0.5, 1.0} == set(rows)


def test_gold_that_says_nothing_is_none_and_the_judge_is_not_asked(tmp_path: Path) -> None:
    settings = ("data.held_out_closed=1", "backend.cut_share=0", "judge@overoptimisation.gold=rubric")
    view = run_scripted(
        tmp_path,
        GOLD,
        *SMALL,
        *settings,
        "overoptimisation.gold.policy=initial",
        "backend.unparsed_share=1",
        "judge.policy=initial",
        "loop.iterations=1",
    )
    for one in curves(view):
        assert one.gold is None and one.proxy is None and one.best is None and one.answers == 0
    assert findings(view)[0]["value"] is None


def test_gold_that_turns_out_to_be_the_judge_is_refused(tmp_path: Path) -> None:
    folder = run_scripted(tmp_path, "loop.iterations=0", "run=other").folder.parent / "store/.models"
    path = next(folder.iterdir())
    settings = ("judge@overoptimisation.gold=likelihood", "overoptimisation.gold.policy=external")
    with pytest.raises(ConfigError, match=r"overoptimisation\.gold is the judge that the run trains on.*name another"):
        run_scripted(tmp_path, GOLD, *settings, f"overoptimisation.gold.path={path}", "judge.policy=initial")


def test_a_probe_at_another_temperature_gives_no_kl(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *LEARNS, "measure.temperature=0.7", "loop.iterations=1")
    for one in curves(view):
        assert one.distance is None
        assert one.no_distance == "the probe is not drawn as the policy is: set measure.temperature=1 measure.top_p=1"
    assert "overoptimisation/kl" not in metrics_of_run(view)[1]


def test_answers_that_the_start_model_cannot_score_are_left_out_and_counted(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *LEARNS, "backend.unscored_share=0.3", "loop.iterations=1")
    far = curves(view)[1].distance
    assert far is not None and far.kl is not None and 0 < far.left_out < far.answers
    assert far.kl.plain.n <= 44


def test_a_run_without_gold_is_what_it_was(tmp_path: Path) -> None:
    assert golden_of(run_scripted(tmp_path, "loop.iterations=1")) == GOLDEN


def test_the_stage_gives_what_it_always_gave(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, GOLD, "loop.iterations=1")
    made = [stages["overoptimisation"] for stages in view.iterations]
    assert tuple((one.key, one.digest) for one in made) == CURVE


def test_gold_changes_nothing_but_the_gate(tmp_path: Path) -> None:
    plain, held = (run_scripted(tmp_path, *SMALL, "loop.iterations=1", *more) for more in ([], [GOLD, "run=held"]))
    for one, other in zip(plain.iterations, held.iterations, strict=True):
        assert {name for name in one if one[name].key != other[name].key} <= {"gate"}


def test_more_iterations_and_another_gold_redo_nothing_else(tmp_path: Path) -> None:
    run_scripted(tmp_path, *LEARNS, "loop.iterations=1")
    reporter = Silent()
    run_scripted(tmp_path, *LEARNS, "loop.iterations=2", reporter=reporter)
    made = [line.split()[0] for line in reporter.lines if not line.startswith(" ")]
    assert made.count("overoptimisation") == 1 and made[-1] == "overoptimisation"
    reporter = Silent()
    run_scripted(
        tmp_path, *LEARNS, "overoptimisation.gold.max_failed_share=0.1", "loop.iterations=2", reporter=reporter
    )
    made = [line.split()[0] for line in reporter.lines if not line.startswith(" ")]
    assert set(made) == {"overoptimisation"}  # the same scores: the gate has nothing new to read


@pytest.mark.parametrize("place", ["gold", "proxy", "kl"])
def test_a_run_that_is_killed_in_the_stage_ends_as_one_that_was_not(
    place: str, learnt: RunView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards: list[int] = []
    fatal = {"gold": 2, "proxy": 4}

    def judged(*given: Any) -> Any:
        shards.append(len(given[2]))
        if len(shards) == fatal.get(place):
            raise KeyboardInterrupt
        return judge_shard(*given)

    judge_instead(monkeypatch, answer_scores, judged)
    with monkeypatch.context() as broken:
        if place == "kl":
            broken.setattr(stage, "by_initial", _dies)
        with pytest.raises(KeyboardInterrupt):
            run_scripted(tmp_path, *LEARNS, "loop.iterations=2")
    done, fatal = len(shards), {}
    again = run_scripted(tmp_path, *LEARNS, "loop.iterations=2")
    assert {name: one.digest for name, one in again.artifacts()} == {n: one.digest for n, one in learnt.artifacts()}
    # The shard that was lost is made again, and no other: 72 prompts have gold shards of 32, 60 are put to the judge.
    assert len(shards) == 3 * (3 + 2) + (place != "kl")
    assert done == {"gold": 2, "proxy": 4, "kl": 3 + 2 + 3}[place]


def _dies(*_: object) -> None:
    raise KeyboardInterrupt
