"""What is said of a training row, whatever its kind."""

from dataclasses import replace

from selfreward.__main__ import compose
from selfreward.config import validate
from selfreward.records import Feedback
from selfreward.row_kinds import (
    EXAMPLES,
    FEEDBACK,
    PAIRS,
    ROW_KINDS,
    answers_of,
    as_kind,
    candidates_of,
    facts_of,
    kind_of,
    label_of,
    units_of,
    wanted_candidates,
)
from tests.tiny import make_example, make_pair


def test_a_row_is_told_by_its_record() -> None:
    assert [kind_of(row) for row in (make_example(0), make_pair(0))] == [EXAMPLES, PAIRS]
    assert len({kind.table for kind in ROW_KINDS}) == len(ROW_KINDS), "an artifact is told by its table"


def test_tokens_or_pairs_are_the_unit() -> None:
    assert units_of(replace(make_example(0), tokens=7)) == 7
    assert units_of(replace(make_pair(0), chosen_tokens=7)) == 1


def test_a_pair_tells_its_label_where_it_has_one() -> None:
    assert (label_of(make_pair(0)), label_of(make_example(0))) == (None, None)
    assert "label" not in dict(facts_of(make_pair(0)))
    labelled = replace(make_pair(0), label=0.75)
    assert (label_of(labelled), dict(facts_of(labelled))["label"], kind_of(labelled)) == (0.75, 0.75, PAIRS)


def test_what_people_wrote_is_made_of_no_candidate() -> None:
    own = replace(make_pair(0), chosen_id="a", rejected_id="b")
    assert candidates_of(own) == {"a", "b"}
    assert candidates_of(replace(own, origin="human")) == {"b"}, "a person's answer over one of the policy"
    assert [one.wanted for one in answers_of(own)] == [True, False]


def test_a_pair_of_judgments_leads_to_the_answer_judged_and_makes_it_no_likelier() -> None:
    row = replace(make_pair(0), origin="meta", chosen_id="a", rejected_id="a")
    assert candidates_of(row) == {"a"}
    assert list(wanted_candidates(row)) == []
    assert list(wanted_candidates(replace(row, origin="self"))) == ["a"]


def test_an_answer_alone_makes_no_pair() -> None:
    assert as_kind(make_example(0), PAIRS) is None
    assert as_kind(make_example(0), EXAMPLES) == make_example(0)


def test_an_update_takes_the_rules_that_make_its_rows() -> None:
    update = validate(compose(["update=dpo", "select=preference_pairs"])).update
    assert update.trains_on == (PAIRS,)


def test_an_unpaired_row_is_wanted_or_not_and_a_persons_answer_is_a_desirable_one() -> None:
    human = replace(make_example(0), origin="human", tokens=7)
    made = as_kind(human, FEEDBACK)
    assert isinstance(made, Feedback)
    assert (made.desirable, made.id, kind_of(made), units_of(made)) == (True, human.id, FEEDBACK, 7)
    down = replace(made, desirable=False, origin="self", candidate_id="a")
    assert [one.wanted for one in answers_of(down)] == [False]
    assert (candidates_of(down), list(wanted_candidates(down))) == ({"a"}, [])
    assert ("label", "undesirable") in list(facts_of(down))
    assert as_kind(made, EXAMPLES) is None
