"""What a rule is given to choose by, for one prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

from selfreward.monitor.controller import Orders
from selfreward.records import Prompt
from selfreward.selection.novelty import NO_ORDERS
from selfreward.selection.pool import Rated


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A prompt with its candidates, whose order does not matter, the round's seed and what was ordered.

    `first` are the worst answers of iteration 0 where pairs are ordered to reject them; their scores are those of their
    own round's judge.
    """

    prompt: Prompt
    rated: Sequence[Rated]
    seed: int
    orders: Orders = NO_ORDERS
    first: Sequence[Rated] = ()
