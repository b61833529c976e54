"""Labelled items, and what was said of them, by hand."""

from collections.abc import Sequence

from selfreward.judge_quality.verdicts import Labelled, Verdicts
from selfreward.records import Message, Verdict


def item(
    verdicts: Sequence[Verdict] = ("first",),
    *,
    number: int = 0,
    lengths: tuple[int, int] = (10, 10),
    authors: tuple[str | None, str | None] = (None, None),
    ratings: tuple[float | None, float | None] = (None, None),
    prompt: int | None = None,
) -> Labelled:
    """An item of a prompt of its own, or of `prompt`."""
    return Labelled(
        id=str(number),
        messages=(Message(role="user", content=f"Question {number if prompt is None else prompt}."),),
        first="a" * lengths[0],
        second="b" * lengths[1],
        verdicts=tuple(verdicts),
        source="planted",
        first_author=authors[0],
        second_author=authors[1],
        first_rating=ratings[0],
        second_rating=ratings[1],
    )


def said(
    number: int = 0,
    preference: float | None = None,
    *,
    flipped: bool | None = None,
    shown: float | None = None,
    scores: tuple[float | None, float | None] = (None, None),
) -> Verdicts:
    return Verdicts(
        id=str(number),
        preference=preference,
        flipped=flipped,
        first_score=scores[0],
        second_score=scores[1],
        first_shown=shown,
        outcome="unparsed" if preference is None else "scored",
    )
