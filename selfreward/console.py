"""What a person sees in the terminal while a run goes on."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from selfreward.artifacts import Advance
from selfreward.reading.time_left import Ahead, about

_TOLD_EVERY_S = 60


def rate(units: float, seconds: float) -> str:
    """How fast units come: so many a second, or seconds each where it is less than one a second."""
    return f"{units / seconds:,.1f}/s" if units >= seconds else f"{seconds / units:,.1f} s each"


class _RateColumn(ProgressColumn):
    """Units a second, or seconds each."""

    def render(self, task: Task) -> Text:
        """The rate of a task, or a dash before there is one."""
        speed = task.finished_speed or task.speed
        return Text(rate(speed, 1) if speed else "-")


class _RunColumn(ProgressColumn):
    """What is left of the whole run, once a second."""

    max_refresh = 1.0

    def __init__(self, left: Callable[[], str]) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._left = left

    def render(self, task: Task) -> Text:
        """The time, or nothing before it can be told."""
        left = self._left()
        return Text(f"run: {left}" if left else "")


class ConsoleReporter:
    """Lines, progress bars and tables on standard error; results of commands go to standard output.

    `ahead` says what a run has still to do, if that is known.
    """

    def __init__(self) -> None:
        """Writes plain lines where standard error is no terminal."""
        self.ahead: Callable[[], Ahead | None] = lambda: None
        self._begun: dict[str, float] = {}
        terminal = sys.stderr.isatty()
        # What is told may hold the text of data and settings, in which [a] is no style and :key: no picture.
        self.console = Console(
            file=sys.stderr, markup=False, emoji=False, highlight=False, soft_wrap=True, width=None if terminal else 140
        )

    def say(self, line: str) -> None:
        """Prints one line."""
        self.console.print(line)

    @contextmanager
    def progress(self, title: str, total: int | None, unit: str) -> Iterator[Advance]:
        """A progress bar; in a log file, a line a minute and one when it is done."""
        is_log, now, run = not self.console.is_terminal, self.console.get_time, self.ahead()
        started = told = now()
        began = self._begun.setdefault(title, started)
        done = 0

        def tell(of: str, more: str = "") -> None:
            seconds = max(now() - started, 1e-9)
            self.say(f"  {title}: {done:,}{of} {unit} in {seconds:.1f} s ({rate(done, seconds)}){more}")

        def left() -> str:
            if run is None:
                return ""
            unfinished = 0.0 if total is None or not done else (now() - started) * (total - done) / done
            # A stage may have several bars: what it took before says how long those to come take.
            return about(max(unfinished, run.stage - (now() - began)) + run.later)

        def advance(units: int) -> None:
            nonlocal done, told
            done += units
            bar.update(task, advance=units)
            if is_log and now() - told >= _TOLD_EVERY_S:
                told = now()
                tell("" if total is None else f" of {total:,}", f"; run: {left()} left" if run else "")

        times = (_RateColumn(), TimeRemainingColumn(), _RunColumn(left))
        columns = (TextColumn("  {task.description}"), BarColumn(bar_width=12), MofNCompleteColumn(), *times)
        bar = Progress(*columns, console=self.console, disable=is_log)
        with bar:
            task = bar.add_task(f"{title} {unit}", total=total)
            yield advance
        if is_log and done:
            tell("")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
        """Prints a table; a cell that a row does not have stays empty."""
        self.console.print(_table(columns, rows, title=title))


def table_lines(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """A table for standard output: the names of the columns, then the rows; the first column to the left."""
    table = _table(list(rows[0]), rows)
    table.columns[0].justify = "left"
    console = Console(color_system=None, markup=False, emoji=False, highlight=False, width=100_000)
    with console.capture() as printed:
        console.print(table)
    return printed.get().splitlines()


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, str]], title: str | None = None) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*(row.get(column, "") for column in columns))
    return table
