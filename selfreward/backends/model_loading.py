"""Models in a local folder: loading, limits, and silence where a library would draw bars of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selfreward.backends.chat import Chat, author_stops, open_chat
from selfreward.backends.device import Device, Dtype
from selfreward.backends.libraries import load_libraries
from selfreward.backends.model_folder import check_config, check_folder, check_loaded, check_numbers, check_weights
from selfreward.backends.one_line import FOREIGN_ERRORS, one_line, plain
from selfreward.backends.rendering import ChatSpec, Rendering, read_rendering
from selfreward.backends.template_probe import resolve_rendering
from selfreward.errors import BackendError


def load_chat(folder: Path, *, trust_remote_code: bool) -> Chat:
    """The tokenizer in `folder` and how conversations are rendered for it, as was settled or as its template has it.

    Raises BackendError where there is no such folder, no tokenizer in it, or no chat template that can be used.
    """
    tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
    rendering = read_rendering(folder)
    if rendering is None:
        check_weights(folder)
        rendering = settle_rendering(folder, tokenizer, ChatSpec(), trust_remote_code=trust_remote_code)
    return open_chat(tokenizer, rendering)


def settle_rendering(folder: Path, tokenizer: Any, spec: ChatSpec, *, trust_remote_code: bool) -> Rendering:
    """What `resolve_rendering` finds for the model in `folder`, which names the tokens at which its author stops."""
    _, generation = load_configs(folder, trust_remote_code=trust_remote_code)
    stops = [tokenizer.convert_ids_to_tokens(token) for token in author_stops(generation)]
    _check_text_comes_back(folder, tokenizer)
    return resolve_rendering(tokenizer, spec, [*stops, *([tokenizer.eos_token] if tokenizer.eos_token else [])])


def _check_text_comes_back(folder: Path, tokenizer: Any) -> None:
    """Raises BackendError for a tokenizer that loses spaces or line breaks."""
    text = "One, two.\n\nThree:\n  four"
    again = tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]).strip()
    if again != text:
        raise BackendError(
            f"the tokenizer in {folder} gives {text!r} back as {again!r}: a tokenizer_class in tokenizer_config.json "
            "may overrule tokenizer.json; in a copy of the folder, set it to PreTrainedTokenizerFast"
        )


def load_tokenizer(folder: Path, *, trust_remote_code: bool) -> Any:
    """The tokenizer in `folder`, chat template included. Raises BackendError where there is none."""
    check_folder(folder)
    load_libraries()
    from transformers import AutoTokenizer

    with quiet(), refused("tokenizer", folder):
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)


def load_model(folder: Path, *, dtype: Dtype, device: Device, trust_remote_code: bool) -> Any:
    """The causal language model in `folder`, in evaluation mode on `device`. Raises BackendError if there is none."""
    check_model(folder, trust_remote_code=trust_remote_code)
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise BackendError("this torch finds no CUDA device: set device=cpu, or install a CUDA build of torch")
    model = read_whole(folder, trust_remote_code=trust_remote_code, dtype=getattr(torch, dtype)).to(device).eval()
    check_numbers(folder, model)
    return model


def check_model(folder: Path, *, trust_remote_code: bool) -> None:
    """Raises BackendError where files and config in `folder` are not those of a language model that can be trained."""
    check_weights(folder)
    check_config(folder, load_configs(folder, trust_remote_code=trust_remote_code)[0])


def read_whole(folder: Path, *, trust_remote_code: bool, **how: Any) -> Any:
    """The language model in `folder`, read as `how` says. Raises BackendError for weights that lack or do not fit."""
    from transformers import AutoModelForCausalLM

    load: Any = AutoModelForCausalLM
    with quiet(), refused("model", folder):
        model, told = load.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **how,
        )
    check_loaded(folder, model, told)
    return model


def load_configs(folder: Path, *, trust_remote_code: bool) -> tuple[Any, Any]:
    """The configuration of the model in `folder` and its generation config. Raises BackendError where there is none."""
    check_folder(folder)
    from transformers import AutoConfig, GenerationConfig

    with quiet(), refused("model", folder):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
        if (folder / "generation_config.json").exists():
            generation = GenerationConfig.from_pretrained(folder, local_files_only=True)
        else:
            generation = GenerationConfig.from_model_config(config)
    _check_stops(folder, config, generation)
    return config, generation


def _check_stops(folder: Path, config: Any, generation: Any) -> None:
    """Raises BackendError for stops that are no tokens of the model."""
    vocabulary = getattr(config.get_text_config(), "vocab_size", None)
    for token in author_stops(generation):
        if not isinstance(token, int) or token < 0 or (vocabulary is not None and token >= vocabulary):
            raise BackendError(
                f"generation_config.json or config.json in {folder} names eos_token_id={plain(repr(token))}, which is "
                "no token of the model: in a copy of the folder, name the one that ends a turn"
            )


@contextmanager
def refused(what: str, folder: Path) -> Iterator[None]:
    """Whatever a library raises for files that it cannot load becomes BackendError."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    try:
        yield
    except Exception as error:
        known = (*FOREIGN_ERRORS, ImportError, OSError, SafetensorError, StrictDataclassError)
        if not isinstance(error, known) and type(error) is not Exception:  # which tokenizers raises
            raise
        raise BackendError(
            f"no {what} can be loaded from {folder} ({one_line(error)}): give the folder of a saved model, whole"
        ) from error


def context_length(config: Any) -> int | None:
    """How many tokens prompt and answer may have together; None where the model names no limit."""
    limit = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(limit) if limit else None


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no log lines below errors from transformers; the `warnings` module is untouched."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
