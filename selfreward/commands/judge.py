"""`selfreward judge calibrate`: how far any judge can be trusted, on any file of labelled pairs, without a loop."""

import argparse
from pathlib import Path

from selfreward.commands.arguments import Compose, action_of, positive, settings_parser
from selfreward.commands.judge_calibrate import calibrate_judge, report_lines
from selfreward.config import validate

ACTIONS = {
    "calibrate [SETTING=VALUE ...] --gold FILE": "agreement with people, biases, disagreements; a table and a page"
}


def main(arguments: list[str], compose: Compose) -> int:
    """0, whatever the gate says of the judge. Raises SelfrewardError for a mistake that the user can mend."""
    _, rest = action_of("judge", "Judges by themselves; docs/judges.md shows what comes of it.", ACTIONS, arguments)
    parsed = _calibrate_parser().parse_intermixed_args(rest)
    settings = [*parsed.settings, *([] if parsed.seed is None else [f"seed={parsed.seed}"])]
    found, out = calibrate_judge(validate(compose(settings)), parsed.gold, parsed.items, parsed.out)
    print(*report_lines(found, out), sep="\n")
    return 0


def _calibrate_parser() -> argparse.ArgumentParser:
    parser = settings_parser(
        "judge calibrate",
        "Ask a judge about pairs of answers that people labelled. Settings are those of a run: model, backend and "
        "judge decide who is asked, gate what is said about it. The start model stands for every policy but an "
        "external one.",
        epilog="example: selfreward judge calibrate judge=pairwise judge.method=probability --gold pairs.jsonl "
        "--items 200",
    )
    parser.add_argument(
        "--gold", type=Path, required=True, metavar="FILE", help="labelled pairs in any form of docs/labels.md"
    )
    parser.add_argument("--items", type=positive, metavar="N", help="only N of them, at random (default: all)")
    parser.add_argument("--seed", type=int, metavar="S", help="the same as seed=S")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the page goes (default: beside the links)")
    return parser
