"""`selfreward monitor calibrate|check|replay`: what it can see, what it says, what it would say otherwise."""

import argparse

from selfreward.commands.arguments import Compose, action_of, run_folder, run_parser, settings_parser
from selfreward.commands.monitor_calibrate import calibrate
from selfreward.commands.monitor_check import EXIT_CODES, check
from selfreward.commands.monitor_replay import SETTINGS, replay

ACTIONS = {
    "calibrate [SETTING=VALUE ...]": "measure the start policy twice: noise, detectable effect, cost",
    "check RUN": "the verdict on a run, as an exit code",
    "replay RUN [SETTING=VALUE ...]": "decide again from what was measured, under other settings",
}


def main(arguments: list[str], compose: Compose) -> int:
    """0, or the exit code of a verdict for `check`. Raises SelfrewardError for a mistake that the user can mend."""
    action, rest = action_of("monitor", "The monitor of diversity.", ACTIONS, arguments)
    if action == "check":
        parser = run_parser("monitor check", "Say what the monitor makes of a round of a run. No model is loaded.")
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        codes = "\n".join(f"  {code:>2}  {state}" for state, code in EXIT_CODES.items())
        parser.epilog = f"exit codes:\n{codes}\n   2  no such run, or not diagnosed yet\n"
        parser.add_argument(
            "--iteration", type=int, metavar="T", help="the round (default: the last that is diagnosed)"
        )
        parsed = parser.parse_args(rest)
        return check(run_folder(parsed.run, parsed.runs), parsed.iteration)
    if action == "calibrate":
        parser = settings_parser(
            "monitor calibrate",
            "Measure the start policy twice: what differs is noise. Says how small a loss the monitor could see, and "
            "what it costs. A run with the same settings finds its first measurement made.",
        )
        lines = calibrate(compose(parser.parse_args(rest).settings))
    else:
        parser = run_parser(
            "monitor replay",
            "Decide every round again from what was measured. No model is loaded, nothing is written. Without settings "
            "the result has to be what is stored.",
        )
        parser.epilog = f"settings, named as under `monitor.`: {', '.join(SETTINGS)}"
        parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE", help="such as margin.sem=0.1 or mode=act")
        parsed = parser.parse_intermixed_args(rest)
        lines = replay(run_folder(parsed.run, parsed.runs), parsed.settings)
    print(*lines, sep="\n")
    return 0
