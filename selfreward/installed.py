"""Which versions of libraries are installed."""

from functools import cache
from importlib import metadata


@cache
def version(name: str) -> str:
    """The version of a distribution, whose description is read once: a millisecond each time.

    Raises PackageNotFoundError where it is not installed.
    """
    return metadata.version(name)
