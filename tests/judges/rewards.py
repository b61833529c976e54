"""A reward function as a user writes one."""

from typing import Any


def right(completions: list[Any], references: list[list[str]]) -> list[float]:
    """1 for an answer that ends with a reference, else 0."""
    said = [one[0]["content"].splitlines()[0] for one in completions]
    return [
        float(any(text.endswith(f" {one}.") for one in known)) for text, known in zip(said, references, strict=True)
    ]
