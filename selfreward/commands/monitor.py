"""`selfreward monitor calibrate|check|replay`: what it can see, what it says, what it would say otherwise."""

import argparse

from selfreward.commands.arguments import Compose, run_folder, run_parser
from selfreward.commands.monitor_calibrate import calibrate
from selfreward.commands.monitor_check import EXIT_CODES, check
from selfreward.commands.monitor_replay import SETTINGS, replay

ACTIONS = """actions:
  calibrate [SETTING=VALUE ...]   measure the start policy twice: noise, detectable effect, cost
  check RUN                       the verdict on a run, as an exit code
  replay RUN [SETTING=VALUE ...]  decide again from what was measured, under other settings

`selfreward monitor ACTION --help` explains an action.
"""


def main(arguments: list[str], compose: Compose) -> int:
    """0, or the exit code of a verdict for `check`. Raises SelfrewardError for a mistake that the user can mend."""
    parser = argparse.ArgumentParser(prog="selfreward monitor", description="The monitor of diversity.", epilog=ACTIONS)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("action", choices=("calibrate", "check", "replay"), metavar="ACTION")
    action, rest = parser.parse_args(arguments[:1]).action, arguments[1:]
    match action:
        case "calibrate":
            calibrate(compose(_calibrate_parser().parse_args(rest).settings))
            return 0
        case "check":
            parsed = _check_parser().parse_args(rest)
            return check(run_folder(parsed.run, parsed.runs), parsed.iteration)
        case _:
            parsed = _replay_parser().parse_intermixed_args(rest)
            replay(run_folder(parsed.run, parsed.runs), parsed.settings)
            return 0


def _calibrate_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="selfreward monitor calibrate",
        description="Measure the start policy twice: what differs is noise. Says how small a loss the monitor could "
        "see, and what it costs. A run with the same settings finds its first measurement made.",
    )
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE", help="as for `selfreward run`")
    return parser


def _check_parser() -> argparse.ArgumentParser:
    parser = run_parser("monitor check", "Say what the monitor makes of a round of a run. No model is loaded.")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    codes = "\n".join(f"  {code:>2}  {state}" for state, code in EXIT_CODES.items())
    parser.epilog = f"exit codes:\n{codes}\n   2  no such run, or not diagnosed yet\n"
    parser.add_argument("--iteration", type=int, metavar="T", help="the round (default: the last that is diagnosed)")
    return parser


def _replay_parser() -> argparse.ArgumentParser:
    parser = run_parser(
        "monitor replay",
        "Decide every round again from what was measured. No model is loaded, nothing is written. Without settings "
        "the result has to be what is stored.",
    )
    parser.epilog = f"settings, named as under `monitor.`: {', '.join(SETTINGS)}"
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE", help="such as margin.sem=0.1 or mode=act")
    return parser
