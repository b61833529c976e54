"""What preference training did to the likelihood of the answers it was shown."""

from collections.abc import Sequence

from selfreward.reading.rounds import Round
from selfreward.report.figures import DASH, MINUS, count, share
from selfreward.report.markup import Markup
from selfreward.report.tables import section, table

_INTRO = (
    "Summed log-probability of an answer in nats, mean over the pairs, before and after each update. A pair is "
    "displaced if its chosen answer became less likely although its margin over the rejected one grew."
)


def preference_training(rounds: Sequence[Round]) -> tuple[Markup, ...]:
    """One section with a row for each update on preference pairs; nothing where there was none."""
    rows = []
    for one in rounds:
        found = one.training
        if found is None or found.margin_growth is None:
            continue
        rows.append(
            (
                f"M{one.t} → M{one.t + 1}",
                count(found.rows_trained),
                _from_to(found.chosen_logprob_before, found.chosen_logprob_after),
                _from_to(found.rejected_logprob_before, found.rejected_logprob_after),
                _nats(found.margin_growth),
                share(found.displaced_share),
            )
        )
    head = ("update", "pairs", "chosen", "rejected", "margin grew by", "displaced")
    return (section("Preference training", _INTRO, table(head, rows)),) if rows else ()


def _from_to(before: float | None, after: float | None) -> str:
    return f"{_nats(before)} → {_nats(after)}"


def _nats(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}".replace("-", MINUS)
