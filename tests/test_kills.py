"""SIGKILL at random moments and damage to unfinished shards: runs end as if left alone. The scripts do it at length."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["kill_test.py", "random", "--kills", "5", "--seed", "5"],
        ["kill_gc_test.py", "--kills", "4", "--seed", "1"],
        ["damage_test.py", "--times", "12", "--seed", "1"],
    ],
    ids=lambda command: command[0],
)
def test_what_a_run_ends_with_hangs_on_no_accident(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / command[0]), *command[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
