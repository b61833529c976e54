"""`selfreward report RUN`: write the page of a run, beside the control run if there is one."""

from selfreward.artifacts.runs import check_links, read_run
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.reading.control import check_control, find_control
from selfreward.report.page import write_report


def main(argv: list[str]) -> int:
    """Writes report.html into the run's folder and prints its path. 0; raises SelfrewardError for a bad control."""
    parser = run_parser("report", "Write the page of a run, report.html. It needs no network and no other file.")
    parser.add_argument(
        "--control",
        metavar="RUN2",
        help="the same run with select=random_pick (default: one is looked for in the same folder)",
    )
    parsed = parser.parse_args(argv)
    view = read_run(run_folder(parsed.run, parsed.runs))
    check_links(view)
    if parsed.control is None:
        control = find_control(view)
    else:
        control = read_run(run_folder(parsed.control, parsed.runs))
        check_control(view, control)
    print(write_report(view, control))
    return 0
