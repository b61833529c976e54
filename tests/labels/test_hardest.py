"""Which pairs people are asked about first, and what the kinds of prompt are called."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from selfreward.judge_quality.verdicts import Verdicts
from selfreward.labels.items import Item
from selfreward.labels.kinds import OTHER, by_kind, hardest, kinds
from tests.labels.tools import pair, replace_labelled

TREES = [f"How tall does a {tree} tree grow in a forest?" for tree in ("pine", "birch", "oak", "fir", "yew", "elm")]
SUMS = [f"Add the numbers {n} and {n + 7}, then multiply the sum." for n in range(12, 18)]
MAILS = [
    f"Write a polite email to my {who} about the meeting." for who in ("boss", "aunt", "team", "bank", "son", "vet")
]


def judged(name: str, preference: float | None, *, people: tuple = ("first",), flipped: bool = False, **known) -> Item:
    judge = Verdicts(
        id=name,
        preference=preference,
        flipped=None if preference is None else flipped,
        first_score=None,
        second_score=None,
        first_shown=None,
        outcome="unparsed" if preference is None else "scored",
    )
    return replace_labelled(pair(name, "x", "y", judge=judge, **{"kind": "one"} | known), verdicts=people)


def test_disagreement_comes_before_flips_before_doubt_before_silence() -> None:
    items = [
        judged("sure", 0.99),
        judged("against, sure", 0.0),
        judged("silent", None),
        judged("flipped", 0.5, people=("tie",), flipped=True),
        judged("unsure", 0.55),
        judged("against, unsure", 0.45),
        judged("people split", 0.9, people=("first", "second")),
    ]
    names = [item.id for item in hardest(items, 7, 0)]
    assert names == ["against, sure", "against, unsure", "flipped", "unsure", "people split", "sure", "silent"]


def test_a_jury_that_disagrees_more_comes_first_among_equals() -> None:
    items = [judged(f"item {n}", 0.75, disagreement=n / 10) for n in range(6)]
    assert [item.disagreement for item in hardest(items, 6, 0)] == [0.5, 0.4, 0.3, 0.2, 0.1, 0.0]


def test_one_kind_does_not_fill_the_list() -> None:
    easy = [judged(f"mail {n}", 0.4, kind="mails") for n in range(3)]
    items = [judged(f"sum {n}", 0.0, kind="sums") for n in range(30)] + easy
    assert Counter(item.kind for item in hardest(items, 6, 0)) == {"sums": 3, "mails": 3}
    flipped = [judged("tree", 1.0, flipped=True, kind="trees")]
    assert Counter(item.kind for item in hardest(items + flipped, 6, 0)) == {"sums": 3, "mails": 3}


@given(st.permutations(range(12)), st.integers(0, 5))
def test_the_order_of_the_file_plays_no_part(order: list[int], seed: int) -> None:
    items = [judged(f"item {n}", [0.1, 0.5, 0.9, None][n % 4], kind="even" if n % 2 else "odd") for n in range(12)]
    assert hardest([items[n] for n in order], 5, seed) == hardest(items, 5, seed)


def test_without_a_judge_kinds_share_the_list_by_lot() -> None:
    items = [pair(question, "x", "y", question=question) for question in (*TREES, *SUMS, *MAILS)]
    first, again, other = (hardest(items, 6, seed) for seed in (0, 0, 1))
    assert first == again
    assert {item.id for item in first} != {item.id for item in other}
    assert len({item.kind for item in first}) == 3


def test_questions_of_one_kind_share_a_name_made_of_their_words() -> None:
    names = kinds([*TREES, *SUMS, *MAILS], 0)
    groups = [set(names[start : start + 6]) for start in (0, 6, 12)]
    assert all(len(group) == 1 for group in groups), names
    trees, sums, mails = (next(iter(group)).split() for group in groups)
    assert set(trees) <= {"tall", "tree", "grow", "forest"}
    assert set(sums) <= {"add", "numbers", "multiply", "sum"}
    assert set(mails) <= {"write", "polite", "email", "meeting"}
    assert kinds([*TREES, *SUMS, *MAILS][::-1], 0) == names[::-1]
    assert kinds([*TREES, *SUMS, *MAILS], 2**32) == names


@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_questions_have_kinds(questions: list[str]) -> None:
    assert len(kinds(questions, 0)) == len(questions)


def test_questions_without_words_are_other() -> None:
    assert kinds(["?", "", "the", "why apples"], 0) == [OTHER, OTHER, OTHER, "apples"]
    assert kinds(["apple" + "!" * n for n in range(40)], 0) == ["apple"] * 40


def test_where_a_judge_is_against_people_is_told_by_kind() -> None:
    items = [
        judged("a", 0.9, kind="sums"),
        judged("b", 0.1, kind="sums"),
        judged("c", None, kind="sums"),
        judged("d", 0.5, kind="trees"),
        judged("e", 0.7, people=(), kind="mails"),
    ]
    table = by_kind([(item.labelled, item.judge) for item in items if item.judge], [str(item.kind) for item in items])
    told = [(one.kind, one.items, one.judged, one.against) for one in table]
    assert told == [("trees", 1, 1, 1), ("sums", 3, 2, 1), ("mails", 1, 0, 0)]
