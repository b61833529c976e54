"""The meta stage: the better judgment wins, everything is counted, and nothing is asked twice."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.runs import RunView
from selfreward.backends.scripted_policy import outcome_of
from selfreward.data.models import start_policy
from selfreward.errors import StageError
from selfreward.judges import pairwise
from selfreward.judges.both_orders import comparisons
from selfreward.judges.rubric import RubricSpec
from selfreward.records import Candidate, Judgment, PreferencePair, Prompt
from selfreward.selection.judgments import JudgedAnswer
from selfreward.stages.meta import meta, meta_of, stage_spec
from tests.golden import META, rounded_digest
from tests.support import Silent, run_scripted, scripted_config

SETTINGS = (
    *("judge=rubric", "judge.repeats=4", "select=preference_pairs", "meta=default", "loop.iterations=1"),
    *("data.train_closed=40", "data.train_open=8", "data.human_pairs=40"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_scripted(tmp_path_factory.mktemp("meta"), *SETTINGS)


def again(view: RunView, folder: Path, *settings: str) -> Artifact:
    """The stage on the round of `view` under other settings, in a store of its own."""
    config, stages = scripted_config(*SETTINGS, *settings), view.iterations[0]
    assert config.meta is not None
    assert isinstance(config.judge, RubricSpec)
    policy = start_policy(config.model, folder)
    with config.backend.open(policy) as backend:
        return Store(folder, Silent()).run(
            meta,
            stage_spec(config.meta, config.judge.rubric),
            seed=stages["meta"].seed,
            candidates=stages["sample"],
            prompts=stages["prompts"],
            judgments=stages["judge"],
            policy=policy,
            backend=backend,
        )


def deserved(view: RunView) -> dict[str, float]:
    """The score that each candidate deserves of the scripted judge, 0.8 of the scale for a right one, else 0.35."""
    stages = view.iterations[0]
    questions = {one.id: one for one in stages["prompts"].records(Prompt)}
    return {
        one.id: 5 * (0.8 if outcome_of(questions[one.prompt_id].messages[-1].content, one.text) == 0 else 0.35)
        for one in stages["sample"].records(Candidate)
    }


def test_the_better_judgment_is_chosen_in_both_orders(made: RunView) -> None:
    found, right = made.iterations[0]["meta"], deserved(made)
    pairs = list(found.records(PreferencePair, "pairs"))
    assert len(pairs) > 20
    for one in pairs:
        chosen, rejected = (
            abs(float(text.rsplit(" ", 1)[1]) - right[str(one.chosen_id)]) for text in (one.chosen, one.rejected)
        )
        assert chosen < rejected, "nearer to the score that the answer deserves"
    compared = comparisons(found.records(Judgment, "evidence"))
    assert {one.flipped for one in compared} == {False}
    report = meta_of(found)
    assert (report.flipped, report.undecided, report.comparisons) == (0, 0, len(compared))
    interval = report.measures["prefers_score"].interval
    assert interval is not None and interval.low < 0.5 < interval.high, "it goes by the answer, not by the score"


def test_every_answer_has_one_outcome_and_all_judgments_are_counted(made: RunView) -> None:
    stages = made.iterations[0]
    told, report = list(stages["meta"].records(JudgedAnswer, "answers")), meta_of(stages["meta"])
    texts = {(one.prompt_id, one.text) for one in stages["sample"].records(Candidate)}
    assert len(told) == len(texts) == sum(report.answers.values())
    assert report.answers["varies_less"] > 0
    assert sum(one.judgments for one in told) == report.judgments["judgments"] == 4 * len(texts)
    assert report.judgments["repeated"] == sum(one.repeated for one in told) > 0
    asked = [one for one in told if one.outcome in ("pair", "tie", "undecided")]
    assert len(asked) == 64
    spreads = [one.spread or 0.0 for one in told if one.outcome == "varies_less"]
    assert min(one.spread or 0.0 for one in asked) >= max(spreads)
    pairs = {one.id for one in stages["meta"].records(PreferencePair, "pairs")}
    assert {one.pair_id for one in told if one.outcome == "pair"} == pairs
    assert all((one.best is None) == (one.pair_id is None) for one in told)


def test_the_prompt_of_a_pair_is_what_the_judge_was_asked(made: RunView) -> None:
    stages, judge = made.iterations[0], scripted_config(*SETTINGS).judge
    assert isinstance(judge, RubricSpec)
    prompts = {one.id: one for one in stages["prompts"].records(Prompt)}
    answers = {one.id: one for one in stages["sample"].records(Candidate)}
    said = {(one.candidate_ids[0], one.raw) for one in stages["judge"].records(Judgment)}
    for one in stages["meta"].records(PreferencePair, "pairs"):
        candidate = answers[str(one.chosen_id)]
        asked = judge.rubric.ask_about(prompts[one.prompt_id], candidate.text, explained=True)
        assert one.messages == asked
        assert {(candidate.id, one.chosen), (candidate.id, one.rejected)} <= said


def test_a_meta_judge_that_goes_by_the_place_makes_no_pair(made: RunView, tmp_path: Path) -> None:
    found = again(made, tmp_path, "backend.position_bias=1", "meta.answers=24")
    report = meta_of(found)
    assert report.answers["tie"] == 24
    assert report.flipped == report.comparisons > 0
    assert report.measures["prefers_first"].value == 1.0
    assert report.measures["prefers_score"].value is None
    assert list(found.records(PreferencePair, "pairs")) == []


def test_what_cannot_be_read_decides_nothing(made: RunView, tmp_path: Path) -> None:
    report = meta_of(
        again(made, tmp_path, "backend.unparsed_share=0.3", "meta.judge.budget=3", "meta.judge.method=probability")
    )
    assert report.undecided > 0
    parsed = report.measures["parse_rate"].interval
    assert parsed is not None and parsed.low < 0.7 < parsed.high


def test_long_judgments_are_left_out_and_counted(made: RunView, tmp_path: Path) -> None:
    report = meta_of(again(made, tmp_path, "meta.max_tokens=6"))
    assert report.answers["too_few"] == sum(report.answers.values())
    assert report.judgments["too_long"] + report.judgments["repeated"] == report.judgments["judgments"]
    assert report.comparisons == 0
    assert all(one.value is None for one in report.measures.values())


def test_killed_in_the_middle_it_ends_as_if_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: RunView
) -> None:
    compare, calls = pairwise.compare, Counter[str]()

    def dies_at_the_third(*given: Any) -> list[Judgment]:
        calls["compare"] += 1
        if calls["compare"] == 3:
            raise KeyboardInterrupt
        return compare(*given)

    monkeypatch.setattr(pairwise, "compare", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        again(made, tmp_path)
    (folder,) = (tmp_path / "meta").iterdir()
    assert {path.stem for path in folder.glob("evidence-*.parquet")} == {"evidence-00000", "evidence-00001"}
    resumed = again(made, tmp_path)
    assert calls["compare"] == 3 + 2, "of four shards two were there"
    assert resumed.digest == made.iterations[0]["meta"].digest


def test_too_many_failures_stop_it_and_name_the_setting(
    made: RunView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = pairwise.compare
    monkeypatch.setattr(pairwise, "compare", lambda *given: _failed(compare(*given)))
    with pytest.raises(StageError, match=r"meta\.judge\.max_failed_share"):
        again(made, tmp_path)


def _failed(said: list[Judgment]) -> list[Judgment]:
    return [replace(one, outcome="failed", verdict=None, score=None) for one in said]


def test_it_gives_what_it_always_gave(made: RunView) -> None:
    found = made.iterations[0]["meta"]
    assert (found.key, rounded_digest(found)) == META
