"""Torch and transformers, loaded at once, and kept from Python's search for objects that refer to each other.

They leave some 400,000 objects that stay for good. Left alone, the collector sets out again and again while these are
made, a fifth of the time that loading takes, and later goes through all of them whenever it looks at everything: a
quarter of a second each time.
"""

import gc
from functools import cache

from selfreward.artifacts.many_rows import few_collections
from selfreward.replaced import replaced


@cache
def load_libraries() -> None:
    """Loads what every model needs of them; objects that are there by then are never searched again."""
    with few_collections():
        import torch  # noqa: F401
        from transformers import utils

        # It loads scikit-learn, where that is there, for the drafts of assistant models: .7 s, for nothing.
        with replaced(utils, is_sklearn_available=lambda: False):
            from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401
        gc.freeze()
