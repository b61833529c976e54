"""SIGKILL at random moments: the run ends as if it had been left alone. scripts/kill_test.py does it at length."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "kill_test.py"


@pytest.mark.slow
def test_killed_again_and_again_a_run_ends_the_same() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "random", "--kills", "5", "--seed", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("5 kills over ")
