"""Where to compute and with which number type, decided without importing torch."""

import os
from functools import cache
from pathlib import Path
from typing import Literal

from selfreward.sizes import memory_bytes

Device = Literal["cpu", "cuda"]
Dtype = Literal["float32", "bfloat16"]

MOST_THREADS = 1024
"""More cannot be started everywhere, and torch ends the process where they cannot."""

_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "avx10_2", "bf16"}


def usable_threads() -> int:
    """How many threads may compute at once: OMP_NUM_THREADS where it is set to a number, else the cores at hand."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) > 0 else len(os.sched_getaffinity(0))


MOST_WORKERS = 2
"""Processes that share the work on a CPU: what the loop asks at once is a few calls, so more of them would wait."""


def most_workers(model: Path) -> int:
    """How many processes share the work on this CPU best: two, if it has two cores and memory for both.

    The weights of the model in a folder count as they are stored, and may take a third of the memory; computing in 32
    bits may double them.
    """
    size = sum(file.stat().st_size for file in model.glob("*.safetensors"))
    return max(1, min(MOST_WORKERS, usable_threads(), memory_bytes() // (3 * max(size, 1))))


def resolve_device(choice: Literal["auto", "cpu", "cuda"]) -> Device:
    """`choice` itself, or for "auto": cuda where an NVIDIA driver is present and not hidden, else cpu."""
    if choice != "auto":
        return choice
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all") not in {"", "-1"}
    return "cuda" if visible and Path("/dev/nvidiactl").exists() else "cpu"


def resolve_dtype(choice: Literal["auto", "float32", "bfloat16"], device: Device) -> Dtype:
    """`choice` itself, or for "auto": bfloat16 on cuda and on CPUs that compute in it, else float32."""
    if choice != "auto":
        return choice
    return "bfloat16" if device == "cuda" or _cpu_has_bfloat16() else "float32"


@cache
def _cpu_has_bfloat16() -> bool:
    """Whether the first CPU lists a bfloat16 instruction set; False where /proc/cpuinfo does not exist."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return not _BFLOAT16_FLAGS.isdisjoint(flags.split())
