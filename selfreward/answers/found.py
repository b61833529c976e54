"""What was found in a reply."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """The short answer of a reply, normalised; None where it has none, or final answers that are `at_odds`.

    `right` is whether it is accepted, where who reads tells that too. `undecided` is why nobody can tell.
    """

    answer: str | None
    at_odds: tuple[str, ...] = ()
    right: bool | None = None
    undecided: str | None = None
