"""scripts/bench_loop.py: the stages that it times are those of the loop, asked as the loop asks them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts/bench_loop.py"


@pytest.mark.slow
def test_rows_go_through_every_stage_that_is_timed(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--one", "800", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.keys() == {"sample", "judge", "select", "decide", "mix", "total", "peak_mb", "rows"}
    assert all(value > 0 for value in found.values())
    assert found["rows"] > 2 * 800, "a judgment and a fate for each candidate, and what was chosen"
