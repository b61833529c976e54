"""`selfreward explain`: every row back to its prompt, candidates, judgments and rule; what a kept row cost."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts import Store
from selfreward.artifacts.runs import RunView, read_run
from selfreward.commands.explain import explanation_lines, main
from selfreward.commands.gc import collect
from selfreward.commands.status import main as status_main
from selfreward.errors import StoreError
from selfreward.reading.chain import explain
from selfreward.reading.fate_words import fate_in_words
from selfreward.reading.metrics import metrics_of_round
from selfreward.reading.prompt_rounds import PromptRound, explain_round
from selfreward.reading.rounds import Round, rounds_of
from selfreward.records import Candidate, Example, Judgment, PreferencePair, Prompt, make_prompt
from selfreward.report.round_tables import per_kept_row
from selfreward.selection.examples import BestOfK, choose
from selfreward.selection.fates import Fate
from selfreward.selection.pool import Rated
from selfreward.selection.training_rows import training_table
from tests.support import Silent, run_scripted

SMALL = ("data.train_closed=24", "data.train_open=8", "data.human=60", "evaluate.ladder=[0.4]", "loop.iterations=2")


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """Rows stay over rounds, the start model judges, and faults of every kind take candidates out."""
    return run_scripted(
        tmp_path_factory.mktemp("examples"),
        *SMALL,
        "mix.data=accumulate",
        "mix.real_share=0.3",
        "judge.policy=initial",
        "sample.k=5",
        "select.threshold=-2",
        "backend.cut_share=0.15",
        "backend.refusal_share=0.1",
        "backend.unscored_share=0.15",
        "backend.unscored_outcome=refused",
    )


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """Pairs of the policy's own answers, of a person's over the policy's, and of two that people wrote."""
    return run_scripted(
        tmp_path_factory.mktemp("pairs"),
        *SMALL,
        "select=preference_pairs",
        "select.pairs=all",
        "select.per_prompt=2",
        "prompts.human=4",
        "data.human_pairs=20",
        "mix.real_share=0.2",
        "backend.cut_share=0.15",
    )


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


def rows_of(view: RunView, iteration: int) -> list[Example]:
    return list(view.iterations[iteration]["mix"].records(Example))


def shown(view: RunView, asked: str, iteration: int | None = None) -> str:
    return "\n".join(explanation_lines(explain(view, asked, iteration)))


