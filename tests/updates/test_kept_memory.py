"""Memory that a training step frees and the next one asks for again.

Each test has a process of its own: where an allocation has failed before, glibc has moved the thread to another arena,
whose blocks over 64 MiB always come from the system and go back to it.
"""

import json
import platform
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from selfreward.updates.kept_memory import freed_memory_kept

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="the settings are those of glibc"
)

MIB = 1 << 20


def pages_cleared(mib=64):
    """How many pages the system hands out while a block is filled, and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(mib * MIB, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def held_mib():
    """Memory of this process that the system holds in pages, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / MIB


def steps_that_end():
    """Pages for a step alone, for one whose memory is kept, and MiB held before and behind the end."""
    pages_cleared()
    alone = pages_cleared()
    with freed_memory_kept():
        again = min(pages_cleared() for _ in range(10))  # the first ones find no room between what else is held
        kept = held_mib()
    return {"alone": alone, "again": again, "kept_mib": kept, "left_mib": held_mib()}


def steps_that_fail():
    """Pages for a step behind an error."""
    with suppress(ValueError), freed_memory_kept():
        raise ValueError
    return {"behind": min(pages_cleared() for _ in range(10))}


def in_a_process(steps):
    command = [sys.executable, __file__, steps.__name__]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_a_step_uses_the_memory_of_the_one_before_and_the_end_gives_it_back():
    seen = in_a_process(steps_that_end)
    assert seen["again"] < seen["alone"] / 10
    assert seen["left_mib"] < seen["kept_mib"] - 48


def test_what_fails_inside_gives_it_back_too():
    assert in_a_process(steps_that_fail)["behind"] > 1000, "each time anew"


if __name__ == "__main__":
    print(json.dumps({"steps_that_end": steps_that_end, "steps_that_fail": steps_that_fail}[sys.argv[1]]()))
