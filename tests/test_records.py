"""Records: ids from content, outcomes that cannot lie, and the way to disk and back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.artifacts.columns import schema_of, table_of
from selfreward.artifacts.parquet import read_records, write_parquet
from selfreward.records import Candidate, Example, GoldPair, Judgment, Message, Prompt, Usage, make_prompt


def judgment(**changes: object) -> Judgment:
    values: dict[str, object] = {
        "prompt_id": "p",
        "candidate_ids": ("c",),
        "order": (0,),
        "judge": "j",
        "rubric": None,
        "dimension": None,
        "principle": None,
        "repeat": 0,
        "outcome": "scored",
        "score": 0.5,
        "verdict": None,
        "raw": "",
        "usage": Usage(prompt_tokens=0, completion_tokens=0),
    }
    return Judgment(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("outcome", ["unparsed", "refused", "truncated", "failed"])
def test_a_judgment_without_a_verdict_can_hold_no_number(outcome: str) -> None:
    with pytest.raises(ValueError, match=outcome):
        judgment(outcome=outcome)
    with pytest.raises(ValueError, match=outcome):
        judgment(outcome=outcome, score=None, verdict="tie")
    assert judgment(outcome=outcome, score=None).score is None


def test_a_scored_judgment_needs_a_number_or_a_verdict() -> None:
    with pytest.raises(ValueError, match="scored"):
        judgment(score=None)
    assert judgment(score=None, verdict="tie").verdict == "tie"
    assert judgment(score=0.0).score == 0.0


def test_a_prompt_is_known_by_its_messages() -> None:
    one = make_prompt("Why?", system="Be kind.", stratum="open", source="a")
    assert one.id == make_prompt("Why?", system="Be kind.", stratum="closed", source="b", references=("x",)).id
    assert one.id != make_prompt("Why?", system="", stratum="open", source="a").id


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(text=TEXT, references=st.lists(TEXT, max_size=3).map(tuple))
def test_rows_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, text: str, references: tuple[str, ...]
) -> None:
    path: Path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    prompt = make_prompt(text, system="s", stratum="open", source="t", references=references)
    scored = judgment(raw=text)
    for record, record_type in ((prompt, Prompt), (scored, Judgment)):
        write_parquet(path, table_of([record], record_type))
        assert read_records(path, record_type) == [record]


@pytest.mark.parametrize("record_type", [Prompt, Candidate, Judgment, Example, GoldPair, Message])
def test_every_field_has_a_column(record_type: type) -> None:
    assert schema_of(record_type).names == list(record_type.__dataclass_fields__)