def told(view: RunView, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([view.name, "--runs", str(view.folder.parent), *arguments]) == 0
    return capsys.readouterr().out


def rounds(view: RunView) -> Iterator[tuple[int, PromptRound]]:
    for t, stages in enumerate(view.iterations):
        if "select" in stages:
            for prompt in stages["prompts"].records(Prompt):
                yield t, explain_round(view, t, prompt)


def test_a_row_of_the_policy_is_told_from_its_candidates_to_the_policy_it_trained(examples: RunView) -> None:
    row = next(one for one in rows_of(examples, 1) if one.origin == "self" and one.iteration == 1)
    found = explain(examples, row.id)
    assert [story.row for story in found.rows] == [row]
    assert found.prompt is not None and found.prompt.id == row.prompt_id
    (one,) = found.rounds
    stages = examples.iterations[1]
    of_prompt = [c for c in stages["sample"].records(Candidate) if c.prompt_id == row.prompt_id]
    assert [considered.candidate for considered in one.candidates] == of_prompt
    assert [j for considered in one.candidates for j in considered.judgments] == [
        j for j in stages["judge"].records(Judgment) if j.prompt_id == row.prompt_id
    ]
    assert (one.policy.number, one.judge and one.judge.number) == (1, 0), "M1 drew, M0 judged"
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
        table, row_type = training_table(view.iterations[3]["select"])
        assert all(one.rule is not None and one.rule.orders.novelty for one in told)
        text = shown(view, next(iter(view.iterations[3]["select"].records(row_type, table))).id)
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
    assert [one.fate for one in choose(BestOfK(), prompt, rated, seed=0).fates()] == ["empty", "selected"]


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


def test_a_candidate_and_a_prompt_lead_to_their_rows(examples: RunView) -> None:
    row = next(one for one in rows_of(examples, 1) if one.iteration == 1 and one.candidate_id is not None)
    by_candidate = explain(examples, row.candidate_id)
    assert (by_candidate.kind, [story.row.id for story in by_candidate.rows]) == ("candidate", [row.id])
    by_prompt = explain(examples, row.prompt_id)
    assert (by_prompt.kind, [one.iteration for one in by_prompt.rounds]) == ("prompt", [0, 1])
    assert row.id in [story.row.id for story in by_prompt.rows]
    assert [one.iteration for one in explain(examples, row.prompt_id, 1).rounds] == [1]


def test_a_candidate_without_a_row_says_so(examples: RunView) -> None:
    lost = next(c for _, one in rounds(examples) for c in one.candidates if c.fate and c.fate.fate == "cut")
    assert "No training row came of this candidate" in shown(examples, lost.candidate.id)


def test_the_start_of_an_id_will_do(examples: RunView) -> None:
    row = rows_of(examples, 0)[0]
    assert explain(examples, row.id[:10].upper()).id == row.id
    with pytest.raises(StoreError, match="at least 4"):
        explain(examples, row.id[:3])


def test_an_unknown_id_says_how_to_list_the_rows(examples: RunView) -> None:
    with pytest.raises(StoreError, match="`selfreward explain scripted` lists"):
        explain(examples, "ffffffffffffffff")
    with pytest.raises(StoreError, match="has iterations 0 to 2"):
        explain(examples, "ffffffffffffffff", 7)
    with pytest.raises(StoreError, match="has no iteration yet"):
        explain(RunView(examples.folder, {}, ()), "ffffffffffffffff", 0)
    later = next(one for one in rows_of(examples, 1) if one.iteration == 1)
    with pytest.raises(StoreError, match="in iteration 0"):
        explain(examples, later.id, 0)


def test_an_ambiguous_start_lists_what_it_could_mean(examples: RunView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfreward.reading.lookup.SHORTEST", 1)
    first = rows_of(examples, 0)[0].id[0]
    with pytest.raises(StoreError, match="give more of it") as caught:
        explain(examples, first)
    assert any("example of iteration 0" in note for note in caught.value.__notes__)
    assert "more" in caught.value.__notes__[-1]


def test_the_list_has_every_row_once(examples: RunView, capsys: pytest.CaptureFixture[str]) -> None:
    ids = {row.id for row in rows_of(examples, 1)}
    listed = [line.split()[0] for line in told(examples, capsys).split("\n") if line.startswith("  ")]
    assert sorted(listed) == sorted(ids)
    last = told(examples, capsys, "--iteration", "1")
    assert last.count("(from iteration 0)") == len(rows_of(examples, 0))
    as_json = json.loads(told(examples, capsys, "--json"))
    assert [one["iteration"] for one in as_json["iterations"]] == [0, 1]
    assert {row["id"] for one in as_json["iterations"] for row in one["rows"]} == ids


def test_json_says_the_same_as_the_text(examples: RunView, capsys: pytest.CaptureFixture[str]) -> None:
    row = rows_of(examples, 0)[0]
    found: dict[str, Any] = json.loads(told(examples, capsys, row.id, "--json"))
    assert found["rows"][0]["row"]["text"] == row.text
    (one,) = found["rounds"]
    assert [c["candidate"]["index"] for c in one["candidates"]] == [0, 1, 2, 3, 4]
    assert one["candidates"][0]["judgments"][0]["raw"]
    assert one["rule"]["spec"]["kind"] == "best_of_k" and one["rule"]["spec"]["k"] == 4
    assert one["rule"]["seed"] == examples.iterations[0]["select"].manifest.identity["seed"]


def test_text_from_files_can_neither_move_the_cursor_nor_pass_for_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b]0;owned\x07 \x9b31m red \u202e backwards \r over\n\nTraining row 0000000000000000"
    for name, words in (("train", "sea tea pea"), ("held_out", "oak elm ash"), ("probe", "tin zinc iron")):
        lines = [json.dumps({"prompt": f"{word} {evil}", "references": [evil]}) for word in words.split()]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    (tmp_path / "human.jsonl").write_text(json.dumps({"prompt": evil, "answer": evil}))
    files = [f"data.{name}={tmp_path}/{name}.jsonl" for name in ("train", "held_out", "probe", "human")]
    small = ("data.overlap.near=1", "mix.min_rows=1", "loop.iterations=1")
    view = run_scripted(tmp_path / "runs", "data=files", *files, *small)
    rows = rows_of(view, 0)
    assert {row.origin for row in rows} == {"self", "human"}
    for arguments in ([], ["--json"], *([row.id] for row in rows), [rows[0].id, "--json"]):
        out = told(view, capsys, *arguments)
        assert {one for one in out if unicodedata.category(one) in ("Cc", "Cf")} == {"\n"}
        assert not any(line.lstrip().startswith("Training row 0000") for line in out.split("\n"))
    assert "⟨U+001B⟩]0;owned⟨U+0007⟩" in told(view, capsys, rows[0].id)


def test_rows_are_told_when_the_weights_are_gone(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SMALL)
    row = rows_of(view, 0)[0]
    before = shown(view, row.id)
    reporter = Silent()
    collect([view.folder], Store(tmp_path / "store", reporter), reporter.say)
    assert any("deleting" in line for line in reporter.lines)
    assert shown(view, row.id) == before


def test_a_run_that_stopped_before_selecting_shows_its_candidates(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SMALL)
    for stage in ("select", "decide", "mix", "update"):
        (view.folder / "iter-001" / stage).unlink()
    stopped = read_run(view.folder)
    drawn = next(stopped.iterations[1]["sample"].records(Candidate))
    text = shown(stopped, drawn.id)
    assert "not selected from yet" in text and "no selection yet" in text


def test_yield_and_cost_agree_with_the_manifests(examples: RunView, pairs: RunView) -> None:
    for view, table in ((examples, "rows"), (pairs, "pairs")):
        for t, stages in enumerate(view.iterations[:2]):
            found = Round(t, stages)
            assert found.judged is not None and found.selection is not None and found.kept is not None
            assert found.drawn == stages["sample"].rows()
            assert found.judged.scored == sum(j.outcome == "scored" for j in stages["judge"].records(Judgment))
            assert found.kept == stages["select"].rows(table) > 0
            selection = stages["select"].json("selection")
            assert found.selection.eligible == sum(selection[name] for name in ("selected", "passed_over", "duplicate"))
            for name, cost in found.costs_per_row.items():
                assert cost.seconds * found.kept == pytest.approx(stages[name].manifest.seconds)
            row = metrics_of_round(found, None)
            assert row["yield/kept_share"] == found.kept / found.drawn
            made = found.making_per_row
            assert made is not None and made.tokens is not None
            assert row["cost/per_row/tokens"] == made.tokens
            drawn = sum(c.tokens for c in stages["sample"].records(Candidate))
            judged = sum(j.usage.prompt_tokens + j.usage.completion_tokens for j in stages["judge"].records(Judgment))
            assert made.tokens * found.kept == pytest.approx(drawn + judged)


def test_status_and_page_tell_the_yield(examples: RunView, capsys: pytest.CaptureFixture[str]) -> None:
    found = rounds_of(examples)[0]
    made = found.making_per_row
    assert made is not None
    (examples.folder / "config.json").write_text('{"loop": {"iterations": 2}}')
    assert status_main([examples.name, "--runs", str(examples.folder.parent)]) == 0
    line = next(line for line in capsys.readouterr().out.split("\n") if line.startswith("iteration 0: "))
    assert f"{found.drawn} candidates of 32 prompts" in line and f"{found.kept} own rows kept" in line
    assert f"{made.tokens:,.1f} tokens a row" in line
    assert f"<small>{made.tokens:,.1f} tokens</small>" in str(per_kept_row(rounds_of(examples)))


def test_no_kept_row_gives_no_cost(examples: RunView) -> None:
    last = examples.iterations[-1]
    assert Round(2, last).costs_per_row == {}
    assert not any(name.startswith("yield/") or "per_row" in name for name in metrics_of_round(Round(2, last), None))
    started = {name: examples.iterations[0][name] for name in ("sample", "judge")}
    assert "yield/kept_rows" not in metrics_of_round(Round(0, started), None)
    assert "yield/drawn" in metrics_of_round(Round(0, started), None)
