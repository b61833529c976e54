"""The loop on a scripted policy: what is made once, what follows from a change, what stops it."""

import json
from pathlib import Path

import pytest

from selfreward.artifacts import Store
from selfreward.artifacts.runs import Run, RunView, read_run
from selfreward.commands.run import run
from selfreward.commands.verify import check_chain, check_links
from selfreward.errors import StageError, StarvedLoop
from selfreward.loop import run_loop
from selfreward.reading.chain import explain
from selfreward.records import Candidate, Example, Judgment
from selfreward.selection.mixing import Spent
from selfreward.tracking import Tracker, metrics_of_run
from tests.golden import GOLDEN, golden_of
from tests.support import Silent, run_scripted, scripted_config


def digests(view: RunView) -> dict[str, str]:
    return {name: artifact.digest for name, artifact in view.artifacts()}


def misses(reporter: Silent) -> list[str]:
    return [line for line in reporter.lines if not line.startswith(" ")]


def made(reporter: Silent) -> list[str]:
    return [line.split()[0] for line in misses(reporter)]


def test_every_stage_of_every_iteration_is_linked(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "loop.iterations=2")
    last = {"measure", "diagnose", "evaluate"}
    assert [set(stages) for stages in view.iterations] == [GOLDEN.keys(), GOLDEN.keys(), last]
    roles = {"train", "held_out", "probe", "target", "human", "human_pairs", "gold_gate", "gold_final"}
    assert set(view.sources) == roles | {"clean_train", "clean_human", "clean_human_pairs"}


def test_the_same_again_makes_nothing_whatever_the_run_is_called(tmp_path: Path) -> None:
    first = run_scripted(tmp_path)
    for name in (first.name, "another"):
        reporter = Silent()
        again = run_scripted(tmp_path, f"run={name}", reporter=reporter)
        assert made(reporter) == []
        assert digests(first) == digests(again)


def test_more_iterations_redo_nothing(tmp_path: Path) -> None:
    run_scripted(tmp_path, "loop.iterations=1")
    reporter = Silent()
    run_scripted(tmp_path, "loop.iterations=2", reporter=reporter)
    assert made(reporter) == [
        *("prompts", "sample", "health", "judge", "gate", "select", "decide", "mix", "update"),
        *("measure", "diagnose", "evaluate"),
    ]


def test_fewer_iterations_leave_nothing_of_the_longer_run(tmp_path: Path) -> None:
    run_scripted(tmp_path, "loop.iterations=2")
    shorter = run_scripted(tmp_path, "loop.iterations=1")
    assert [set(stages) for stages in shorter.iterations] == [GOLDEN.keys(), {"measure", "diagnose", "evaluate"}]
    assert "select/candidates" not in metrics_of_run(shorter)[-1]


