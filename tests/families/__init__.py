"""Chat templates and tokenizers in the shapes that people bring, small enough for tests."""

from tests.families import chatml, gemma, llama, thinking
from tests.families.family import Family
from tests.families.models import write_model

FAMILIES = (
    *chatml.FAMILIES,
    *thinking.FAMILIES,
    *llama.FAMILIES,
    *gemma.FAMILIES,
)

__all__ = ["FAMILIES", "Family", "write_model"]
