"""Chat templates and tokenizers in the shapes that people bring, small enough for tests."""

from tests.families import chatml, gemma, llama, mistral, named, odd, phi, plain, thinking
from tests.families.family import Family
from tests.families.models import write_model

FAMILIES = (
    *llama.FAMILIES,
    *chatml.FAMILIES,
    *thinking.FAMILIES,
    *gemma.FAMILIES,
    *mistral.FAMILIES,
    *phi.FAMILIES,
    *named.FAMILIES,
    *plain.FAMILIES,
    *odd.FAMILIES,
)


def by_name(name: str) -> Family:
    """The family of that name."""
    return next(family for family in FAMILIES if family.name == name)


__all__ = ["FAMILIES", "Family", "by_name", "write_model"]