def test_a_run_with_changed_settings_shows_nothing_of_the_old_one(tmp_path: Path) -> None:
    run_scripted(tmp_path)
    config = scripted_config("sample.temperature=0.8")
    run = Run(tmp_path / config.run, Store(tmp_path / "store", Silent()), config.seed)

    class Stop(Tracker):
        def iteration(self, t: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_loop(config, run, Stop(run.folder, Silent()))
    view = read_run(run.folder)
    assert len(view.iterations) == 1
    assert view.iterations[0].keys() == GOLDEN.keys()
    assert view.iterations[0]["sample"].manifest.identity["spec"]["temperature"] == 0.8


def test_a_changed_update_redoes_only_what_follows(tmp_path: Path) -> None:
    run_scripted(tmp_path, "loop.iterations=1")
    reporter = Silent()
    run_scripted(tmp_path, "loop.iterations=1", "update.rate=0.25", reporter=reporter)
    assert made(reporter) == ["update", "measure", "diagnose", "evaluate"]
    assert misses(reporter)[0].endswith("update.rate 0.5 -> 0.25")


def test_another_setting_of_a_monitor_that_only_watches_trains_nothing_again(tmp_path: Path) -> None:
    run_scripted(tmp_path, "loop.iterations=3", "mix.real_share=0.2")
    reporter = Silent()
    other = run_scripted(tmp_path, "loop.iterations=3", "monitor.gain=0.1", "monitor.alpha=0.01", reporter=reporter)
    assert set(made(reporter)) == {"diagnose", "decide"}
    check_links(other)
    check_chain(other)
    row = next(one for one in other.iterations[2]["mix"].records(Example) if one.origin == "human")
    (story,) = explain(other, row.id).rows
    assert story.human is not None
    assert story.human.why == other.iterations[2]["decide"].json("decision")["course"]["why"]
    assert other.iterations[2]["decide"].key in [link.key for link in story.human.chain]


def test_a_smaller_k_uses_the_candidates_already_drawn(tmp_path: Path) -> None:
    run_scripted(tmp_path, "loop.iterations=1", "select.k=4")
    reporter = Silent()
    run_scripted(tmp_path, "loop.iterations=1", "select.k=2", reporter=reporter)
    assert not {"sample", "judge"} & set(made(reporter))
    assert misses(reporter)[0].endswith("select.k 4 -> 2")


def test_another_seed_draws_anew(tmp_path: Path) -> None:
    one, two = (run_scripted(tmp_path, "loop.iterations=1", f"seed={seed}") for seed in (0, 1))
    assert one.iterations[0]["sample"].digest != two.iterations[0]["sample"].digest


def test_the_scripted_loop_gives_what_it_always_gave(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "loop.iterations=1")
    assert golden_of(view) == GOLDEN


def test_self_training_sharpens_and_the_report_of_it_says_so(tmp_path: Path) -> None:
    whole = ["data.held_out_closed=60", "evaluate.ladder=[0.2,0.4,0.65]"]
    rows = metrics_of_run(run_scripted(tmp_path, "mix.real_share=0", *whole))
    first, last = rows[0], rows[-1]
    assert last["eval/closed/pass_at_1"] > first["eval/closed/pass_at_1"] + 0.3
    assert last["eval/closed/distinct_share"] < first["eval/closed/distinct_share"] / 2
    assert last["matched/gain/pass_at_1_low"] < 0 < last["matched/gain/pass_at_1_high"]
    assert last["diversity/open/pairwise_distance"] < first["diversity/open/pairwise_distance"]


def test_real_share_is_counted_in_completion_tokens_and_no_human_row_is_spent_twice(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "mix.real_share=0.3")
    for stages in view.iterations[:-1]:
        rows = list(stages["mix"].records(Example))
        human = sum(row.tokens for row in rows if row.origin == "human")
        share = human / sum(row.tokens for row in rows)
        assert share == pytest.approx(0.3, abs=0.02)
        assert stages["mix"].json("mixing")["real_share_tokens"] == pytest.approx(share)
    ledger = list(view.iterations[2]["mix"].records(Spent, "ledger"))
    assert len({entry.example_id for entry in ledger}) == len(ledger)
    used = [{r.id for r in view.iterations[t]["mix"].records(Example) if r.origin == "human"} for t in range(3)]
    assert all(used)
    assert not (used[0] & used[1] or used[1] & used[2] or used[0] & used[2])


def test_a_dry_pool_is_said_to_be_dry(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, "mix.real_share=0.5", "data.human=20", reporter=reporter)
    assert any("the human pool is dry" in line for line in reporter.lines)
    mixing = view.iterations[2]["mix"].json("mixing")
    assert mixing["human_rows_left"] == 0
    assert mixing["short"] > 0
    assert mixing["real_share_tokens"] < 0.5


def test_too_few_human_pairs_are_told_with_the_settings_that_make_more(tmp_path: Path) -> None:
    reporter = Silent()
    pairs = ("select=preference_pairs", "prompts.human=2", "mix.real_share=0.5")
    mixing = run_scripted(tmp_path, *pairs, reporter=reporter).iterations[0]["mix"].json("mixing")
    assert mixing["short"] > 0
    assert mixing["human_rows_left"] > 0
    (told,) = [line for line in reporter.lines if "short of the share" in line][:1]
    assert "prompts.human" in told
    assert "data.human_pairs" in told


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        (["mix.data=replace"], {2}),
        (["mix.data=accumulate"], {0, 1, 2}),
        (["mix.data=last_n", "mix.last_n=2"], {1, 2}),
    ],
)
def test_what_stays_of_earlier_rounds(tmp_path: Path, settings: list[str], kept: set[int]) -> None:
    view = run_scripted(tmp_path, *settings)
    rows = list(view.iterations[2]["mix"].records(Example))
    assert {row.iteration for row in rows if row.origin == "self"} == kept
    human = sum(row.tokens for row in rows if row.origin == "human")
    assert human / sum(row.tokens for row in rows) == pytest.approx(0.2, abs=0.02)


def test_the_verifier_judges_without_a_backend_and_open_prompts_stay_unscored(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "judge=verifier", "select.threshold=1", "loop.iterations=1")
    judged = view.iterations[0]["judge"]
    assert "engine" not in judged.manifest.identity
    assert "policy" not in judged.manifest.inputs
    outcomes = {(row.outcome, row.score) for row in judged.records(Judgment)}
    assert outcomes == {("scored", 1.0), ("scored", 0.0), ("unparsed", None)}
    chosen = list(view.iterations[0]["select"].records(Example))
    assert {row.score for row in chosen} == {1.0}
    assert {row.stratum for row in chosen} == {"closed"}


