"""TRL and what it is built on, loaded at once."""

from functools import cache
from importlib import metadata

from selfreward.backends.libraries import load_libraries, loading
from selfreward.replaced import replaced


@cache
def load_trainers() -> None:
    """Loads what every training needs; otherwise as `load_libraries`."""
    load_libraries()
    from transformers.utils import import_utils

    # TRL lists what is installed, as transformers did before.
    listed = replaced(metadata, packages_distributions=lambda: import_utils.PACKAGE_DISTRIBUTION_MAPPING)
    with loading(), listed:
        import datasets  # noqa: F401
        import peft  # noqa: F401
        from trl.trainer import base_trainer, callbacks, utils  # noqa: F401
