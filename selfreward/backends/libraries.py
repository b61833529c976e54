"""Torch, transformers and TRL, loaded at once, and kept from Python's search for objects that refer to each other.

They leave some 400,000 objects that stay for good. Left alone, the collector sets out again and again while these are
made, a fifth of the time that loading takes, and later goes through all of them whenever it looks at everything: a
quarter of a second each time.
"""

import gc
from contextlib import AbstractContextManager
from functools import cache
from importlib import metadata

from selfreward.artifacts.many_rows import few_collections
from selfreward.replaced import replaced


@cache
def load_libraries() -> None:
    """Loads what every model needs of them; objects that are there by then are never searched again."""
    with few_collections():
        import torch  # noqa: F401

        with _without_scipy():
            from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel  # noqa: F401
        gc.freeze()


@cache
def load_trainers() -> None:
    """The same for what every training needs."""
    load_libraries()
    with few_collections():
        from transformers.utils import import_utils

        # It lists what is installed, as transformers did.
        listed = replaced(metadata, packages_distributions=lambda: import_utils.PACKAGE_DISTRIBUTION_MAPPING)
        with _without_scipy(), listed:
            import datasets  # noqa: F401
            import peft  # noqa: F401
            from trl.trainer import base_trainer, callbacks, utils  # noqa: F401
        gc.freeze()


def _without_scipy() -> AbstractContextManager[None]:
    """Inside, transformers loads neither scikit-learn nor scipy, a second of each process.

    It would for drafts of assistant models, metrics of its own, and boxes around objects.
    """
    from transformers import utils

    return replaced(utils, is_sklearn_available=lambda: False, is_scipy_available=lambda: False)
