"""Improve a language model on its own judgments, and say honestly when that stops being healthy."""

import os

__version__ = "0.1.0"

# Before torch is loaded: its threads would spin while they wait for each other, and on a machine that does anything
# else take the cores from those they wait for. A spin of microseconds bridges the gap between small operations.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
