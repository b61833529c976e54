"""Models in a local folder: loading, limits, and silence where a library would draw bars of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selfreward.backends.device import Device, Dtype
from selfreward.errors import BackendError


def load_tokenizer(folder: Path, *, trust_remote_code: bool) -> Any:
    """The tokenizer in `folder`, chat template included.

    Raises:
        BackendError: no such folder, no tokenizer in it, or one without a chat template.
    """
    _check_folder(folder)
    from transformers import AutoTokenizer

    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                folder, trust_remote_code=trust_remote_code, local_files_only=True
            )
    except (OSError, ValueError) as error:
        raise BackendError(f"no tokenizer can be loaded from {folder}: {_first_line(error)}") from error
    if not tokenizer.chat_template:
        raise BackendError(
            f"the tokenizer in {folder} has no chat template: put a chat_template.jinja into the folder, "
            "or use the instruct variant of the model"
        )
    return tokenizer


def load_model(folder: Path, *, dtype: Dtype, device: Device, trust_remote_code: bool) -> Any:
    """The causal language model in `folder`, in evaluation mode on `device`; safetensors weights only.

    Raises:
        BackendError: no such folder, no safetensors weights in it, a model that cannot be loaded, or no such device.
    """
    check_weights(folder)
    import torch
    from transformers import AutoModelForCausalLM

    if device == "cuda" and not torch.cuda.is_available():
        raise BackendError("this torch finds no CUDA device: set device=cpu, or install a CUDA build of torch")
    try:
        with quiet():
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                local_files_only=True,
            )
    except (OSError, ValueError) as error:
        raise BackendError(f"no model can be loaded from {folder}: {_first_line(error)}") from error
    return model.to(device).eval()


def load_configs(folder: Path, *, trust_remote_code: bool) -> tuple[Any, Any]:
    """The configuration of the model in `folder` and its generation config, without the model.

    Raises:
        BackendError: no such folder, or no model configuration in it.
    """
    _check_folder(folder)
    from transformers import AutoConfig, GenerationConfig

    make: Any = GenerationConfig
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
        if not (folder / "generation_config.json").exists():
            return config, make.from_model_config(config)
        return config, make.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise BackendError(f"no model can be loaded from {folder}: {_first_line(error)}") from error


def check_weights(folder: Path) -> None:
    """Raises BackendError where `folder` is none or has no safetensors weights."""
    _check_folder(folder)
    if not any(folder.glob("*.safetensors")):
        raise BackendError(
            f"{folder} has no *.safetensors weights, the only format read here: "
            "load the model once and write it with save_pretrained"
        )


def context_length(config: Any) -> int | None:
    """How many tokens prompt and answer may have together; None where the model names no limit."""
    limit = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(limit) if limit else None


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no log lines below errors from transformers; the `warnings` module is untouched."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise BackendError(f"{folder} is no folder: give the folder of a saved model")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
