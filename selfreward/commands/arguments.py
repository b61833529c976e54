"""Arguments that several commands share."""

import argparse
from pathlib import Path


def run_parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser for `selfreward <command> RUN [--runs FOLDER]`."""
    parser = argparse.ArgumentParser(prog=f"selfreward {command}", description=description)
    parser.add_argument("run", metavar="RUN", help="the name of a run")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="the folder of runs (default: runs)")
    return parser


def run_folder(parsed: argparse.Namespace) -> Path:
    """The folder of the run that was asked for; a path to it is accepted too."""
    runs: Path = parsed.runs
    return runs / Path(parsed.run).name if not Path(parsed.run).is_dir() else Path(parsed.run)


def positive(text: str) -> int:
    """A count of at least 1, as the type of an argument. Raises ArgumentTypeError for less."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return count
