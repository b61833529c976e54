"""What became of a candidate: a row that the selection writes where it decides."""

from dataclasses import dataclass

from selfreward.monitor.controller import Orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one candidate of a round.

    `fate` is `selected`, `passed_over` (others were preferred), `duplicate`, `same_as_human`, `over_cluster_cap`,
    `not_agreed` (a revision that the judge does not score above its original), or why it could not be chosen:
    `beyond_k`, `cut`, `empty`, `unscored:<outcome>`, `below_threshold`.

    `score` is the judge's, in its unit, and `worth` is the score less the length penalty; both are None where no
    judgment was scored. `rank` is the place among those of its prompt that could be chosen, from 1. `over` holds the
    ids of the answers it was chosen over in preference pairs, `under` of those it was rejected for; they may be of a
    human answer or of iteration 0. `repeats` is the id of the candidate whose answer it repeats.
    """

    prompt_id: str
    candidate_id: str
    index: int
    fate: str
    score: float | None
    worth: float | None
    rank: int | None = None
    over: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    repeats: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFates:
    """What a rule is told of one prompt to say why a candidate was passed over.

    `ranked` candidates could be chosen and `taken` says whether any was; `anchors` says that a human answer was set
    against the policy's, `orders` what the monitor ordered.
    """

    ranked: int
    taken: bool
    anchors: bool
    orders: Orders
