"""The command line. Hydra composes the settings of runs and calibrations; the rest are ordinary arguments."""

import atexit
import gc
import os
import re
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from selfreward.errors import ConfigError, SelfrewardError, of_system
from selfreward.typed_settings import check_typed, conf_folder, errors_of_hydra

USAGE = """usage: selfreward COMMAND ...

  run [SETTING=VALUE ...]  run the loop; run it again to resume       selfreward run experiment=quickstart
  check [SETTING ...]      whether a model can be worked with         selfreward check model.path=FOLDER
  status RUN               what a run has made so far
  report RUN               write the run's page, report.html
  explain RUN [ID]         where a training row comes from; without ID, list the rows
  verify RUN [RUN ...]     read every byte of runs, or of the cells of a sweep, back
  compare RUN [RUN ...]    one table and one page of several runs, or of the cells of a sweep
  monitor ACTION ...       calibrate, check or replay the monitor of diversity
  bench SUBJECT            hold the monitor, measures of judges, or over-optimisation, against a known truth
  seed-judge [SETTING ...] train a policy to judge, from answers that people ranked
  judge calibrate ...      how far a judge can be trusted, on a file of labelled pairs
  labels ACTION ...        pairs of answers out to people, and what they said back as data
  gc RUN                   delete the weights that a run no longer needs
  assets                   fetch the embedded model and data, once

`selfreward run --help` lists the settings; `selfreward COMMAND --help` explains a command.
"""
COMMANDS = re.findall(r"^  ([a-z-]+) ", USAGE, re.MULTILINE)
_WITH_SETTINGS = ("check", "monitor", "seed-judge", "judge", "labels")
INTERRUPTED = 130


def compose(overrides: list[str]) -> dict[str, Any]:
    """The composed settings as plain values, for tests and commands that do not run the loop."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return _plain(hydra_compose("config", overrides=overrides))


def main() -> int:
    """The exit status: 0 done, 2 a mistake to mend, 3 too little to train on, 130 interrupted; or a verdict's."""
    command, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    if command in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if command not in COMMANDS:
        print(f"selfreward: there is no command {command!r}\n\n{USAGE}", end="", file=sys.stderr)
        return 2
    # What is left ends with the process: looking through it for cycles takes a second once transformers is loaded.
    atexit.register(gc.freeze)
    # A scheduler's SIGTERM stops a run as Ctrl-C does, so that locks and terminals are left in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if command == "run":
            status = _run(arguments)
        else:  # only the module of the command is loaded
            entry = import_module(f"selfreward.commands.{command.replace('-', '_')}").main
            status = entry(arguments, compose=_composed) if command in _WITH_SETTINGS else entry(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # A reader such as `head` has had enough. Python flushes once more at its end, and must not fail there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (SelfrewardError, OSError, MemoryError) as error:
        mistake = error if isinstance(error, SelfrewardError) else of_system(error)
        if mistake is None:
            raise
        print(f"selfreward: {mistake}", *getattr(mistake, "__notes__", ()), sep="\n", file=sys.stderr)
        return mistake.exit_status
    except KeyboardInterrupt:
        print("selfreward: stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    return status


def _composed(overrides: list[str]) -> dict[str, Any]:
    """As `compose`, for a command that takes settings. Raises ConfigError for a mistake in them."""
    check_typed(overrides, sweeps=False)
    with errors_of_hydra(overrides):
        return compose(overrides)


def _run(arguments: list[str]) -> int:
    import hydra
    from hydra._internal.utils import get_args_parser
    from omegaconf import DictConfig

    from selfreward.commands.run import run

    parsed = get_args_parser().parse_args(arguments)
    check_typed(parsed.overrides, sweeps=parsed.multirun)
    if parsed.multirun and not parsed.help:
        return _sweep(arguments, parsed.overrides)
    outcome: list[SelfrewardError | KeyboardInterrupt | OSError | MemoryError] = []

    @hydra.main(config_path=str(conf_folder()), config_name="config", version_base="1.3")
    def task(config: DictConfig) -> None:
        # Hydra prints a traceback for any exception that crosses it; ours are for `main`.
        try:
            run(_plain(config))
        except (SelfrewardError, KeyboardInterrupt, OSError, MemoryError) as error:
            outcome.append(error)

    sys.argv = ["selfreward run", *arguments]
    with errors_of_hydra(parsed.overrides):
        task()
    if outcome:
        raise outcome[0]
    return 0


def _sweep(arguments: list[str], overrides: list[str]) -> int:
    """Runs every cell, wherever Hydra's launcher puts it; tells how each one ended."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig

    from selfreward.commands.sharing import sharing_lines
    from selfreward.commands.sweep import begun, plan_sweep, run_cell, settings_of, summary
    from selfreward.config import SweepCell

    with errors_of_hydra(overrides):
        cells, swept, first = expand(overrides)
    sweep = plan_sweep(str(first["run"]), Path(first["store"]["runs"]), cells, swept)
    print(*sharing_lines(swept), sep="\n", file=sys.stderr)

    # This may run in another process: it tells what happened through files alone.
    @hydra.main(config_path=str(conf_folder()), config_name="config", version_base="1.3")
    def task(config: DictConfig) -> None:
        settings = settings_of(list(HydraConfig.get().overrides.task), swept)
        run_cell(lambda: _plain(config), sweep, SweepCell(name=sweep.name, settings=settings))

    sys.argv = ["selfreward run", *arguments]
    try:
        with errors_of_hydra(overrides):
            task()
    finally:
        lines, status = summary(sweep)
        if begun(sweep):
            print(*lines, sep="\n", file=sys.stderr)
    return status


def expand(overrides: list[str]) -> tuple[list[list[str]], set[str], dict[str, Any]]:
    """The overrides of every cell, as Hydra expands them; the names of what is swept; the first cell's settings."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        typed = parser.parse_overrides(overrides)
        (cells,) = BasicSweeper.split_arguments(typed, None)
        first = hydra_compose("config", overrides=cells[0], return_hydra_config=True)
        # An experiment may bring axes of its own.
        params = OmegaConf.select(first, "hydra.sweeper.params") or {}
        parsed = parser.parse_overrides([f"{name}={values}" for name, values in params.items()]) + typed
        (cells,) = BasicSweeper.split_arguments(parsed, None)
    swept = {one.get_key_element().lstrip("+") for one in parsed if one.is_sweep_override()}
    return cells, swept, {"run": first.run, "store": {"runs": first.store.runs}}


def _plain(config: Any) -> dict[str, Any]:
    """The settings as plain values. Raises ConfigError for one that is not given, or that refers to none."""
    from omegaconf import OmegaConf
    from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

    try:
        values: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    except MissingMandatoryValue as error:
        raise ConfigError(f"{error.full_key} is not given: type {error.full_key}=VALUE") from error
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {str(error).partition(chr(10))[0]}") from error
    return values


if __name__ == "__main__":
    sys.exit(main())
