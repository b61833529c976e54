"""What human data a round draws: fresh rows first, each as often as allowed, and never more than the budget."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from selfreward.artifacts import Artifact, Part, Store
from selfreward.artifacts.parquet import read_table
from selfreward.records import Example, PreferencePair, Prompt
from selfreward.row_kinds import tokens_of, written_as
from selfreward.selection.examples import BestOfK
from selfreward.selection.mixing import Spent
from selfreward.selection.pairs import PreferencePairs
from selfreward.stages.mix import RoundMixSpec, mix
from selfreward.stages.prompts import prompts
from selfreward.writing.settings import TrainingPrompts
from tests.stages.tables import artifact, human_example, open_prompt, ordered, selected
from tests.support import Silent
from tests.tiny import make_pair

OWN = [(open_prompt(number), [(f"Answer {number}.", 2.0), (f"Other {number}.", 1.0)]) for number in range(8)]
"""Eight own examples of five tokens, or eight pairs."""


def pool_of(folder: Path, tokens: list[int]) -> Artifact:
    rows = [human_example(number, size) for number, size in enumerate(tokens)]
    return artifact(folder, f"human {tokens}", {"rows": (Example, rows)})


def mixed(
    folder: Path, spec: RoundMixSpec, decision: Part, human: Artifact, previous: Artifact | None = None, seed: int = 0
) -> Artifact:
    return Store(folder, Silent()).run(
        mix,
        spec,
        seed=seed,
        selected=selected(folder, OWN, BestOfK()),
        decision=decision,
        human=human,
        human_pairs=artifact(folder, "no human pairs", {"rows": (PreferencePair, [])}),
        previous=previous,
    )


def rounds(folder: Path, spec: RoundMixSpec, human: Artifact, count: int, **decided: float) -> list[Artifact]:
    """Rounds of 40 own tokens each, half of what is trained on human."""
    made: list[Artifact] = []
    for seed in range(count):
        made.append(mixed(folder, spec, ordered(folder, 0.5, **decided), human, made[-1] if made else None, seed))
    return made


def drawn_in(made: Artifact) -> list[str]:
    return [row.id for row in made.records(Example) if row.origin == "human"]


def test_no_row_is_used_again_unless_that_is_allowed(tmp_path: Path) -> None:
    first, second = rounds(tmp_path, RoundMixSpec(), pool_of(tmp_path, [10] * 6), 2)
    assert set(drawn_in(first)).isdisjoint(drawn_in(second))
    assert second.json("mixing")["short"] == 20
    assert second.json("mixing")["reuse_epochs"] == 1.0
    assert second.json("mixing")["human_rows_left"] == 0


def test_the_least_used_rows_come_first(tmp_path: Path) -> None:
    made = rounds(tmp_path, RoundMixSpec(max_uses=3), pool_of(tmp_path, [10] * 6), 5)
    first, second = (drawn_in(one) for one in made[:2])
    assert len(set(second) - set(first)) == 2, "both fresh rows, then two used ones"
    told = [one.json("mixing") for one in made]
    assert [one["human_rows_fresh"] for one in told] == [4, 2, 0, 0, 0]
    assert [one["human_rows_spent"] for one in told] == [4, 6, 6, 6, 6]
    assert [one["reuse_epochs"] for one in told] == pytest.approx([1, 8 / 6, 2, 16 / 6, 3])
    assert [one["short"] for one in told] == [0, 0, 0, 0, 20], "six rows, three times, are eighteen uses"
    for upto in range(1, 4):
        uses = Counter(entry.example_id for entry in made[upto].records(Spent, "ledger"))
        assert max(uses.values()) - min(uses.values()) <= 1
    assert set(Counter(entry.example_id for entry in made[-1].records(Spent, "ledger")).values()) == {3}


@pytest.mark.parametrize("data", ["replace", "accumulate"])
def test_a_row_is_once_in_a_training_set(tmp_path: Path, data: str) -> None:
    for made in rounds(tmp_path, RoundMixSpec(max_uses=5, data=data), pool_of(tmp_path, [10] * 6), 3):  # type: ignore[arg-type]
        ids = drawn_in(made)
        assert len(ids) == len(set(ids)) > 3


@pytest.mark.parametrize(
    ("tokens", "budget", "share", "uses"),
    [([7, 30, 1, 12, 9], 45, 0.5, 2), ([30, 30], 29, 0.8, 3), ([3] * 12, 20, 0.3, 1), ([5, 6], 0, 0.5, 2)],
)
def test_the_budget_is_never_exceeded(tmp_path: Path, tokens: list[int], budget: int, share: float, uses: int) -> None:
    human, left, before = pool_of(tmp_path, tokens), budget, None
    for seed in range(3):
        made = mixed(tmp_path, RoundMixSpec(max_uses=uses), ordered(tmp_path, share, left), human, before, seed)
        told = made.json("mixing")
        spent = sum(entry.tokens for entry in made.records(Spent, "ledger"))
        assert spent <= budget
        assert told["human_left"] == budget - spent >= 0
        left, before = told["human_left"], made


def test_what_the_budget_forbids_is_missing(tmp_path: Path) -> None:
    made = mixed(tmp_path, RoundMixSpec(), ordered(tmp_path, 0.5, 25), pool_of(tmp_path, [10] * 9))
    told = made.json("mixing")
    assert (told["human_tokens"], told["human_left"], told["short"]) == (20, 5, 20)
    assert told["human_rows_left"] == 7
    free = mixed(tmp_path, RoundMixSpec(), ordered(tmp_path, 0.5), pool_of(tmp_path, [10] * 9)).json("mixing")
    assert (free["human_tokens"], free["human_left"], free["short"]) == (40, None, 0)
    assert (
        mixed(tmp_path, RoundMixSpec(), ordered(tmp_path, 0.0), pool_of(tmp_path, [10])).json("mixing")["reuse_epochs"]
        is None
    )


def test_a_budget_of_pairs_counts_pairs(tmp_path: Path) -> None:
    people = [replace(make_pair(number), origin="human", chosen_tokens=100) for number in range(6)]
    made = Store(tmp_path, Silent()).run(
        mix,
        RoundMixSpec(),
        seed=0,
        selected=selected(tmp_path, OWN, PreferencePairs()),
        decision=ordered(tmp_path, 0.5, 3, sft_weight=0.5),
        human=pool_of(tmp_path, []),
        human_pairs=artifact(tmp_path, "human pairs", {"rows": (PreferencePair, people)}),
        previous=None,
    )
    told = made.json("mixing")
    assert (told["human_rows"], told["human_left"], told["short"], told["sft_weight"]) == (3, 0, 5, 0.5)


def mixed_pairs(
    folder: Path, own: list[float | None], people: list[float | None], previous: Artifact | None = None
) -> Artifact:
    """A training set of pairs with these labels, those of earlier rounds beside them."""
    rows = [
        replace(make_pair(number), id=f"{own}{number}", label=label, chosen_tokens=5)
        for number, label in enumerate(own)
    ]
    human = [
        replace(make_pair(number), id=f"h{number}", origin="human", label=one) for number, one in enumerate(people)
    ]
    types = [written_as(PreferencePair, any(label is not None for label in labels)) for labels in (own, people)]
    return Store(folder, Silent()).run(
        mix,
        RoundMixSpec(data="accumulate", min_rows=1),
        seed=0,
        selected=artifact(folder, f"pairs {own}", {"pairs": (types[0], rows)}),
        decision=ordered(folder, 0.5),
        human=pool_of(folder, []),
        human_pairs=artifact(folder, f"labelled {people}", {"rows": (types[1], human)}),
        previous=previous,
    )


@pytest.mark.parametrize(
    ("own", "people"),
    [([0.9, None], [None]), ([None, None], [0.75]), ([0.25, 0.5], [1.0]), ([None, None], [None])],
)
def test_labels_come_along_and_there_is_a_column_only_where_there_are_some(
    tmp_path: Path, own: list[float | None], people: list[float | None]
) -> None:
    made = mixed_pairs(tmp_path, own, people)
    assert [row.label for row in made.records(PreferencePair, "pairs")] == [*own, *people]
    told = read_table(next(made.path.glob("pairs-*.parquet"))).column_names
    assert ("label" in told) == ({*own, *people} != {None})
    later = mixed_pairs(tmp_path, [None], [None], made)
    assert [row.label for row in later.records(PreferencePair, "pairs") if row.origin == "self"] == [*own, None]


def test_human_prompts_are_sampled_again_once_the_fresh_ones_are_gone(tmp_path: Path) -> None:
    human = pool_of(tmp_path, [10] * 6)
    train = artifact(tmp_path, "train", {"rows": (Prompt, [prompt for prompt, _ in OWN])})

    def asked(training: Artifact, count: int) -> set[str]:
        stage = Store(tmp_path, Silent()).run(
            prompts, TrainingPrompts(human=count), seed=1, train=train, human=human, previous=None, training=training
        )
        return {example.id for example in stage.records(Example, "human")}

    (once,) = rounds(tmp_path, RoundMixSpec(), human, 1)
    fresh = {f"h{number}" for number in range(6)} - set(drawn_in(once))
    assert asked(once, 6) == fresh, "a row that may be used once is spent"
    (again,) = rounds(tmp_path, RoundMixSpec(max_uses=2), human, 1)
    assert asked(again, 2) == {f"h{number}" for number in range(6)} - set(drawn_in(again))
    assert asked(again, 6) == {f"h{number}" for number in range(6)}


def test_the_real_share_is_of_answers_without_their_thoughts(tmp_path: Path) -> None:
    """Ten of the forty tokens of each human row are the answer's."""
    rows = [human_example(number, 40) for number in range(12)]
    rows = [replace(row, thought=f"<think>{row.text * 3}"[: 3 * len(row.text)]) for row in rows]
    human = artifact(tmp_path, "human that think", {"rows": (Example, rows)})
    mixing = mixed(tmp_path, RoundMixSpec(), ordered(tmp_path, 0.5), human).json("mixing")
    assert (mixing["self_tokens"], mixing["human_tokens"], mixing["human_rows_drawn"]) == (40, 40, 4)
    pairs = replace(make_pair(0), chosen_tokens=8, rejected_tokens=6, rejected_thought="<think></think>no way")
    assert tokens_of(pairs) == 8 + 6 - round(6 * 21 / (21 + len("no way out")))


def test_a_round_that_wants_half_a_row_draws_one_that_fits_or_says_what_is_missing(tmp_path: Path) -> None:
    """Of rows of 12 to 28 tokens where 10 are wanted, one of at most 20 is drawn in every round: it used to be 69%."""
    lengths = [12, 16, 19, 21, 24, 28] * 4
    decision = ordered(tmp_path, 0.2)
    for seed in range(20):
        made = mixed(tmp_path, RoundMixSpec(), decision, pool_of(tmp_path, lengths), seed=seed).json("mixing")
        assert (made["human_rows_drawn"], made["short"], made["dry"]) == (1, 0, False)
    far = mixed(tmp_path, RoundMixSpec(), decision, pool_of(tmp_path, [21, 30, 40])).json("mixing")
    assert (far["human_rows_drawn"], far["short"], far["dry"]) == (0, 10, False), "too long, and that is no dry pool"
    empty = mixed(tmp_path, RoundMixSpec(), decision, pool_of(tmp_path, [4])).json("mixing")
    assert (empty["human_rows_drawn"], empty["short"], empty["dry"]) == (1, 6, True)
