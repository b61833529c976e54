"""Prompts that are handed to an update that draws its own answers: which, what is mixed in, what is counted."""

from pathlib import Path

import pytest

from selfreward.artifacts import Artifact, Store
from selfreward.errors import StarvedLoop
from selfreward.records import Example, PreferencePair, RowPrompt
from selfreward.row_kinds import EXAMPLES, PAIRS, PROMPTS
from selfreward.selection.choice import selection_counts
from selfreward.selection.fates import Fate
from selfreward.selection.handed import HandedPrompt, Prompts
from selfreward.selection.pairs import PreferencePairs
from selfreward.stages.mix import RoundMixSpec, mix, mixing_of
from tests.stages.tables import artifact, human_example, open_prompt, ordered, selected
from tests.support import Silent

SCORES = [(1.0, 0.0), (1.0, 1.0), (0.0, 0.0), (0.0, 1.0)]
OWN = [
    (open_prompt(number), [(f"Answer {number}.", better), (f"Other {number}.", other)])
    for number, (better, other) in enumerate(SCORES)
]
"""Four prompts with two answers of five tokens each: to one all are right, to one all are wrong."""


def prompts_of(made: Artifact) -> list[str]:
    return [one.id for one in made.records(RowPrompt, PROMPTS.table)]


def mixed(folder: Path, chosen: Artifact, draws: int, share: float = 0.5, min_rows: int = 1) -> Artifact:
    return Store(folder, Silent()).run(
        mix,
        RoundMixSpec(draws=draws, min_rows=min_rows),
        seed=0,
        selected=chosen,
        decision=ordered(folder, share),
        human=artifact(folder, "human", {"rows": (Example, [human_example(number, 5) for number in range(9)])}),
        human_pairs=artifact(folder, "human pairs", {"rows": (PreferencePair, [])}),
        previous=None,
    )


@pytest.mark.parametrize("rule", [Prompts, PreferencePairs])
def test_mixed_prompts_are_neither_all_right_nor_all_wrong_and_the_others_are_counted(
    tmp_path: Path, rule: type[Prompts] | type[PreferencePairs]
) -> None:
    everything = prompts_of(selected(tmp_path, OWN, rule(prompts="all")))
    assert everything == [prompt.id for prompt, _ in OWN]
    made = selected(tmp_path, OWN, rule(prompts="mixed"))
    assert prompts_of(made) == [everything[0], everything[3]]
    counts = selection_counts(made).by_name
    assert (counts["prompts_handed"], counts["prompts_alike"]) == (2, 2)
    assert {one.tokens for one in made.records(HandedPrompt, PROMPTS.table)} == {5}


def test_no_candidate_is_taken_and_each_has_a_fate(tmp_path: Path) -> None:
    made = selected(tmp_path, OWN, Prompts())
    assert made.rows(EXAMPLES.table) == 0
    assert [one.fate for one in made.records(Fate, "fates")] == ["passed_over"] * 8


def test_the_real_share_is_of_the_tokens_that_will_be_drawn(tmp_path: Path) -> None:
    made = mixed(tmp_path, selected(tmp_path, OWN, Prompts(prompts="mixed")), draws=8)
    told = mixing_of(made)
    assert (told.unit, told.self_rows, told.self_tokens) == ("tokens", 2, 40), "8 answers of 5 tokens"
    assert (told.human_rows, told.human_tokens, told.real_share_tokens) == (8, 40, 0.5)
    assert len(prompts_of(made)) == 2
    assert {row.origin for row in made.records(Example, EXAMPLES.table)} == {"human"}


def test_pairs_beside_prompts_are_counted_as_pairs(tmp_path: Path) -> None:
    made = mixed(tmp_path, selected(tmp_path, OWN, PreferencePairs(prompts="all")), draws=8)
    told = mixing_of(made)
    assert (told.unit, told.self_rows, len(prompts_of(made))) == ("pairs", 2, 4)


def test_too_few_prompts_end_the_run_with_the_counts(tmp_path: Path) -> None:
    chosen = selected(tmp_path, OWN, Prompts(prompts="mixed"))
    with pytest.raises(StarvedLoop, match=r"^2 prompts to train on, mix\.min_rows asks for 3; of all: .*alike 2"):
        mixed(tmp_path, chosen, draws=8, min_rows=3)


def test_pairs_without_a_prompt_to_draw_to_end_the_run_with_the_counts(tmp_path: Path) -> None:
    """A penalty on length makes pairs of answers whose scores are equal."""
    alike = [(open_prompt(number), [("Yes.", 1.0), ("Yes, I do.", 1.0)]) for number in range(4)]
    rule = PreferencePairs(prompts="mixed", length_penalty=0.1)
    chosen = selected(tmp_path, alike, rule, longer=True)
    assert chosen.rows(PAIRS.table) == 4
    with pytest.raises(StarvedLoop, match=r"^4 own pairs, and no prompt .* select\.prompts=all .*prompts_alike 4"):
        mixed(tmp_path, chosen, draws=8)
