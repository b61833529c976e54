"""What selection does to variety: told for a judge that narrows, for one that does not, and where there is nothing."""

import math
from pathlib import Path

import pytest

from selfreward.selection import AnySelect
from selfreward.selection.examples import BestOfK, RandomPick
from selfreward.selection.narrowing import Narrowing, narrowing
from selfreward.selection.pairs import PreferencePairs
from tests.stages.tables import Answers, closed_prompt, open_prompt, round_of, selected

THINGS = ["rivers", "bread", "winter", "music", "letters", "stone", "a garden", "gulls", "zinc", "my uncle", "foxes"]
THINGS += ["oak"]


def told(folder: Path, answers: Answers, spec: AnySelect, **sample: int) -> Narrowing:
    return narrowing(selected(folder, answers, spec), **round_of(folder, answers), seed=5, **sample)


def asked(dull: float) -> Answers:
    """Three different answers and one that is the same for every prompt, which gets the score `dull`."""

    def given(at: int, thing: str) -> list[tuple[str, float]]:
        verbs = enumerate(("Take", "Leave", "Praise"))
        return [
            ("It is what it is.", dull),
            *((f"{verb} {thing} {thing} {at * 37}", 2.0 + (n + at) % 3) for n, verb in verbs),
        ]

    return [(open_prompt(at), given(at, thing)) for at, thing in enumerate(THINGS)]


def test_a_judge_that_loves_one_answer_narrows_and_one_that_does_not_widens(tmp_path: Path) -> None:
    narrow, wide = told(tmp_path / "a", asked(9.0), BestOfK()), told(tmp_path / "b", asked(0.0), BestOfK())
    assert narrow.selection_ratio < 0.6 < 1 < wide.selection_ratio
    assert narrow.accepted_entropy == 0
    assert wide.accepted_entropy == pytest.approx(math.log(len(THINGS)))
    assert narrow.score_gap == pytest.approx(9 - 3)
    assert wide.score_gap == pytest.approx(4 - (0 + 2 + 3) / 3)
    assert (narrow.prompts, narrow.accepted, narrow.zero_gap_share) == (12, 12, 0)


def test_a_lot_narrows_nothing(tmp_path: Path) -> None:
    ratios = [told(tmp_path / str(seed), asked(9.0 + seed), RandomPick(top=2)).selection_ratio for seed in range(3)]
    assert all(0.6 < ratio < 1.6 for ratio in ratios)


def test_the_gap_of_pairs_is_their_margin(tmp_path: Path) -> None:
    found = told(tmp_path, asked(0.0), PreferencePairs())
    assert found.score_gap == 4.0
    assert found.accepted == len(THINGS)


def test_only_open_prompts_count_where_there_are_any(tmp_path: Path) -> None:
    sums = [(closed_prompt(number), [("It is 4.", 1.0), ("It is 5.", 1.0)]) for number in range(4)]
    assert told(tmp_path, [*asked(0.0), *sums], BestOfK()).prompts == 12
    assert told(tmp_path, asked(0.0), BestOfK(), sample=5).prompts == 5
    closed = told(tmp_path / "closed", sums, BestOfK())
    assert (closed.prompts, closed.zero_gap_share) == (4, 1.0)


def test_where_nothing_was_accepted_nothing_is_told(tmp_path: Path) -> None:
    unscored = [(open_prompt(at), [("A.", None), ("B.", None)]) for at in range(3)]
    found = told(tmp_path, unscored, BestOfK())
    assert (found.prompts, found.accepted) == (3, 0)
    assert {found.selection_ratio, found.accepted_entropy, found.score_gap, found.zero_gap_share} == {None}
