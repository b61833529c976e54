"""`selfreward explain`: every row back to its prompt, candidates, judgments and rule; what a kept row cost."""

from collections import Counter
from pathlib import Path

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.reading.chain import explain
from selfreward.reading.fate_words import fate_in_words
from selfreward.records import Candidate, Example, Judgment, PreferencePair, Prompt, make_prompt
from selfreward.revisions import RevisedCandidate
from selfreward.selection.examples import BestOfK
from selfreward.selection.fates import Fate
from selfreward.selection.pool import Rated
from selfreward.selection.training_rows import row_kind
from tests.explained import SMALL, rounds, rows_of, shown
from tests.stages.tables import choice_of
from tests.support import run_scripted


@pytest.fixture(scope="module")
def ordered(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """An alarm is answered at M2, so that the selection of iteration 3 follows its orders."""
    settings = ("data.train_closed=24", "data.train_open=24", "data.human=60", "loop.iterations=4", "monitor=act")
    more = ("monitor.cluster_cap=1", "monitor.novelty_quantile=0.3", "monitor.severe_drop=0.2")
    return run_scripted(tmp_path_factory.mktemp("ordered"), *settings, *more)


@pytest.fixture(scope="module")
def ordered_pairs(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """The same with pairs, which then reject answers of iteration 0."""
    settings = ("data.train_closed=24", "data.train_open=12", "data.human=60", "loop.iterations=4", "monitor=act")
    return run_scripted(tmp_path_factory.mktemp("pairs"), *settings, "select=preference_pairs", "prompts.human=4")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """Pairs under both kinds of length control."""
    return run_scripted(
        tmp_path_factory.mktemp("short"),
        *SMALL,
        "select=preference_pairs",
        "select.length_tier=0.4",
        "select.length_penalty=0.05",
        "prompts.human=4",
    )


def test_a_row_of_the_policy_is_told_from_its_candidates_to_the_policy_it_trained(examples: RunView) -> None:
    row = next(one for one in rows_of(examples, 1) if one.origin == "self" and one.iteration == 1)
    found = explain(examples, row.id)
    assert [story.row for story in found.rows] == [row]
    assert found.prompt is not None and found.prompt.id == row.prompt_id
    (one,) = found.rounds
    stages = examples.iterations[1]
    of_prompt = [c for c in stages["sample"].records(RevisedCandidate) if c.prompt_id == row.prompt_id]
    assert [considered.candidate for considered in one.candidates] == of_prompt
    assert [j for considered in one.candidates for j in considered.judgments] == [
        j for j in stages["judge"].records(Judgment) if j.prompt_id == row.prompt_id
    ]
    assert (one.drawers[0].number, one.judge and one.judge.number) == (1, 0), "M1 drew, M0 judged"
    source, *chain = one.chain
    assert source.key == examples.sources["train"].key
    assert [link.stage for link in chain] == ["prompts", "sample", "judge", "select", "decide", "mix", "update"]
    assert [link.key for link in chain] == [stages[link.stage].key for link in chain]
    chosen = next(considered for considered in one.candidates if considered.candidate.id == row.candidate_id)
    assert chosen.fate is not None and (chosen.fate.fate, chosen.fate.rank) == ("selected", 1)
    assert chosen.fate.score == row.score
    text = shown(examples, row.id)
    for part in (
        row.text,
        found.prompt.messages[-1].content,
        stages["update"].key,
        stages["mix"].digest,
        "scored logprob",
    ):
        assert part in text


def test_a_row_that_stays_says_where_it_came_in_and_what_it_trained(examples: RunView) -> None:
    row = rows_of(examples, 0)[0]
    for found in (explain(examples, row.id), explain(examples, row.id, 1)):
        (story,) = found.rows
        assert story.row.iteration == 0
        assert [one.iteration for one in story.sets] == [0, 1]
        assert [one.policy_key for one in story.sets] == [examples.iterations[t]["update"].key for t in (0, 1)]
        assert [one.iteration for one in found.rounds] == [0]
    assert "kept from iteration 0" in shown(examples, row.id)


def test_a_human_row_names_its_source_and_the_ledger(examples: RunView) -> None:
    row = next(one for one in rows_of(examples, 0) if one.origin == "human")
    found = explain(examples, row.id)
    (story,) = found.rows
    assert found.rounds == () and story.human is not None
    assert story.human.chain[0].key == examples.sources["human"].key
    assert (story.human.spent.example_id, story.human.spent.iteration) == (row.id, 0)
    text = shown(examples, row.id)
    assert "data=scripted" in text and "30.0% asked: only observing, the share stays at 0.30" in text
    assert row.text in text and row.messages[-1].content in text


def test_every_candidate_has_a_fate_and_fates_add_up_to_what_was_counted(
    examples: RunView, pairs: RunView, short: RunView
) -> None:
    for view in (examples, pairs, short):
        for stages in view.iterations[:2]:
            fates = list(stages["select"].records(Fate, "fates"))
            assert {one.candidate_id for one in fates} == {one.id for one in stages["sample"].records(Candidate)}
            assert len(fates) == stages["sample"].rows()
            human = {one.prompt_id for one in stages["prompts"].records(Example, "human")}
            own = Counter(one.fate for one in fates if one.prompt_id not in human or view is examples)
            selection = stages["select"].json("selection")
            assert {name: n for name, n in own.items() if name != "beyond_k"} == {
                name: n for name, n in selection.items() if name in own
            }


def test_pairs_are_told_by_the_fates_of_their_sides(pairs: RunView) -> None:
    selected = pairs.iterations[0]["select"]
    fates = list(selected.records(Fate, "fates"))
    rows = [*selected.records(PreferencePair, "pairs"), *selected.records(PreferencePair, "human_pairs")]
    under = [(other, one.candidate_id) for one in fates for other in one.under]
    assert sorted(under) == sorted((str(row.chosen_id), str(row.rejected_id)) for row in rows)
    own = [(row.chosen_id, row.rejected_id) for row in rows if row.origin == "self"]
    assert sorted((one.candidate_id, other) for one in fates for other in one.over) == sorted(own)


def test_what_the_monitor_ordered_is_followed_when_it_is_told(ordered: RunView, ordered_pairs: RunView) -> None:
    for view in (ordered, ordered_pairs):
        orders = view.iterations[2]["decide"].json("decision")["orders"]
        assert orders["novelty"], "otherwise this shows nothing"
        told = [one for t, one in rounds(view) if t == 3]
        kind = row_kind(view.iterations[3]["select"])
        assert all(one.rule is not None and one.rule.orders.novelty for one in told)
        text = shown(view, next(iter(view.iterations[3]["select"].records(kind.record, kind.table))).id)
        assert "ordered by the monitor: " in text and "the most novel first" in text
    assert "an answer of iteration 0" in "\n".join(
        line for one in told[:40] for line in [fate_in_words(considered, one) for considered in one.candidates]
    )


def test_every_reason_is_told_in_words(examples: RunView) -> None:
    told_by_reason: dict[str, str] = {}
    for _, one in rounds(examples):
        for considered in one.candidates:
            assert considered.fate is not None
            if considered.fate.fate not in told_by_reason:
                lines = shown(examples, considered.candidate.id, one.iteration).split("\n")
                (told_by_reason[considered.fate.fate],) = [line for line in lines if "<- asked for" in line]
    assert told_by_reason.keys() == {
        "selected",
        "passed_over",
        "duplicate",
        "cut",
        "unscored:refused",
        "below_threshold",
        "beyond_k",
    }
    assert "selected, score -" in told_by_reason["selected"]
    assert "select.top=1 and others rank higher" in told_by_reason["passed_over"]
    assert "which ranks higher" in told_by_reason["duplicate"]
    assert "the token limit ended it" in told_by_reason["cut"]
    assert "no judgment of it was scored" in told_by_reason["unscored:refused"]
    assert "less than select.threshold=-2" in told_by_reason["below_threshold"]
    assert "only the first 4 are looked at" in told_by_reason["beyond_k"]


def test_an_empty_answer_is_left_out_as_empty() -> None:
    prompt = make_prompt("Why?", system="", stratum="open", source="test")
    rated = [Rated(candidate(prompt, index, text), -1.0, "scored") for index, text in enumerate(["  ", "Because."])]
    assert [one.fate for one in choice_of(BestOfK(), prompt, rated).fates()] == ["empty", "selected"]


def candidate(prompt: Prompt, index: int, text: str) -> Candidate:
    return Candidate(
        id=f"candidate-{index}",
        prompt_id=prompt.id,
        index=index,
        text=text,
        text_hash="",
        finish="stop",
        tokens=1,
        logprob=-1.0,
        policy_key="key",
        policy_digest="digest",
        seed=0,
    )


def test_a_pair_names_who_stood_against_whom(pairs: RunView) -> None:
    row = next(one for one in pairs.iterations[0]["mix"].records(PreferencePair, "pairs") if one.origin == "self")
    found = explain(pairs, row.id)
    chosen = next(one for one in found.rounds[0].candidates if one.candidate.id == row.chosen_id)
    assert chosen.fate is not None and row.rejected_id in chosen.fate.over
    number = {one.candidate.id: one.candidate.index for one in found.rounds[0].candidates}
    lines = shown(pairs, row.id).split("\n")
    assert any(line.startswith(f"  #{number[row.chosen_id]} chosen over") for line in lines)
    assert any(line.startswith(f"  #{number[row.rejected_id]} rejected for #{number[row.chosen_id]}") for line in lines)


def test_a_human_pair_names_the_person_and_the_policys_worst(pairs: RunView) -> None:
    human = [one for one in pairs.iterations[0]["mix"].records(PreferencePair, "pairs") if one.origin == "human"]
    row = next(one for one in human if one.rejected_id is not None)
    found = explain(pairs, row.id)
    (story,) = found.rows
    assert story.human is not None and story.human.spent.example_id == row.chosen_id
    text = shown(pairs, row.id)
    assert f"rejected for the human answer {row.chosen_id}" in text
    assert "the human answer over the worst of them" in text


def test_a_pair_under_length_control_says_what_length_did(short: RunView) -> None:
    rows = [one for one in short.iterations[0]["mix"].records(PreferencePair, "pairs") if one.origin == "self"]
    for row in rows[:4]:
        (one,) = explain(short, row.id).rounds
        fates = {each.candidate.id: each.fate for each in one.candidates if each.fate is not None}
        assert row.rejected_id in fates[str(row.chosen_id)].over
        left = {
            each.candidate.id: (fates[each.candidate.id].score or 0) - 0.05 * each.candidate.tokens
            for each in one.candidates
        }
        assert row.margin == pytest.approx(left[str(row.chosen_id)] - left[str(row.rejected_id)])
        text = shown(short, row.id)
        assert "each token of an answer takes 0.05 off its score" in text
        assert f"({left[str(row.chosen_id)]:.4f} after the penalty)" in text
        assert "the shortest of the top tier over the longest of the bottom tier" in text


def test_a_human_row_that_is_drawn_again_came_in_again(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SMALL, "data.human=6", "mix.max_uses=2", "mix.real_share=0.4")
    ids = [{row.id for row in rows_of(view, t) if row.origin == "human"} for t in (0, 1)]
    again = min(ids[0] & ids[1])
    for t in (0, 1):
        (story,) = explain(view, again, t).rows
        assert story.human is not None and story.human.spent.iteration == t
    assert [one.came_in for one in explain(view, again).rows[0].sets] == [0, 1]
    assert "kept from" not in shown(view, again)


def test_a_pair_that_people_wrote_has_no_candidates(pairs: RunView) -> None:
    human = [one for one in pairs.iterations[0]["mix"].records(PreferencePair, "pairs") if one.origin == "human"]
    row = next(one for one in human if one.rejected_id is None)
    found = explain(pairs, row.id)
    assert found.rounds == () and found.rows[0].human is not None
    assert found.rows[0].human.chain[0].key == pairs.sources["human_pairs"].key
    text = shown(pairs, row.id)
    assert "role human_pairs" in text and "by people" in text
    assert row.chosen in text and row.rejected in text and row.messages[-1].content in text
