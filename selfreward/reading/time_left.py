"""How long a run still takes, from what its own stages took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_OF_EVERY_POLICY = (
    "measure",
    "diagnose",
    "evaluate",
    "duel",
    "overoptimisation",
)  # those of the last one too, which trains no other


@dataclass(frozen=True, slots=True)
class Ahead:
    """Seconds that the stage at hand is expected to take, and all those after it."""

    stage: float
    later: float


def ahead(made: Sequence[Mapping[str, float]], updates: int) -> Ahead | None:
    """What a run of so many updates has before it; None before it has evaluated a policy that it trained.

    `made[t]` has the stages that iteration t has come to, in order, with the seconds that each took to make, whichever
    run made it. A stage is expected to take what it took last. The start model says nothing of later policies: it is
    sampled more often, and never duels.
    """
    t = len(made) - 1
    if t < 1 or made[1].keys() <= {*_OF_EVERY_POLICY}:
        return None
    latest = {name: seconds for stages in made for name, seconds in stages.items()}
    measured = [name for name in made[1] if name in _OF_EVERY_POLICY]
    trained = [name for name in made[0] if name not in _OF_EVERY_POLICY]
    coming = [
        latest[name]
        for later in range(t, updates + 1)
        for name in (*measured, *(trained if later < updates else ()))
        if later > t or name not in made[t]
    ]
    return Ahead(coming[0], sum(coming[1:])) if coming else Ahead(0.0, 0.0)


def after_iteration(made: Sequence[Mapping[str, float]], updates: int) -> str:
    """How far a run is that has just trained a policy, in one line."""
    t, found = len(made) - 1, ahead(made, updates)
    left = "" if found is None else f"; {about(found.stage + found.later)} left"
    return f"iteration {t} done, {t + 1} of {updates} updates{left}"


def about(seconds: float) -> str:
    """A length of time, to about a minute, or to a tenth of an hour where it is long."""
    if seconds < 60:
        return "under a minute"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
