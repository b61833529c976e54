"""`selfreward report RUN`: write the page of a run, beside its control if there is one and the arms that are named."""

from selfreward.artifacts.runs import check_links, read_run
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.reading.control import check_beside, check_control, find_control
from selfreward.report.page import write_report


def main(argv: list[str]) -> int:
    """Writes report.html into the run's folder and prints its path. 0; SelfrewardError for a run that misfits."""
    parser = run_parser("report", "Write the page of a run, report.html. It needs no network and no other file.")
    parser.add_argument(
        "--control",
        metavar="RUN2",
        help="the same run with select=random_pick (default: one is looked for in the same folder)",
    )
    parser.add_argument(
        "--beside",
        metavar="RUN3",
        action="append",
        default=[],
        help="another arm that starts from the same model and measures on the same prompts, such as the same run with "
        "judge=verifier: what it gained stands beside what this run did; may be given several times",
    )
    parsed = parser.parse_args(argv)
    view = read_run(run_folder(parsed.run, parsed.runs))
    check_links(view)
    if parsed.control is None:
        control = find_control(view)
    else:
        control = read_run(run_folder(parsed.control, parsed.runs))
        check_control(view, control)
    beside = [read_run(run_folder(name, parsed.runs)) for name in parsed.beside]
    for other in beside:
        check_links(other)
        check_beside(view, other)
    print(write_report(view, control, beside))
    return 0
