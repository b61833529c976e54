"""Scores of criteria are no verdict on the whole, and what they come to is one where it is named."""

import pytest

from selfreward.judges.reply import read_score
from selfreward.judges.scale import Scale

ITEMS = "1. It is relevant. Score: 1 point.\n2. It covers much. Score: 1 point.\n3. It is useful. Score: 1 point."


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        (f"{ITEMS}\nTotal: 3 points.", 3),
        (f"{ITEMS}\n\n**Total score: 3/5**", 3),
        (f"{ITEMS}\nTotal: 3\n\nScore: 3", 3),
        (f"{ITEMS}\n\nScore: 3", 3),
        (ITEMS, None),
        (f"{ITEMS}\nTotal: 7 points.", None),
        (f"{ITEMS}\nTotal: 3\nScore: 4", None),
        ("1. It is relevant. Score: 4", None),
        ("1. Relevance\n   Score: 1\n2. Coverage\n   Score: 1", None),
        ("1. Relevance\n   - It is relevant.\n   - Score: 1\n2. Coverage\n   - It is not.", None),
        ("### Relevance\nScore: 1\n### Coverage\nScore: 1", None),
        ("### Relevance\nScore: 1\n### Coverage\nScore: 1\n### Conclusion\nTotal score: 2", 2),
        ("Relevance: good. Score: 1\nCoverage: good. Score: 1", None),
        ("It is relevant. Score: 1. It covers most. Score: 1.", None),
        ("Relevant.\nScore: 1\nWell covered.\nScore: 1\nUseful.\nScore: 1", None),
        ("Relevant.\nScore: 1\nWell covered.\nScore: 1\nUseful.\nScore: 1\nFinal score: 3", 3),
        ("1. It is relevant.\n2. It is useful.\nScore: 2", 2),
        ("Justification: it is short. Score: 2", 2),
        ("Total: 3 errors\nScore: 2", 2),
        ("Score: 2\nTotal: 3 errors", None),
    ],
)
def test_scores_of_parts_are_no_verdict_and_a_total_that_is_named_is(reply: str, score: int | None) -> None:
    assert read_score(reply, "Score", Scale(lowest=0, highest=5)) == score
