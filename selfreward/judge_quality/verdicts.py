"""What people said of two answers, and what a judge said of the same two."""

from collections.abc import Sequence
from dataclasses import dataclass

from selfreward.records import GoldPair, Message, Outcome, Verdict

Judged = tuple["Labelled", "Verdicts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Two answers to one conversation and what people said of them.

    `verdicts` holds one verdict a person, each person in the same place on every item where that is known. An author
    is the model or person that wrote an answer. A rating is what people gave the answer alone, on their own scale.
    """

    id: str
    messages: tuple[Message, ...]
    first: str
    second: str
    verdicts: tuple[Verdict, ...]
    source: str
    first_author: str | None = None
    second_author: str | None = None
    first_rating: float | None = None
    second_rating: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What a judge said of the `Labelled` with this id, over both orders where it was asked in both.

    `preference` is P(first is better): 0, 0.5 or 1 for a hard verdict, None where one is missing. `flipped` says
    whether the orders disagreed, `first_shown` is the preference for the answer that was shown first, over both
    orders; both are None for a judge of single answers, which alone gives scores.
    """

    id: str
    preference: float | None
    flipped: bool | None
    first_score: float | None
    second_score: float | None
    first_shown: float | None
    outcome: Outcome

    def __post_init__(self) -> None:
        for name, value in (("preference", self.preference), ("first_shown", self.first_shown)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} {value!r} of {self.id} is no probability")


def labelled(pair: GoldPair) -> Labelled:
    """A pair of a right and a wrong answer as one item, the right answer first."""
    return Labelled(
        id=pair.id,
        messages=pair.messages,
        first=pair.right,
        second=pair.wrong,
        verdicts=pair.verdicts,
        source=pair.source,
        first_author=pair.right_author,
        second_author=pair.wrong_author,
    )


def judged(items: Sequence[Labelled], verdicts: Sequence[Verdicts]) -> list[Judged]:
    """Every item with what the judge said of it, in the order of `items`.

    Raises:
        ValueError: an id comes twice, or stands on one side only. A missing verdict is a `Verdicts` of its own.
    """
    said = {verdict.id: verdict for verdict in verdicts}
    ids = [item.id for item in items]
    if len(said) != len(verdicts) or sorted(ids) != sorted(said):
        raise ValueError(f"{len(verdicts)} verdicts do not belong to {len(items)} items one by one")
    return [(item, said[item.id]) for item in items]


def prompts_of(pairs: Sequence[Judged]) -> list[tuple[Message, ...]]:
    """What each item asks: items that ask the same are pairs of one prompt."""
    return [item.messages for item, _ in pairs]


def verdict_of(preference: float) -> Verdict:
    """The side of 0.5 that a preference for the first answer lies on."""
    return "tie" if preference == 0.5 else "first" if preference > 0.5 else "second"
