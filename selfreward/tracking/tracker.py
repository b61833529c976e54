"""Writes the metrics of a run to metrics.jsonl, shows them, and hands them to W&B."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from selfreward.artifacts.atomic_files import write_atomically
from selfreward.artifacts.runs import read_iteration, read_sources
from selfreward.reading.metrics import METRICS_FILE, data_metrics, metrics_of_round
from selfreward.reading.monitor_metrics import Metric
from selfreward.reading.rounds import Round
from selfreward.spec import Spec, execution
from selfreward.stages.reward import reward_line
from selfreward.tracking.rl_lines import rl_lines
from selfreward.tracking.round_lines import (
    curve_lines,
    drawn_lines,
    member_lines,
    meta_lines,
    monitor_lines,
    principle_lines,
    red_team_lines,
    revised_lines,
    set_lines,
    training_counts,
    written_lines,
)

_SUMMARY = {
    "t": "loop/iteration",
    "greedy": "eval/closed/greedy_accuracy",
    "pass@1": "eval/closed/pass_at_1",
    "matched": "matched/pass_at_1",
    "gain": "matched/gain/pass_at_1",
    "distinct": "eval/closed/distinct_share",
    "open": "diversity/open/pairwise_distance",
    "NLL": "diversity/open/human_nll",
    "state": "collapse/state",
    "gold": "eval/gold/accuracy",
    "rows": "train/rows_trained",
    "human": "mix/human_rows_drawn",
}
_TITLE = "{run} after iteration {t} (gain: pass@1 beyond M0 at the same diversity, matched; see docs/metrics.md)"


class TrackerSpec(Spec):
    """Whether and where W&B follows a run; no part of any key. Nothing is sent unless `wandb` is `online`.

    `log_text` adds prompts and answers. `group` gathers runs that are no cells of one sweep.
    """

    wandb: Literal["online", "offline", "disabled"] = execution("disabled")
    project: str = execution("selfreward", pattern=r"^[^/\\#?%:]{1,128}$")
    entity: str | None = execution(None)
    group: str | None = execution(None)
    log_text: bool = execution(False)


class SummaryPrinter(Protocol):
    """Where the table of a run is shown."""

    def say(self, line: str) -> None:
        """Shows one line."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
        """Shows one table."""


@dataclass
class Tracker:
    """Follows one run. It reads committed artifacts only, so a resumed run logs what an unbroken one does.

    `progress` says how far the run is, once an iteration has trained a policy.
    `log` is given every iteration and the one before it; one may come again, with more of its stages or with the same.
    """

    folder: Path
    printer: SummaryPrinter
    log: Callable[[Round, Round | None], None] | None = None
    progress: Callable[[], str] | None = None
    _rows: list[dict[str, Metric]] = field(default_factory=list, init=False)

    def starved(self) -> None:
        """Writes the metrics of the iteration that ended for want of data, as far as it came."""
        t = len(self._rows)
        if read_iteration(self.folder, t):
            self.iteration(t)

    def iteration(self, t: int) -> None:
        """Writes the metrics of iteration `t`, the next one, to metrics.jsonl; shows what is new, and the end."""
        assert t == len(self._rows), "iterations come in order"
        one, before = self._round(t), self._round(t - 1) if t else None
        self._rows.append(metrics_of_round(one, before) | ({} if t else data_metrics(one.sources)))
        lines = [json.dumps(row, sort_keys=True, allow_nan=False) for row in self._rows]
        path = self.folder / METRICS_FILE
        known = path.read_text().splitlines() if path.exists() else []
        # A shorter run of the same name unlinked what followed: the end is where nothing does.
        new, last = known[: t + 1] != lines, not read_iteration(self.folder, t + 1)
        if new or (last and known != lines):
            write_atomically(path, "".join(f"{line}\n" for line in lines).encode())
        if new:
            row = self._rows[t]
            gate_lines = () if one.gate is None else one.gate.told
            found = (*set_lines(one), *written_lines(one), *monitor_lines(one), *curve_lines(one), *red_team_lines(one))
            drawn = (*drawn_lines(row), *revised_lines(row), *meta_lines(one, before))
            told = (*drawn, *gate_lines, *principle_lines(one.judged), *member_lines(one.members))
            reward_lines = () if one.reward is None else (reward_line(one.reward),)
            for line in (*found, *told, *training_counts(row), *rl_lines(one), *reward_lines):
                self.printer.say(line)
        if new or last:
            shown = [{column: _cell(row.get(name)) for column, name in _SUMMARY.items()} for row in self._rows]
            self.printer.table(_TITLE.format(run=self.folder.name, t=t), list(_SUMMARY), shown)
        if new and self.progress is not None and one.training is not None:
            self.printer.say(self.progress())
        if self.log is not None:
            self.log(one, before)

    def _round(self, t: int) -> Round:
        return Round(t, read_iteration(self.folder, t), read_sources(self.folder))


def _cell(value: Metric) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