def test_the_live_judge_reuses_what_sampling_knew_and_another_policy_scores_anew(tmp_path: Path) -> None:
    live = run_scripted(tmp_path, "loop.iterations=2", "run=live")
    initial = run_scripted(tmp_path, "loop.iterations=2", "judge.policy=initial", "run=initial")
    raw = [{row.raw for row in view.iterations[1]["judge"].records(Judgment)} for view in (live, initial)]
    assert raw == [{"sampling logprob"}, {"scored logprob"}]
    assert not live.iterations[1]["judge"].has("evidence")
    assert not {"comparisons", "flipped", "undecided"} & live.iterations[1]["judge"].manifest.counts.keys()
    drawn = {row.id: row.logprob / row.tokens for row in live.iterations[1]["sample"].records(Candidate)}
    assert all(row.score == drawn[row.candidate_ids[0]] for row in live.iterations[1]["judge"].records(Judgment))
    assert (
        initial.iterations[1]["judge"].manifest.inputs["policy"].digest
        == live.iterations[0]["sample"].manifest.inputs["policy"].digest
    )


def test_previous_is_the_policy_before(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "loop.iterations=3", "judge.policy=previous")
    judges = [stages["judge"].manifest.inputs["policy"].digest for stages in view.iterations[:-1]]
    drawers = [stages["sample"].manifest.inputs["policy"].digest for stages in view.iterations[:-1]]
    assert judges == [drawers[0], drawers[0], drawers[1]]


def test_an_external_judge_is_a_folder(tmp_path: Path) -> None:
    run_scripted(tmp_path, "loop.iterations=0", "model.skill=0.9")
    folder = next((tmp_path / "store" / ".models").iterdir())
    view = run_scripted(tmp_path, "loop.iterations=1", "judge.policy=external", f"judge.path={folder}")
    assert {row.raw for row in view.iterations[0]["judge"].records(Judgment)} == {"scored logprob"}


def test_a_judge_that_never_scores_stops_the_loop_with_the_counts(tmp_path: Path) -> None:
    with pytest.raises(
        StarvedLoop, match=r"0 own examples .*mix.min_rows asks for 8.*unscored:truncated 352"
    ) as caught:
        run_scripted(
            tmp_path,
            "judge.policy=external",
            *_external(tmp_path),
            "backend.unscored_share=1",
            "gate.parse_rate.action=observe",
        )
    assert caught.value.exit_status == 3


def test_a_starved_run_keeps_the_figures_of_its_last_policy(tmp_path: Path) -> None:
    settings = scripted_config("mix.min_rows=500", f"store.runs={tmp_path}", "run=starved").model_dump(mode="json")
    with pytest.raises(StarvedLoop, match="mix.min_rows asks for 500"):
        run(settings)
    (row,) = [json.loads(line) for line in (tmp_path / "starved/metrics.jsonl").read_text().splitlines()]
    assert row["loop/iteration"] == 0 and 0 < row["select/selected"] < 500
    assert row["eval/closed/pass_at_1"] > 0 and "mix/self_rows" not in row


def test_failed_judgments_stop_the_stage_and_are_owed(tmp_path: Path) -> None:
    settings = ["judge.policy=external", *_external(tmp_path), "backend.unscored_outcome=failed"]
    with pytest.raises(StageError, match="judgments failed .*judge.max_failed_share"):
        run_scripted(tmp_path, *settings, "backend.unscored_share=0.5")
    view = run_scripted(tmp_path, *settings, "backend.unscored_share=0.5", "judge.max_failed_share=1")
    outcomes = view.iterations[0]["judge"].manifest.counts
    assert outcomes["failed"] > 100
    assert outcomes["failed"] + outcomes["scored"] == 352


def _external(tmp_path: Path) -> list[str]:
    run_scripted(tmp_path, "loop.iterations=0", "model.skill=0.9", "run=other")
    return [f"judge.path={next((tmp_path / 'store' / '.models').iterdir())}"]


def test_cut_answers_are_counted_and_not_trained_on(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, "backend.cut_share=0.5", "loop.iterations=1", reporter=reporter)
    count = view.iterations[0]["select"].json("selection")["cut"]
    assert 100 < count < 250
    assert any("selected" in line and f"of 352 candidates (cut {count}" in line for line in reporter.lines)
    cut = {row.id for row in view.iterations[0]["sample"].records(Candidate) if row.finish == "length"}
    assert not cut & {row.candidate_id for row in view.iterations[0]["select"].records(Example)}


def test_a_resumed_run_tracks_what_an_unbroken_one_does(tmp_path: Path) -> None:
    whole = metrics_of_run(run_scripted(tmp_path / "whole"))
    config = scripted_config()
    for _ in range(2):
        run = Run(tmp_path / "broken" / config.run, Store(tmp_path / "broken" / "store", Silent()), config.seed)
        run_loop(config, run, Tracker(run.folder, Silent()))
    broken = metrics_of_run(read_run(tmp_path / "broken" / config.run))
    timeless = [[{n: v for n, v in row.items() if "seconds" not in n} for row in rows] for rows in (whole, broken)]
    assert timeless[0] == timeless[1]
