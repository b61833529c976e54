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
