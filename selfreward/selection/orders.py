"""What a decision orders of the mix of its round and of the next selection."""

from dataclasses import dataclass

from selfreward.artifacts import Output, Part
from selfreward.artifacts.reports import load_report, save_report
from selfreward.monitor.controller import Orders


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundOrders:
    """What the mix of round `round` and the next selection do.

    `real_share` is of answer tokens, or of pairs; `human_left` is what the budget still allows, in the same unit, None
    without a budget.
    """

    round: int
    real_share: float
    human_left: int | None
    orders: Orders


def save_orders(out: Output, orders: RoundOrders) -> None:
    """Writes the part `orders` of a decision."""
    save_report(out, "orders", orders)


def round_orders(decision: Part) -> RoundOrders:
    """The part `orders` of a decision."""
    return load_report(decision, "orders", RoundOrders)
