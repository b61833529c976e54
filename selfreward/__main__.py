"""The command line. `run` is composed by Hydra; the other commands take ordinary arguments."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfreward.errors import SelfrewardError

USAGE = """usage: selfreward COMMAND ...

  run [SETTING=VALUE ...]  run the loop; run it again to resume       selfreward run experiment=quickstart
  status RUN               what a run has made so far
  report RUN               write the run's page, report.html
  verify RUN               read every byte of a run back
  gc RUN                   delete the weights that a run no longer needs
  assets                   fetch the embedded model and data, once

`selfreward run --help` lists the settings; `selfreward COMMAND --help` explains a command.
"""
INTERRUPTED = 130


def conf_folder() -> Path:
    """The folder of yaml files: inside an installed package, or beside the package in a checkout."""
    package = Path(__file__).parent
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


def compose(overrides: list[str]) -> dict[str, Any]:
    """The composed settings as plain values, for tests and commands that do not run the loop."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return _plain(hydra_compose("config", overrides=overrides))


def main() -> int:
    """The exit status: 0 done, 2 a mistake to mend, 3 too little to train on, 130 interrupted."""
    command, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    if command in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    commands = _commands()
    if command not in commands:
        print(f"selfreward: there is no command {command!r}\n\n{USAGE}", end="", file=sys.stderr)
        return 2
    # A scheduler's SIGTERM stops a run as Ctrl-C does, so that locks and terminals are left in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return commands[command](arguments)
    except SelfrewardError as error:
        for line in (f"selfreward: {error}", *getattr(error, "__notes__", ())):
            print(line, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("selfreward: stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED


def _commands() -> dict[str, Callable[[list[str]], int]]:
    from selfreward.commands import assets, gc, report, status, verify

    return {
        "run": _run,
        "status": status.main,
        "report": report.main,
        "verify": verify.main,
        "gc": gc.main,
        "assets": assets.main,
    }


def _run(arguments: list[str]) -> int:
    import hydra
    from omegaconf import DictConfig

    from selfreward.commands.run import run

    outcome: list[SelfrewardError | KeyboardInterrupt] = []

    @hydra.main(config_path=str(conf_folder()), config_name="config", version_base="1.3")
    def task(config: DictConfig) -> None:
        # Hydra prints a traceback for any exception that crosses it; ours are for `main`.
        try:
            run(_plain(config))
        except (SelfrewardError, KeyboardInterrupt) as error:
            outcome.append(error)

    sys.argv = ["selfreward run", *arguments]
    task()
    if outcome:
        raise outcome[0]
    return 0


def _plain(config: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf

    values: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    return values


if __name__ == "__main__":
    sys.exit(main())
