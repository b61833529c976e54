"""Check: whether a model can be rendered, drawn from, scored, trained and saved, before anything is drawn from it."""

import copy
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from selfreward.artifacts import Output
from selfreward.backends.base import Answer, NotScored, Sampling
from selfreward.backends.chat import Chat, option_tokens
from selfreward.backends.folder import check_config, check_loaded
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.local import context_length, load_chat, load_configs, quiet, refused
from selfreward.backends.rows import stop_ids
from selfreward.backends.template import Turn, render, template_file
from selfreward.errors import BackendError
from selfreward.records import Message, Policy
from selfreward.spec import Spec
from selfreward.updates.training import save_chat, save_model

VERSION = 1
_OPTIONS = (("1", "2", "3", "4", "5"), ("A", "B"), ("yes", "no"))
_QUESTION = (Message(role="user", content="What is the capital of France?"),)
_SMALL = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "moe_intermediate_size": 64,
    "num_attention_heads": 4,
    "head_dim": 16,
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
}


class CheckSpec(Spec):
    """What a check hangs on besides the model: whether its code may run, and the libraries that load it."""

    trusted: bool
    libraries: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing that was looked at, and what is so."""

    what: str
    says: str


def check_spec(*, trusted: bool) -> CheckSpec:
    """The spec of a check with the libraries that are installed."""
    libraries = ("torch", "transformers", "tokenizers", "jinja2", "trl")
    return CheckSpec(trusted=trusted, libraries={name: version(name) for name in libraries})


def check(out: Output, spec: CheckSpec, *, policy: Policy) -> None:
    """`check.json`: what was found, as pairs of what and what is so. Raises BackendError for what cannot work."""
    found = [(one.what, one.says) for one in findings(policy.path, trusted=spec.trusted)]
    out.write_json("check", {"found": [list(pair) for pair in found]})


def findings(folder: Path, *, trusted: bool) -> Iterator[Found]:
    """What there is to say of the model in `folder`. Raises BackendError for what cannot work."""
    chat = load_chat(folder, trust_remote_code=trusted)
    config, generation = load_configs(folder, trust_remote_code=trusted)
    check_config(folder, config)
    count = _check_weights_are_whole(folder, trusted=trusted)
    rendering = chat.rendering
    yield Found(what="chat template", says=template_file(chat.tokenizer))
    yield Found(what="system turn", says="its own" if rendering.system == "own" else "merged into the first user turn")
    yield Found(what="a prompt ends in", says=repr(rendering.opening))
    yield Found(what="end of turn", says=rendering.end_of_turn)
    stops = chat.tokenizer.convert_ids_to_tokens(stop_ids(chat, generation))
    yield Found(what="stops", says=", ".join(stops))
    yield Found(what="thinking", says=_thinking(chat))
    yield Found(what="options", says=_options(chat))
    yield Found(what="date", says=_date(chat))
    limit = context_length(config)
    yield Found(what="context", says="no limit is named" if limit is None else f"{limit:,} tokens, prompt and answer")
    kept = str(getattr(config, "dtype", None) or "float32").removeprefix("torch.")
    yield Found(what="number type", says=f"saved as {kept}; trained policies are saved as float32")
    yield Found(what="weights", says=f"all {count} there, no adapter")
    yield Found(what="small copy", says=_small_copy(chat, config, folder, trusted=trusted))


def _check_weights_are_whole(folder: Path, *, trusted: bool) -> int:
    """How many weights the model has. They are looked up, not read."""
    from transformers import AutoModelForCausalLM

    load: Any = AutoModelForCausalLM
    with quiet(), refused("model", folder):
        model, told = load.from_pretrained(
            folder,
            device_map="meta",
            use_safetensors=True,
            trust_remote_code=trusted,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    check_loaded(folder, model, told)
    return sum(1 for _ in model.parameters())


def _thinking(chat: Chat) -> str:
    rendering = chat.rendering
    if rendering.opens_thought:
        return f"a prompt opens a thought; {rendering.lead!r} closes it before answers that bring none"
    if rendering.lead:
        return f"an answer that brings no thought stands behind {rendering.lead!r}"
    return "the template writes no thought before an answer"


def _options(chat: Chat) -> str:
    able, unable = [], []
    for options in _OPTIONS:
        try:
            lead, _ = option_tokens(chat, options)
        except BackendError:
            unable.append("/".join(options))
        else:
            behind = f" behind {chat.tokenizer.decode(lead)!r}" if lead else ""
            able.append(f"{'/'.join(options)}{behind}")
    told = f"one token each: {', '.join(able)}" if able else ""
    refused = f"several tokens, so no judge can read them in one pass: {', '.join(unable)}" if unable else ""
    return "; ".join(part for part in (told, refused) if part)


def _date(chat: Chat) -> str:
    turns: list[Turn] = [{"role": "user", "content": "What day is it?"}]
    if chat.rendering.content == "parts":
        turns = [{"role": "user", "content": [{"type": "text", "text": "What day is it?"}]}]
    one, other = (
        render(chat.tokenizer, turns, chat.rendering.template_kwargs, day, prompted=True)
        for day in ("2001-02-03", "2014-11-29")
    )
    return "the template prints none" if one == other else f"the template prints {chat.rendering.date} (date)"


def _small_copy(chat: Chat, config: Any, folder: Path, *, trusted: bool) -> str:
    """Draws, scores, takes options, saves and reads back with a few random weights under the model's configuration."""
    from transformers import AutoModelForCausalLM

    make: Any = AutoModelForCausalLM
    with tempfile.TemporaryDirectory() as scratch:
        copies = [Path(scratch) / name for name in ("first", "second")]
        try:
            with quiet():
                model = make.from_config(_shrunk(config), trust_remote_code=trusted)
        except (ValueError, TypeError, RuntimeError, AttributeError, LookupError) as error:
            return f"not tried, for the configuration cannot be made small ({str(error).splitlines()[0][:120]})"
        drawn = []
        for place in copies:
            with quiet():
                save_model(model, place, like=folder)
            save_chat(chat, place)
            drawn.append(_used(place, trusted=trusted))
        if drawn[0] != drawn[1]:
            raise BackendError(f"a small copy of {folder} draws or scores otherwise once it was saved and read back")
    return "draws, scores, takes options, and does so again after it is saved and read back"


