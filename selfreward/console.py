"""What a person sees in the terminal while a run goes on."""

import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from selfreward.artifacts import Advance

_TOLD_EVERY_S = 60


class _RateColumn(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        """The rate of a task, or a dash before there is one."""
        speed = task.finished_speed or task.speed
        return Text("-" if speed is None else f"{speed:,.1f}/s")


class ConsoleBar:
    """One progress bar; in a log file, a line a minute and one when it is done."""

    def __init__(self, console: Console, title: str, total: int | None, unit: str) -> None:
        """Shows nothing until it is entered."""
        self._console, self._title, self._total, self._unit = console, title, total, unit
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._done = 0

    def __enter__(self) -> Advance:
        """Starts the bar; the result says that n more units are done."""
        self._progress.start()
        task = self._progress.add_task(f"{self._title} {self._unit}", total=self._total)
        self._started = self._told = self._progress.get_time()

        def advance(units: int) -> None:
            self._done += units
            self._progress.update(task, advance=units)
            if not self._console.is_terminal and self._progress.get_time() - self._told >= _TOLD_EVERY_S:
                self._told = self._progress.get_time()
                self._tell(f" of {self._total:,}" if self._total is not None else "")

        return advance

    def __exit__(self, *exit: object) -> None:
        """Stops the bar."""
        self._progress.stop()
        if not self._console.is_terminal and exit[0] is None and self._done:
            self._tell("")

    def _tell(self, of: str) -> None:
        seconds = max(self._progress.get_time() - self._started, 1e-9)
        rate = f"{self._done / seconds:,.1f}/s"
        self._console.print(f"  {self._title}: {self._done:,}{of} {self._unit} in {seconds:.1f} s ({rate})")


class ConsoleReporter:
    """Lines, progress bars and tables on standard error; results of commands go to standard output."""

    def __init__(self) -> None:
        """Writes plain lines where standard error is no terminal."""
        terminal = sys.stderr.isatty()
        # What is told may hold the text of data and settings, in which [a] is no style and :key: no picture.
        self.console = Console(
            file=sys.stderr, markup=False, emoji=False, highlight=False, soft_wrap=True, width=None if terminal else 140
        )

    def say(self, line: str) -> None:
        """Prints one line."""
        self.console.print(line)

    def progress(self, title: str, total: int | None, unit: str) -> ConsoleBar:
        """A progress bar."""
        return ConsoleBar(self.console, title, total, unit)

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
