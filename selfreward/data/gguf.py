"""GGUF weights turned into a plain model folder that transformers loads and trains."""

import contextlib
import errno
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path


def convert_gguf(folder: Path, target: Path) -> None:
    """Save the weights and tokenizer of `folder`/model.gguf as float32 safetensors in `target`.

    Raises:
        OSError: the disk is full (ENOSPC).
    """
    import torch
    from safetensors import SafetensorError

    with _quiet():
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

        # Without dequantize=True the weights stay packed, and a packed model can be neither trained nor saved.
        model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file="model.gguf", quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
        )
        try:
            model.save_pretrained(target)
        except SafetensorError as error:
            # safetensors hides the number of the system error in its text.
            if f"os error {errno.ENOSPC}" in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise
        AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf").save_pretrained(target)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the progress bars and warnings of transformers off the terminal; exceptions still come through."""
    from transformers.utils import logging as chatter

    level, bars = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    chatter.set_verbosity(logging.ERROR)
    chatter.disable_progress_bar()
    try:
        # Its GGUF reader draws a bar of its own, which no setting turns off.
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        chatter.set_verbosity(level)
        if bars:
            chatter.enable_progress_bar()
