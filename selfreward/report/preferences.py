"""What preference training did to the likelihood of the answers it was shown."""

from selfreward.artifacts.runs import RunView
from selfreward.report.figures import MINUS, count, share
from selfreward.report.markup import Markup
from selfreward.report.tables import section, table

_INTRO = (
    "Summed log-probability of an answer in nats, mean over the pairs, before and after each update. A pair is "
    "displaced if its chosen answer became less likely although its margin over the rejected one grew."
)


def preference_training(view: RunView) -> tuple[Markup, ...]:
    """One section with a row for each update on preference pairs; nothing where there was none."""
    rows = []
    for t, stages in enumerate(view.iterations):
        found = stages["update"].json("training") if "update" in stages else {}
        if "margin_growth" not in found:
            continue
        chosen = (found["chosen_logprob_before"], found["chosen_logprob_after"])
        rejected = (found["rejected_logprob_before"], found["rejected_logprob_after"])
        rows.append(
            (
                f"M{t} → M{t + 1}",
                count(found["rows_trained"]),
                _from_to(*chosen),
                _from_to(*rejected),
                _nats(found["margin_growth"]),
                share(found["displaced_share"]),
            )
        )
    head = ("update", "pairs", "chosen", "rejected", "margin grew by", "displaced")
    return (section("Preference training", _INTRO, table(head, rows)),) if rows else ()


def _from_to(before: float, after: float) -> str:
    return f"{_nats(before)} → {_nats(after)}"


def _nats(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)
