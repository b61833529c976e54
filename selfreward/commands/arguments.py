"""Arguments that several commands share."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Values = Mapping[str, Any]
"""Composed settings, as plain values."""

Compose = Callable[[list[str]], Values]
"""Turns settings as they are typed into plain values."""


def run_parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser for `selfreward <command> RUN [--runs FOLDER]`."""
    parser = argparse.ArgumentParser(prog=f"selfreward {command}", description=description)
    parser.add_argument("run", metavar="RUN", help="the name of a run")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="the folder of runs (default: runs)")
    return parser


def runs_parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser for `selfreward <command> RUN [RUN ...] [--runs FOLDER]`."""
    parser = argparse.ArgumentParser(prog=f"selfreward {command}", description=description)
    parser.add_argument("run", nargs="+", metavar="RUN", help="the name of a run or of a sweep")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="the folder of runs (default: runs)")
    return parser


def settings_parser(command: str, description: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """A parser for `selfreward <command> [SETTING=VALUE ...]`."""
    parser = argparse.ArgumentParser(prog=f"selfreward {command}", description=description, epilog=epilog)
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE", help="as for `selfreward run`")
    return parser


def action_of(
    command: str, description: str, actions: Mapping[str, str], arguments: list[str]
) -> tuple[str, list[str]]:
    """The action of `selfreward <command> ACTION ...` and what follows it; `actions` says what each one does."""
    width = max(map(len, actions))
    told = "\n".join(f"  {typed:{width}}  {does}" for typed, does in actions.items())
    parser = argparse.ArgumentParser(
        prog=f"selfreward {command}",
        description=description,
        epilog=f"actions:\n{told}\n\n`selfreward {command} ACTION --help` explains an action.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=[typed.split()[0] for typed in actions], metavar="ACTION")
    return parser.parse_args(arguments[:1]).action, arguments[1:]


def run_folder(run: str, runs: Path) -> Path:
    """The folder of the run called `run`; a path to a run is accepted too."""
    path = Path(run)
    if path.name in ("", ".."):
        return path.resolve()  # so that the run has its name, and the runs beside it are found
    named = runs / path.name
    return path if path.is_dir() and not (run == path.name and named.is_dir()) else named


def positive(text: str) -> int:
    """A count of at least 1, as the type of an argument. Raises ArgumentTypeError for less."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return count
