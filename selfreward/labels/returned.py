"""What a labelling tool gives back, whichever tool it was."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One person's choice on what was shown under an id; `place` is where it stands, for messages."""

    shown: str
    labeller: str
    choice: str
    comment: str | None
    at: str | None
    place: str


@dataclass(frozen=True, slots=True)
class Returned:
    """The answers of one row, and how many were skipped, drafts, or no choice at all."""

    answers: list[Answer] = field(default_factory=list)
    unanswered: int = 0
