"""Names of a library that stand for something else for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def replaced(owner: Any, **names: Any) -> Iterator[None]:
    """Inside, each of `names` of `owner`, a module or an object, is what is given; one that it lacks stays away."""
    before = {name: getattr(owner, name) for name in names if hasattr(owner, name)}
    for name in before:
        setattr(owner, name, names[name])
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)
