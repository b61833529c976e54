"""What became of the answers of each round that were revised, and some of them to read side by side; all hostile."""

from collections.abc import Sequence
from dataclasses import dataclass

from selfreward.artifacts.runs import RunView
from selfreward.reading.lookup import records_where
from selfreward.reading.rounds import Round, share_of
from selfreward.records import Prompt
from selfreward.report.figures import arrow, count, share
from selfreward.report.round_tables import Table
from selfreward.revisions import OUTCOMES, Revision, RevisionOutcome, texts_of
from selfreward.stages.revise import STEPS

_REVISED, _OTHERS = 4, 1


@dataclass(frozen=True, slots=True)
class Revised:
    """An attempt to read: what came of it, the question, and the answer, the critique and the revision with titles."""

    told: str
    question: str
    texts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RevisedRounds:
    """A table with a row for each round that revised, and attempts of the last one, the first of each outcome."""

    table: Table
    shown: Sequence[Revised]


def revised_rounds(view: RunView, rounds: Sequence[Round], *, texts: bool) -> RevisedRounds | None:
    """What was revised, with some attempts to read if `texts` are wanted; None where no round revised."""
    revised = [one for one in rounds if one.revising is not None]
    if not revised:
        return None
    head = ("round", "answers", "with a revision", "attempts", "ended in the critique", *OUTCOMES)
    return RevisedRounds((head, [_row(one) for one in revised]), _shown(view, revised[-1].t) if texts else [])


def _row(one: Round) -> list[str]:
    found = one.revising
    assert found is not None, "it has revised"
    revised = f"{count(found.revised)} ({share(share_of(found.revised, found.answers))})"
    row = [arrow(one.t), count(found.answers), revised, count(found.attempts), count(found.in_critique)]
    return row + [count(found.outcomes[name]) for name in OUTCOMES]


def _shown(view: RunView, t: int) -> list[Revised]:
    """The first attempts of a round that revised, and the first of each other outcome, in the order of the table."""
    stages = view.iterations[t]
    if stages["revise"].manifest.collected or stages["prompts"].manifest.collected:
        return []
    left: dict[RevisionOutcome, int] = {name: _REVISED if name == "revised" else _OTHERS for name in OUTCOMES}
    found = []
    for one in stages["revise"].records(Revision, STEPS):
        if left[one.outcome]:
            left[one.outcome] -= 1
            found.append(one)
        if not any(left.values()):
            break
    return [_revised(one, records_where(stages["prompts"], Prompt, "id", one.prompt_id)[0]) for one in found]


def _revised(one: Revision, prompt: Prompt) -> Revised:
    told = f"{one.outcome}, by {one.principle.partition('/')[2]}, round {one.round + 1} of answer {one.index}"
    answer = [] if one.round else [("original", one.answer)]
    return Revised(told, prompt.messages[-1].content, [*answer, *texts_of(one)])
