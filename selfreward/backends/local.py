"""Models in a local folder: loading, limits, and silence where a library would draw bars of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selfreward.backends.chat import Chat, open_chat
from selfreward.backends.device import Device, Dtype
from selfreward.backends.rendering import ChatSpec, Rendering, read_rendering
from selfreward.backends.resolve import resolve_rendering
from selfreward.backends.rows import author_stops
from selfreward.errors import BackendError


def load_chat(folder: Path, *, trust_remote_code: bool) -> Chat:
    """The tokenizer in `folder` and how conversations are rendered for it, as was settled or as its template has it.

    Raises:
        BackendError: no such folder, no tokenizer in it, or no chat template that can be used.
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
    """The tokenizer in `folder`, chat template included if it has one.

    Raises:
        BackendError: no such folder, or no tokenizer in it.
    """
    _check_folder(folder)
    from transformers import AutoTokenizer

    try:
        with quiet():
            return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
    except (OSError, ValueError) as error:
        raise BackendError(f"no tokenizer can be loaded from {folder}: {_first_line(error)}") from error


def load_model(folder: Path, *, dtype: Dtype, device: Device, trust_remote_code: bool) -> Any:
    """The causal language model in `folder`, in evaluation mode on `device`; safetensors weights only.

    Raises:
        BackendError: no such folder, no safetensors weights in it, a model that cannot be loaded, or no such device.
    """
    check_weights(folder)
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    check_plain(folder, load_configs(folder, trust_remote_code=trust_remote_code)[0])
    if device == "cuda" and not torch.cuda.is_available():
        raise BackendError("this torch finds no CUDA device: set device=cpu, or install a CUDA build of torch")
    load: Any = AutoModelForCausalLM
    try:
        with quiet():
            model, told = load.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                local_files_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BackendError(f"no model can be loaded from {folder}: {_first_line(error)}") from error
    check_loaded(folder, told)
    return model.to(device).eval()


def check_loaded(folder: Path, told: Mapping[str, Any]) -> None:
    """Raises BackendError for weights that a model needs and its files lack or have in another shape."""
    missing = sorted(told["missing_keys"]) + sorted(str(key[0]) for key in told["mismatched_keys"])
    if missing:
        raise BackendError(
            f"{folder} lacks {len(missing)} weights of the model that its config.json describes, {missing[0]} among "
            "them, which would be drawn at random: give the folder of a causal language model, whole"
        )


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
    """Raises BackendError where `folder` is none, or holds no weights that can be trained on."""
    _check_folder(folder)
    if (folder / "adapter_config.json").exists():
        raise BackendError(
            f"{folder} holds a LoRA adapter, not a model: load it with peft's AutoPeftModelForCausalLM, call "
            "merge_and_unload(), write that with save_pretrained and give its folder"
        )
    if not any(folder.glob("*.safetensors")):
        raise BackendError(
            f"{folder} has no *.safetensors weights, the only format read here: "
            "load the model once and write it with save_pretrained"
        )


def check_plain(folder: Path, config: Any) -> None:
    """Raises BackendError where the model's weights are quantised: they can be neither trained nor merged."""
    if (quantised := getattr(config, "quantization_config", None)) is not None:
        named = quantised if isinstance(quantised, dict) else quantised.to_dict()
        raise BackendError(
            f"the weights in {folder} are quantised ({named.get('quant_method', 'by an unnamed method')}) and cannot "
            "be trained: give the model as it was before, or dequantise it and write it with save_pretrained"
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
