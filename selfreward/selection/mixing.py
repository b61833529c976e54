"""What a training set is made of, and what of the human data was spent on it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from selfreward.row_kinds import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """One use of a human example or pair, and in which round; `tokens` of its answer, of a pair both."""

    example_id: str
    iteration: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """What a training set is made of, and what is left of the human data.

    Of this set: rows of both origins and the tokens of their answers, without thoughts. Where the update draws
    answers to train on, `self_rows` are their prompts and `self_tokens` what they will have if they are as long as
    the round's candidates. `human_rows_drawn` came in this round, `human_rows_fresh` of them for the first time. Of
    the run so far: `human_rows_spent` were used once or more, `human_rows_left` may be used again, `reuse_epochs` are
    uses a used row, None where none was; `human_left` is the budget in `unit`s, None without one. `real_share_asked`
    is of `unit`s; what was reached is given in tokens and rows. `short` says how many units are missing, whatever the
    reason; `dry` that pool or budget had no more.
    """

    iteration: int
    unit: Unit
    self_rows: int
    self_tokens: int
    human_rows: int
    human_tokens: int
    human_rows_drawn: int
    human_rows_fresh: int
    human_rows_spent: int
    human_rows_left: int
    human_left: int | None
    max_uses: int
    reuse_epochs: float | None
    real_share_asked: float
    real_share_tokens: float
    real_share_rows: float
    short: int
    dry: bool
    sft_weight: float

    @property
    def real_share(self) -> float:
        """The share that was reached, of the unit that was asked for."""
        return self.real_share_rows if self.unit == "pairs" else self.real_share_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaMixing(Mixing):
    """The same where judgments are judged: what of this set are pairs of judgments, the policy's own in the real share.

    They are no part of `self_rows`. `meta_rows_new` came in this round, `meta_rows_over` more are over the share.
    """

    meta_rows: int
    meta_tokens: int
    meta_rows_new: int
    meta_rows_over: int


def uses_of(ledger: Iterable[Spent]) -> Counter[str]:
    """How often each human row was used, by its id in the ledger; 0 for one that was not."""
    return Counter(entry.example_id for entry in ledger)
