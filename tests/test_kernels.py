"""Another machine adds floats up in another order: what is decided, trained and found again must not hang on it.

numpy's OpenBLAS has kernels for several processors and takes the one that OPENBLAS_CORETYPE names, if this processor
can run it. Every kernel makes a store of its own here, in a process of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.golden import GOLDEN

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
KERNELS = {
    "Haswell": {"avx2", "fma"},
    "SkylakeX": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"},
    "Sandybridge": {"avx"},
}
"""What a processor must have for each of them, as /proc/cpuinfo calls it."""

REPORTS = {"measure", "diagnose", "decide", "health", "duel"}
"""The stages that report sums of floats, in more digits than any other stage reads."""

Made = Callable[[str], tuple[Path, dict[str, Any]]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The folder that a kernel's process wrote to, and what it printed; skips for one that cannot be had."""

    @cache
    def make(kernel: str) -> tuple[Path, dict[str, Any]]:
        folder = tmp_path_factory.mktemp(kernel)
        found = json.loads(run_under(kernel, "-m", "tests.kernel", str(folder), cwd=ROOT))
        if found["kernel"] != kernel:
            pytest.skip(f"numpy computes with {found['kernel'] or 'something else than OpenBLAS'}, not with {kernel}")
        return folder, found

    def checked(kernel: str) -> tuple[Path, dict[str, Any]]:
        if lacking := sorted(KERNELS[kernel] - processor_flags()):
            pytest.skip(f"{kernel} needs {', '.join(lacking)}, which this processor lacks")
        return make(kernel)

    return checked


def processor_flags() -> set[str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def run_under(kernel: str, *arguments: str, cwd: Path) -> str:
    environment = {**os.environ, "OPENBLAS_CORETYPE": kernel, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_golden_run_is_the_same_under_every_kernel(made: Made, kernel: str) -> None:
    _, found = made(kernel)
    assert {stage: tuple(told) for stage, told in found["golden"].items()} == GOLDEN


@pytest.mark.parametrize("kernel", ["Haswell", "SkylakeX"])
@pytest.mark.parametrize("run", ["scripted", "acting", "compared"])
def test_two_machines_decide_alike_and_have_all_keys_but_one_in_common(made: Made, run: str, kernel: str) -> None:
    here, there = (made(one)[1]["runs"][run] for one in ("Sandybridge", kernel))
    assert here.keys() == there.keys()
    keys = {name for name in here if here[name][0] != there[name][0]}
    digests = {name for name in here if here[name][1] != there[name][1]}
    assert {name.split("/")[-1] for name in keys} <= {"diagnose"}
    assert {name.split("/")[-1] for name in digests} <= REPORTS


def test_the_kernels_do_differ(made: Made) -> None:
    """Else nothing is tested here."""
    here, there = (made(kernel)[1]["runs"]["scripted"] for kernel in ("Sandybridge", "Haswell"))
    assert here["iter-000/measure"][1] != there["iter-000/measure"][1]


def test_a_run_that_moved_is_used_as_it_is_and_can_be_replayed(made: Made) -> None:
    folder, before = made("Haswell")
    made("Sandybridge")
    after = json.loads(run_under("Sandybridge", "-m", "tests.kernel", str(folder), cwd=ROOT))
    assert after["runs"] == before["runs"]
    said = run_under("Sandybridge", "-m", "selfreward", "monitor", "replay", "acting", "--runs", str(folder), cwd=ROOT)
    assert "5 diagnoses and 4 courses are reproduced" in said.splitlines()[-1]
