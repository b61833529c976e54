"""Writing a model's weights as transformers loads them."""

from pathlib import Path
from typing import Any

_SMALLEST = 300_000_000
_MOST = 16


def save_weights(model: Any, out: Path) -> None:
    """Writes the weights and the configuration of `model` to `out`.

    Larger ones are cut into files of 300 MB or more, 16 at most: a core each takes their digests. Where they are cut
    depends on the model alone, so that equal weights are equal bytes.
    """
    size = sum(one.numel() * one.element_size() for one in model.parameters())
    model.save_pretrained(out, max_shard_size=max(_SMALLEST, -(-size // _MOST)))
