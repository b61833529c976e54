"""The wheel carries everything: a checkout is not needed to run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_composes_every_experiment_and_runs_without_the_checkout(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)], check=True
    )
    (wheel,) = tmp_path.glob("selfreward-*.whl")
    site = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True)
    code = """
import sys, selfreward.__main__ as entry
from selfreward.config import validate
conf = entry.conf_folder()
assert str(conf).startswith(sys.argv[1]), conf
for path in sorted((conf / "experiment").glob("*.yaml")):
    print(validate(entry.compose([f"experiment={path.stem}"])).run)
"""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(site)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == sorted(path.stem for path in (ROOT / "conf/experiment").glob("*.yaml"))
    ran = subprocess.run(
        [sys.executable, "-m", "selfreward", "run", "experiment=scripted", "loop.iterations=1"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
