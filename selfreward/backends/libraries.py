"""Torch and transformers, loaded at once, and kept from Python's search for objects that refer to each other.

They leave some 400,000 objects that stay for good. Left alone, the collector sets out again and again while these are
made, a fifth of the time that loading takes, and later goes through all of them whenever it looks at everything: a
quarter of a second each time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from selfreward.artifacts.many_rows import few_collections
from selfreward.replaced import replaced


@cache
def load_libraries() -> None:
    """Loads what every model needs of them."""
    with loading():
        from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel  # noqa: F401


@contextmanager
def loading() -> Iterator[None]:
    """A block that imports what is built on transformers; objects that are there by its end are never searched again.

    Transformers loads neither scikit-learn nor scipy in it, a second of each process. It would for drafts of assistant
    models, metrics of its own, and boxes around objects.
    """
    with few_collections():
        import torch  # noqa: F401
        from transformers import utils

        with replaced(utils, is_sklearn_available=lambda: False, is_scipy_available=lambda: False):
            yield
        gc.freeze()
