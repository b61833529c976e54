"""How a jury's judgments say which member each is of, and what every member gave; written and read in one place."""

from collections.abc import Mapping

from selfreward.judges.disagreement import Scores

_SEAT = ":"  # stands in no name of a member
_GIVEN = "; "


def seat_name(member: str, judge: str) -> str:
    """The `judge` of what a member was asked: members may be the same judge."""
    return f"{member}{_SEAT}{judge}"


def member_of(judge: str, dimension: str | None) -> str | None:
    """Who a judgment with this `judge` and `dimension` is of: a member of a jury, else a dimension; None of neither.

    The models of an ensemble are its dimensions.
    """
    member, seat, _ = judge.partition(_SEAT)
    return member if seat else dimension


def told_scores(told: str, id_: str, members: Mapping[str, Scores]) -> str:
    """`told` and behind it what each of `members` gave the candidate with this id; null where that is missing."""
    return told + _GIVEN + " ".join(f"{member}={number(scores.get(id_))}" for member, scores in members.items())


def read_scores(raw: str) -> dict[str, float | None]:
    """What each member gave a candidate, to six digits, by what a jury says of it."""
    given = (one.partition("=") for one in raw.rpartition(_GIVEN)[2].split())
    return {member: None if value == "null" else float(value) for member, _, value in given}


def number(value: float | None) -> str:
    """Six digits of a number; null where it is missing."""
    return "null" if value is None else f"{value:.6g}"
