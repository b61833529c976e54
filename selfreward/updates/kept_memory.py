"""Memory that a training step frees and the next one asks for again."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
"""Names of settings, as malloc.h of glibc numbers them."""

_NEVER = -1


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside, the C library keeps freed memory for the next that asks; behind it, the memory goes back to the system.

    glibc hands every block over 32 MiB back as it is freed, and the system clears its pages anew when the next step
    asks for as much: 4 to 8% of an update on a CPU. Behind it the thresholds are those that glibc itself rises to
    while large blocks come and go. Another C library is left as it is, and so is a thread whose allocation failed once:
    glibc has moved it to an arena that hands blocks over 64 MiB back whatever is set.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        yield
        return
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, 1 << 16)
        libc.mallopt(_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(_TRIM_THRESHOLD, 64 << 20)
        libc.malloc_trim(0)
