"""The data of a run on its page: how many rows each role has, what was left out and which columns were read."""

from selfreward.artifacts.runs import RunView
from selfreward.report.figures import count
from selfreward.report.markup import Markup
from selfreward.report.tables import section, table
from selfreward.stages.source import LEFT_OUT, columns_line, counted


def data_read(view: RunView) -> list[Markup]:
    """The section on the data; none where nothing was left out and no columns were read."""
    rows = []
    for role, kept in view.sources.items():
        left_out = counted(kept.manifest.counts, LEFT_OUT)
        columns = columns_line(kept)
        if left_out or columns:
            reasons = ", ".join(f"{reason.replace('_', ' ')} {n:,}" for reason, n in sorted(left_out.items()))
            rows.append((role, count(kept.rows()), reasons or "nothing", columns or ""))
    if not rows:
        return []
    intro = "Rows of each role before overlaps are dropped. What was left out is counted under the first reason."
    return [section("Data", intro, table(("role", "rows", "left out", "columns"), rows, words=True))]
