"""What a policy gained over the start model, what it lost, and what could not be told, in one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard

from selfreward.artifacts.runs import RunView
from selfreward.metrics.evaluation import Evaluation
from selfreward.metrics.intervals import Interval
from selfreward.reading.changes import probe_change
from selfreward.reading.rounds import Round
from selfreward.report.figures import change_with_limits, plural

TOO_FEW = 10  # prompts; below, a bootstrap interval means nothing
_SAMPLED, _MATCHED = "pass@1", "pass@1 at matched diversity"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last policy that was evaluated, M`t`, and what changed since M0.

    `distance` is the change in the pairwise distance of open answers, `nll` that in the NLL of human ones.
    """

    t: int
    evaluation: Evaluation
    distance: Interval | None
    nll: Interval | None


@dataclass(frozen=True, slots=True)
class _Quantity:
    """What may have changed since M0; `better` is the sign of a change to the good, `hidden` why none can be told."""

    name: str
    found: Interval | None
    measure: str = ""
    better: Literal[1, -1] = 1
    hidden: str = ""

    @property
    def side(self) -> Literal["gained", "lost", "open"]:
        """Where its interval puts it."""
        if self.hidden or not clear(self.found):
            return "open"
        return "gained" if (self.found.low > 0) == (self.better > 0) else "lost"

    @property
    def note(self) -> str:
        """In brackets a clear change with its limits, or why there can be none; nothing for one that is not clear."""
        why = self.hidden
        if self.found is None:
            why = "not measured"
        elif self.found.n < TOO_FEW:
            why = f"{plural(self.found.n, 'prompt')}, too few"
        elif self.side != "open":
            why = f"{self.measure} {change_with_limits(self.found)}".strip()
        return f" ({why})" if why else ""


def outcome_of(view: RunView, rounds: Sequence[Round]) -> Outcome | None:
    """What the last evaluated policy of a run came to; None where that is the start model, or none was evaluated."""
    evaluated = [(one.t, one.evaluation) for one in rounds if one.evaluation is not None]
    if not evaluated or evaluated[-1][0] == 0:
        return None
    t, last = evaluated[-1]
    return Outcome(t, last, *(probe_change(view, "open", name, t) for name in ("pairwise_distance", "human_nll")))


def sentence(found: Outcome, name: str) -> str:
    """What the policy called `name` gained, lost and left open: each quantity once, where its interval puts it."""
    quantities = _quantities(found)
    gained, lost, left = ([one for one in quantities if one.side == side] for side in ("gained", "lost", "open"))
    won = f"clearly gained {_listed(gained)}" if gained else "shows no clear gain"
    told = f"{name} {won}; it {f'clearly lost {_listed(lost)}' if lost else 'shows no clear loss'}"
    # A gain in pass@1 that is not told from sharpening asks another question than a change that is not seen.
    is_sharpening = any(one.name == _SAMPLED for one in gained)
    asked = [one for one in left if is_sharpening and one.name == _MATCHED]
    moved = [one for one in left if one not in asked]
    questions = [f"whether {_listed(moved, 'or')} changed"] if moved else []
    questions += [f"whether its gain in pass@1 is more than sharpening{one.note}" for one in asked]
    return f"{told}; it could not be told {', or '.join(questions)}." if questions else f"{told}."


def clear(found: Interval | None) -> TypeGuard[Interval]:
    """Whether an interval leaves 0 out, over enough prompts to mean it."""
    return found is not None and found.n >= TOO_FEW and (found.low > 0 or found.high < 0)


def _quantities(found: Outcome) -> list[_Quantity]:
    last, matched = found.evaluation, found.evaluation.matched
    beyond = "no temperature of M0 is as varied" if matched is not None and matched.off_ladder else ""
    gain = None if matched is None else matched.gain.pass_at_1
    return [
        _Quantity("greedy accuracy", last.since_greedy),
        _Quantity(_SAMPLED, last.since_pass_1),
        _Quantity(_MATCHED, gain, hidden=beyond),
        _Quantity("variety of open answers", found.distance, "pairwise distance"),
        _Quantity("likelihood of human answers", found.nll, "NLL", better=-1),
    ]


def _listed(found: Sequence[_Quantity], last: str = "and") -> str:
    told = [f"{one.name}{one.note}" for one in found]
    return f" {last} ".join([", ".join(told[:-1]), told[-1]]) if len(told) > 1 else "".join(told)
