"""Which revisions of a prompt's answers are trained on: alone, as examples, or each over its original, as pairs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

from selfreward.records import TrainingRow
from selfreward.revisions import original_of
from selfreward.row_kinds import EXAMPLES, PAIRS, RowKind
from selfreward.selection.anchors import opposite
from selfreward.selection.asked import Asked
from selfreward.selection.choice import Choice, Picked
from selfreward.selection.examples import example_of
from selfreward.selection.fates import Fate, PromptFates
from selfreward.selection.novelty import most_novel
from selfreward.selection.pairs import pair_of
from selfreward.selection.pool import Rated, SelectBase, by_place, fate_of, looked_at, ranked

NOT_AGREED = "not_agreed"


class RevisionsBase(SelectBase):
    """The last revision of each of the first `k` answers.

    With `agreed`, only where the judge scores it higher than the answer it revises, both less the length penalty.
    Without, nothing hangs on scores unless there is a `threshold`: the judge runs for its health and the gate alone.
    """

    of_revisions: ClassVar[bool] = True
    counted: ClassVar[tuple[str, ...]] = (NOT_AGREED,)

    agreed: bool = False

    @property
    def by_scores(self) -> bool:
        """Only where the judge has to agree, or to give enough."""
        return self.agreed or self.threshold is not None

    def choose(self, asked: Asked) -> Choice:
        """The revisions of one prompt to train on, by the index of their originals.

        Of equal revisions the first is kept. Where novelty is ordered, the most novel come first, and none without a
        score or with one below the quantile comes at all.
        """
        loose = self.model_copy(update={"dedup": False})
        able, left_out = ranked(loose, asked.prompt, asked.rated, by_place)
        originals = {one.candidate.id: one for one in looked_at(self, asked.rated)}
        revisions = [one for one in able if original_of(one.candidate) is not None]
        against = [one for one in revisions if self.agreed and not _is_better(one, originals)]
        kept, repeated = self._distinct(asked, [one for one in revisions if one not in against])
        if asked.orders.novelty:
            kept = most_novel([one for one in kept if one.score is not None], asked.orders)
        gone = {fate.candidate_id for fate in repeated} | {one.candidate.id for one in against}
        left = [one for one in able if one.candidate.id not in gone]
        return Choice(
            prompt=asked.prompt,
            ranked=left,
            left_out=[*left_out, *repeated, *(fate_of(one, NOT_AGREED) for one in against)],
            picks=list(self.picks(asked, kept, left)),
        )

    def picks(self, asked: Asked, revisions: Sequence[Rated], able: Sequence[Rated]) -> Iterator[Picked]:
        """What is made of the `revisions` that are kept; `able` are all candidates that may be trained on."""
        return ((one,) for one in revisions)

    def _distinct(self, asked: Asked, revisions: list[Rated]) -> tuple[list[Rated], list[Fate]]:
        """The revisions without those that repeat an earlier one, and the fates of these."""
        if not self.dedup or not revisions:
            return revisions, []
        return ranked(self, asked.prompt, revisions, by_place)


class Revisions(RevisionsBase):
    """Revisions as examples: the supervised phase of Constitutional AI.

    Source: Bai et al. 2022 (2212.08073), which trains on the revisions of all rounds; here on those of the last.
    """

    makes: ClassVar[RowKind] = EXAMPLES

    kind: Literal["revisions"] = "revisions"

    def rows(self, choice: Choice) -> Iterator[TrainingRow]:
        """The rows that the picks of a prompt make."""
        return (example_of(choice.prompt, *pick) for pick in choice.picks)

    def in_words(self, width: str) -> str:
        """What is chosen."""
        return f"the last revision of each answer{_where(self)}"

    def why_passed_over(self, fate: Fate, told: PromptFates) -> str:
        """Why a candidate that could be chosen was not."""
        return "others were preferred, novel ones first" if told.orders.novelty else "only revisions are trained on"


class RevisionPairs(RevisionsBase):
    """Pairs of a revision over the answer that it revises."""

    makes: ClassVar[RowKind] = PAIRS
    counted: ClassVar[tuple[str, ...]] = ("pairs", NOT_AGREED)

    kind: Literal["revision_pairs"] = "revision_pairs"

    def picks(self, asked: Asked, revisions: Sequence[Rated], able: Sequence[Rated]) -> Iterator[Picked]:
        """Each revision over its original, or where that is ordered over the worst answer of iteration 0."""
        originals = {one.candidate.id: one for one in able}
        for one in revisions:
            worst = opposite(asked.prompt, one.candidate.text, asked.first)
            original = originals.get(original_of(one.candidate) or "")
            if (rejected := worst or original) is not None:
                yield one, rejected

    def rows(self, choice: Choice) -> Iterator[TrainingRow]:
        """The rows that the picks of a prompt make."""
        return (pair_of(choice.prompt, *pick) for pick in choice.picks)

    def tally(self, made: Sequence[TrainingRow]) -> Mapping[str, int]:
        """How many pairs were made."""
        return {"pairs": len(made)}

    def in_words(self, width: str) -> str:
        """What is chosen."""
        return f"the last revision of each answer over that answer{_where(self)}"

    def why_passed_over(self, fate: Fate, told: PromptFates) -> str:
        """Why a candidate that could be chosen is in no pair."""
        return "it is not revised, or one of the two cannot be trained on"


def _is_better(revision: Rated, originals: Mapping[str, Rated]) -> bool:
    """Whether the judge scores a revision higher than its original; not where it scored only one of them."""
    original = originals[original_of(revision.candidate) or ""]
    worths = revision.known_worth, original.known_worth
    return worths[0] is not None and worths[1] is not None and worths[0] > worths[1]


def _where(spec: RevisionsBase) -> str:
    return ", where the judge scores it higher" if spec.agreed else ", whatever the judge says"
