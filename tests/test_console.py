import io

import pytest
from rich.console import Console

from selfreward.console import ConsoleReporter, table_lines
from selfreward.reading.time_left import Ahead


def test_a_log_file_is_told_each_minute_how_far_a_long_stage_is() -> None:
    log = io.StringIO()
    reporter, clock = ConsoleReporter(), [0.0]
    reporter.console = Console(file=log, width=140, get_time=lambda: clock[-1])
    with reporter.progress("update 88f3", 72, "steps") as advance:
        for seconds in (30.0, 59.0, 61.0, 90.0, 122.0):
            clock.append(seconds)
            advance(10)
    assert log.getvalue().splitlines() == [
        "  update 88f3: 30 of 72 steps in 61.0 s (2.0 s each)",
        "  update 88f3: 50 of 72 steps in 122.0 s (2.4 s each)",
        "  update 88f3: 50 steps in 122.0 s (2.4 s each)",
    ]


def test_a_log_tells_the_time_left_in_the_run_where_it_is_known() -> None:
    log = io.StringIO()
    reporter, clock = ConsoleReporter(), [0.0]
    reporter.console = Console(file=log, width=140, get_time=lambda: clock[-1])
    reporter.ahead = lambda: Ahead(stage=200.0, later=600.0)
    for total, done in ((10, 5), (10, 9), (None, 5)):
        with reporter.progress("evaluate 88f3", total, "answers") as advance:
            clock.append(clock[-1] + 61.0)
            advance(done)
    told = [line.partition("; ")[2] for line in log.getvalue().splitlines()[::2]]
    # Of 200 s for the stage 139, 78 and 17 are left; half of the first bar takes less, so the stage counts.
    assert told == ["run: about 12 min left", "run: about 11 min left", "run: about 10 min left"]


def test_what_looks_like_a_style_or_a_picture_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = ConsoleReporter()
    reporter.say("judge.own [me] -> [/you] :key:")
    reporter.table("[bold]", ["own"], [{"own": "[me]"}, {"own": "[/you]"}])
    shown = " ".join(capsys.readouterr().err.split())
    assert shown == "judge.own [me] -> [/you] :key: [bold] own [me] [/you]"


def test_a_table_for_standard_output_is_plain_text_with_its_first_column_to_the_left() -> None:
    rows = [{"family": "[sem]", "drop": "+1.0%"}, {"family": ":key:", "drop": "+10.0%"}]
    assert table_lines(rows) == ["family    drop", "[sem]    +1.0%", ":key:   +10.0%"]
