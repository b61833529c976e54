"""Unpaired rows: what a score makes of an answer, what is mixed in beside them, and how it is told."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.runs import RunView
from selfreward.records import Example, Feedback, PreferencePair
from selfreward.row_kinds import FEEDBACK
from selfreward.selection.choice import selection_counts
from selfreward.selection.mixing import Spent
from selfreward.selection.pool import Rated
from selfreward.selection.unpaired import Unpaired
from selfreward.stages.mix import RoundMixSpec, mix, mixing_of
from tests.explained import rounds, shown
from tests.explained import told as explained
from tests.selection.test_examples import PROMPT, rated
from tests.stages.tables import artifact, choice_of, human_example, open_prompt, ordered, selected
from tests.support import Silent, run_scripted

OWN = [(open_prompt(number), [(f"Answer {number}.", 1.0), (f"Other {number}.", 0.0)]) for number in range(4)]
"""Eight own rows of five tokens, half of them desirable."""
ROLES = ("train", "held_out", "probe", "human", "feedback")
WIDE = Unpaired(k=8, desirable=4, undesirable=2, dedup=False)


def signs(spec: Unpaired, pool: list[Rated]) -> dict[str, bool]:
    choice = choice_of(spec, PROMPT, pool)
    rows = [row for row in spec.rows(choice) if isinstance(row, Feedback)]
    return {str(row.candidate_id): row.desirable for row in rows}


def test_a_score_makes_an_answer_desirable_undesirable_or_neither() -> None:
    assert signs(WIDE, rated(4.0, 3.9, 2.0, None, 5.0, 2.1)) == {"c0": True, "c4": True, "c2": False}
    assert signs(Unpaired(dedup=False), rated(1.0, 0.0, 1.0)) == {"c0": True, "c1": False, "c2": True}, (
        "verifier labels"
    )


def test_of_each_sign_the_clearest_come_first() -> None:
    spec = WIDE.model_copy(update={"per_prompt": 1})
    assert signs(spec, rated(4.0, 2.0, 5.0, 1.0)) == {"c2": True, "c3": False}


@given(scores=st.lists(st.one_of(st.none(), st.integers(0, 6).map(float)), max_size=8))
def test_the_order_of_candidates_does_not_matter_and_nothing_in_between_is_taken(scores: list[float | None]) -> None:
    pool = rated(*scores)
    found = signs(WIDE, pool)
    assert found == signs(WIDE, pool[::-1])
    assert found == {f"c{at}": score >= 4 for at, score in enumerate(scores) if score is not None and not 2 < score < 4}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"desirable": 1.0, "undesirable": 1.0}, r"select\.undesirable=1\.0 is not below select\.desirable=1\.0"),
        ({"threshold": 0.5}, r"select\.threshold=0\.5 leaves out every score .*set select\.threshold=null"),
    ],
)
def test_signs_that_cannot_be_told_apart_are_refused(settings: dict[str, float], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Unpaired(**settings)  # type: ignore[arg-type]


def mixed(folder: Path, thumbs: list[Feedback] | None, share: float = 0.5) -> Artifact:
    people = None if thumbs is None else artifact(folder, "thumbs", {"rows": (Feedback, thumbs)})
    return Store(folder, Silent()).run(
        mix,
        RoundMixSpec(),
        seed=0,
        selected=selected(folder, OWN, Unpaired()),
        decision=ordered(folder, share),
        human=artifact(folder, "human", {"rows": (Example, [human_example(number, 5) for number in range(2)])}),
        human_pairs=artifact(folder, "human pairs", {"rows": (PreferencePair, [])}),
        feedback=people,
        previous=None,
    )


def thumb(number: int) -> Feedback:
    given = human_example(100 + number, 5)
    fields = {name: getattr(given, name) for name in Example.__slots__}
    return replace(Feedback(desirable=False, **fields), id=f"thumb{number}")


def test_thumbs_and_human_answers_make_up_the_real_share_in_tokens(tmp_path: Path) -> None:
    made = mixed(tmp_path, [thumb(number) for number in range(6)])
    told = mixing_of(made)
    assert (told.unit, told.self_tokens, told.human_tokens, told.real_share_tokens) == ("tokens", 40, 40, 0.5)
    rows = [row for row in made.records(Feedback, FEEDBACK.table) if row.origin == "human"]
    assert Counter(row.desirable for row in rows) == {True: 2, False: 6}, "a human answer is a desirable row"
    assert {one.example_id for one in made.records(Spent, "ledger")} == {row.id for row in rows}


def test_without_thumbs_human_answers_are_drawn_alone(tmp_path: Path) -> None:
    told = mixing_of(mixed(tmp_path, None))
    assert (told.human_rows, told.short, told.dry) == (2, 30, True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """Sums of files, labelled by a verifier; a third of the tokens are people's thumbs and answers to other sums."""
    folder = tmp_path_factory.mktemp("unpaired")
    for digit, name in enumerate(ROLES):
        lines = []
        for left in range(0, 300, 10):
            total = left + 2 * digit
            row = {"prompt": f"What is {left + digit} + {digit}?", "answer": f"The answer is {total}."}
            more = {"train": {"answer": f"{total}", "match": "numeric"}, "feedback": {"label": left % 20 == 0}}
            lines.append(json.dumps({**row, **more.get(name, {})}))
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    files = ("data=files", "data.overlap.near=null", *(f"data.{name}={folder / name}.jsonl" for name in ROLES))
    settings = ("judge=verifier", "mix.real_share=0.3", "select=unpaired", "select.per_prompt=1", "loop.iterations=2")
    return run_scripted(folder, *files, *settings)


def test_every_row_of_a_run_is_told(run: RunView) -> None:
    chosen = selection_counts(run.iterations[0]["select"]).by_name
    assert chosen["desirable"] > 0
    assert chosen["undesirable"] > 0
    assert chosen["desirable"] + chosen["undesirable"] == chosen["selected"]
    rows = list(run.iterations[0]["mix"].records(Feedback, FEEDBACK.table))
    for row in rows:
        text = shown(run, row.id)
        assert f"label      {'desirable' if row.desirable else 'undesirable'}" in text
        assert ("role feedback" in text or "role human" in text) == (row.origin == "human")
    assert {row.desirable for row in rows if row.origin == "human"} == {True, False}


def test_a_candidate_says_what_it_was_taken_as(run: RunView) -> None:
    asked = [one.candidates[0].candidate.id for _, one in rounds(run)]
    told = [line for one in asked for line in shown(run, one).split("\n")]
    assert any("selected as desirable, score 1.0000" in line for line in told)
    assert any("selected as undesirable, score 0.0000" in line for line in told)
    assert any("passed over, score" in line and "select.per_prompt=1 and others come first" in line for line in told)
    assert any("chosen: desirable at a score of 1 or more, undesirable at 0 or less" in line for line in told)


def test_the_list_of_rows_says_which_are_undesirable(run: RunView, capsys: pytest.CaptureFixture[str]) -> None:
    bad = sum(not row.desirable for row in run.iterations[0]["mix"].records(Feedback, FEEDBACK.table))
    assert explained(run, capsys, "--iteration", "0").count("  undesirable: ") == bad > 0
    (told,) = json.loads(explained(run, capsys, "--iteration", "0", "--json"))["iterations"]
    assert Counter(row["label"] for row in told[FEEDBACK.table])["undesirable"] == bad
