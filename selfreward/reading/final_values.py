"""How a run ended in four numbers, for the table of a sweep."""

from collections.abc import Mapping, Sequence

from selfreward.reading.monitor_metrics import Metric

ALARMS = ("ALARM", "SEVERE")


def final_values(rows: Sequence[Mapping[str, Metric]]) -> dict[str, Metric]:
    """`final/...` of a run with these metrics, one row an iteration; what is not known is left out."""
    if not rows:
        return {}
    nlls = [value for row in rows if isinstance(value := row.get("diversity/open/human_nll"), float)]
    alarms = [row["loop/iteration"] for row in rows if row.get("collapse/state") in ALARMS]
    spent = [row["mix/human_rows_spent"] for row in rows if "mix/human_rows_spent" in row]
    found: dict[str, Metric] = {
        "final/sem_drop": rows[-1].get("collapse/sem/drop"),
        "final/human_nll_rise": nlls[-1] - min(nlls[:-1]) if len(nlls) > 1 else None,
        "final/first_alarm": alarms[0] if alarms else None,
        "final/human_rows_spent": spent[-1] if spent else None,
    }
    return {name: value for name, value in found.items() if value is not None}
