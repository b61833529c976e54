"""Memory that a training step frees and the next one asks for again."""

import platform
import resource
import sys
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


def test_a_step_uses_the_memory_of_the_one_before_and_the_end_gives_it_back():
    pages_cleared()
    alone = pages_cleared()
    with freed_memory_kept():
        again = min(pages_cleared() for _ in range(10))  # the first ones find no room between what else is held
        kept = held_mib()
    assert again < alone / 10
    assert held_mib() < kept - 48


def test_what_fails_inside_gives_it_back_too():
    with pytest.raises(ValueError, match="none"), freed_memory_kept():
        raise ValueError("none")
    assert min(pages_cleared() for _ in range(10)) > 1000, "each time anew"