def _shrunk(config: Any) -> Any:
    small = copy.deepcopy(config)
    text = small.get_text_config()
    kinds = list(dict.fromkeys(getattr(text, "layer_types", None) or ()))
    heads = getattr(text, "num_key_value_heads", None)
    grouped = heads is not None and heads < text.num_attention_heads
    for name, value in _SMALL.items():
        if getattr(text, name, None) is not None:
            setattr(text, name, value)
    text.num_hidden_layers = max(2, len(kinds))
    if kinds:
        text.layer_types = (kinds * 2)[: text.num_hidden_layers]
    if heads is not None:
        text.num_key_value_heads = 2 if grouped else 4
    return small


def _used(folder: Path, *, trusted: bool) -> Sequence[object]:
    """What an engine makes of the small model in `folder`."""
    spec = HfSpec(dtype="float32", device="cpu", trust_remote_code=trusted)
    sampling = Sampling(k=2, temperature=1.0, top_p=1.0, max_new_tokens=4)
    with HfBackend(spec, Policy(path=folder, key="check", digest="check")) as backend:
        (drawn,) = backend.generate([_QUESTION], sampling, 0, _nobody)
        scored = backend.score([Answer(messages=_QUESTION, text="Paris")], _nobody)
        if isinstance(scored[0], NotScored):
            raise BackendError(f"the model cannot score a short answer: {scored[0].reason}")
        return [[(one.text, one.thought, one.token_logprobs) for one in drawn], scored]


def _nobody(_: int) -> None:
    """Progress that nobody watches."""
