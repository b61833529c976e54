"""Which prompts a round samples."""

from pathlib import Path

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.errors import StarvedLoop
from selfreward.records import Example, PreferencePair, Prompt
from selfreward.selection.choice import selection_counts
from tests.support import run_scripted

SMALL = ["data.train_closed=20", "data.train_open=10", "mix.min_rows=1"]
PAIRS = [*SMALL, "select=preference_pairs", "prompts.human=12", "mix.real_share=0.2"]


def asked(view: RunView) -> list[list[str]]:
    return [
        [prompt.id for prompt in stages["prompts"].records(Prompt)] for stages in view.iterations if "prompts" in stages
    ]


def test_all_prompts_in_every_round(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SMALL, "loop.iterations=2")
    train = [prompt.id for prompt in view.sources["train"].records(Prompt)]
    assert asked(view) == [train, train]


def test_a_slice_goes_on_where_the_last_one_ended_and_starts_over(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SMALL, "prompts.per_round=slice", "prompts.count=12")
    train = [prompt.id for prompt in view.sources["train"].records(Prompt)]
    rounds = asked(view)
    assert rounds[:2] == [train[:12], train[12:24]]
    assert set(rounds[2]) == {*train[24:], *train[:6]}


def test_without_replacement_no_prompt_comes_twice(tmp_path: Path) -> None:
    settings = [*SMALL, "prompts.per_round=without_replacement", "prompts.count=10"]
    view = run_scripted(tmp_path, *settings)
    rounds = asked(view)
    assert [len(one) for one in rounds] == [10, 10, 10]
    assert len({prompt for one in rounds for prompt in one}) == 30
    assert view.iterations[2]["prompts"].json("prompts")["prompts_left"] == 0
    other = run_scripted(tmp_path, *settings, "seed=1", "run=other")
    assert set(asked(other)[0]) != set(rounds[0])
    with pytest.raises(StarvedLoop, match=r"0 of 30 training prompts are left in round 3, prompts\.count asks for 10"):
        run_scripted(tmp_path, *settings, "loop.iterations=4")


def test_human_prompts_are_sampled_along_and_pair_the_human_answer_with_the_policys_own(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *PAIRS, "loop.iterations=2")
    for stages in view.iterations[:2]:
        human = list(stages["prompts"].records(Example, "human"))
        assert len(human) == 12
        anchors = list(stages["select"].records(PreferencePair, "human_pairs"))
        counts = selection_counts(stages["select"])
        assert counts.by_name["human_pairs"] == len(anchors)
        assert counts.human_prompts == len(human)
        assert {pair.chosen for pair in anchors} <= {example.text for example in human}
        assert {pair.origin for pair in anchors} == {"human"}
        own = list(stages["select"].records(PreferencePair, "pairs"))
        assert {pair.prompt_id for pair in own}.isdisjoint(example.prompt_id for example in human)
        rows = list(stages["mix"].records(PreferencePair, "pairs"))
        share = sum(row.origin == "human" for row in rows) / len(rows)
        assert share == pytest.approx(0.2, abs=0.02)
        assert stages["mix"].json("mixing")["unit"] == "pairs"


def test_a_human_answer_is_spent_once_in_pairs_too(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *PAIRS)
    used = [
        row.chosen_id or row.id
        for stages in view.iterations[:-1]
        for row in stages["mix"].records(PreferencePair, "pairs")
        if row.origin == "human"
    ]
    assert len(used) == len(set(used)) > 5
    told = [stages["mix"].json("mixing") for stages in view.iterations[:-1]]
    everyone = view.sources["human"].rows()
    assert [one["human_rows_left"] for one in told] == [everyone - one["human_rows_spent"] for one in told]
