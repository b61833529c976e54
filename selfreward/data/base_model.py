"""A model made ready to be taught to talk: a base model gets the template that the user names, and what that needs."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfreward.artifacts.atomic_files import write_json
from selfreward.backends.chat import author_stops
from selfreward.backends.chat_template import TOKENS
from selfreward.backends.model_folder import check_weights
from selfreward.backends.model_loading import load_configs, load_tokenizer, settle_rendering
from selfreward.backends.new_tokens import add_tokens, write_new_tokens, write_with_rows
from selfreward.backends.rendering import ChatSpec, write_rendering
from selfreward.backends.scripted_policy import STATE_FILE
from selfreward.backends.template_probe import choose_template
from selfreward.data.models import (
    TEMPLATE,
    HfModel,
    ScriptedModel,
    folder_of,
    folder_policy,
    link_files,
    made_once,
    start_policy,
    told_of,
    write_template,
)
from selfreward.errors import ConfigError
from selfreward.installed import version
from selfreward.policies import Policy
from selfreward.records import digest_of
from selfreward.spec import Json, part_of

_GENERATION = "generation_config.json"
# Raise it where the same model may be made ready otherwise.
_VERSION = 2


def policy_to_teach(
    spec: HfModel | ScriptedModel, tokens: Sequence[str], store: Path, *, trusted: bool = False
) -> Policy:
    """The policy that the model of `spec` is, with what its chat template needs and the model lacks.

    Where `model.chat_template` is left to the model this is the start policy of a run. Otherwise the control tokens
    that the template is written with are in its tokenizer and have rows in its embeddings, and its generation config
    stops at the end of a turn. These are the tokens of a template of ours, `model.end_of_turn` and `tokens`. The
    folder lies beside those of settled models; files that need no change are links. Raises as `start_policy`, and
    ConfigError for a token that the template does not write or that is none.
    """
    if isinstance(spec, ScriptedModel):
        if tokens:
            raise ConfigError(f"seed_judge.tokens={list(tokens)}: a scripted model has no tokenizer, leave them out")
        return start_policy(spec, store)
    folder = folder_of(spec)
    if (folder / STATE_FILE).exists() or (spec.chat_template is None and not tokens):
        return start_policy(spec, store, trusted=trusted)
    check_weights(folder)
    chat, base = part_of(spec, ChatSpec), folder_policy(folder, store)
    libraries: Json = [version(name) for name in ("transformers", "tokenizers", "torch")]
    name = digest_of("to teach", _VERSION, libraries, base.digest, told_of(chat), list(tokens))
    with made_once(name, store) as (ready, scratch):
        if scratch is not None:
            _make_ready(folder, chat, tokens, scratch, trusted=trusted)
    return folder_policy(ready, store)


def _make_ready(folder: Path, chat: ChatSpec, named: Sequence[str], out: Path, *, trusted: bool) -> None:
    tokenizer = load_tokenizer(folder, trust_remote_code=trusted)
    bare = tokenizer.chat_template is None
    tokenizer.chat_template = template = choose_template(tokenizer, chat.chat_template)
    tokens = _tokens_of(tokenizer, template, chat, named)
    before = len(tokenizer.added_tokens_decoder), tokenizer.eos_token
    added = add_tokens(tokenizer, tokens)
    if tokenizer.eos_token is None and "eos_token" in template and chat.end_of_turn in tokens:
        tokenizer.eos_token = chat.end_of_turn
    link_files(folder, out)
    changed = out / "changed"
    changed.mkdir()
    if (len(tokenizer.added_tokens_decoder), tokenizer.eos_token) != before:
        tokenizer.save_pretrained(changed)
    # A base model may have the tokens of a template without ever having read one.
    if tokens and (bare or added):
        new = write_with_rows(folder, tokenizer, tokens, added, changed, trust_remote_code=trusted)
        write_new_tokens(out, new)
    _replace_links(changed, out)
    chosen = chat.model_copy(update={"chat_template": None})
    rendering = settle_rendering(folder, tokenizer, chosen, trust_remote_code=trusted)
    _stop_at(folder, int(tokenizer.convert_tokens_to_ids(rendering.end_of_turn)), out, trusted=trusted)
    write_template(out, template)
    write_rendering(out, rendering)


def _tokens_of(tokenizer: Any, template: str, chat: ChatSpec, named: Sequence[str]) -> list[str]:
    """The control tokens that a template is written with, in the order in which they are added.

    Raises ConfigError for a named one that it does not write, and where it ends an answer with the tokenizer's end
    token and there is none.
    """
    for token in named:
        if _checked(token, "seed_judge.tokens") not in template:
            raise ConfigError(
                f"seed_judge.tokens names {token}, which the chat template does not write: name what it writes, or "
                "leave it out"
            )
    found = [*TOKENS.get(chat.chat_template or "", ()), *named]
    end = chat.end_of_turn
    if chat.chat_template == "plain" and tokenizer.eos_token is None and end is None:
        raise ConfigError(
            "model.chat_template=plain ends an answer with the tokenizer's end token, and it has none: name one with "
            "model.end_of_turn=TOKEN, which is added, or set model.chat_template=chatml"
        )
    if end is not None and (end in template or ("eos_token" in template and tokenizer.eos_token is None)):
        found.append(_checked(end, "model.end_of_turn"))
    return list(dict.fromkeys(found))


def _checked(token: str, setting: str) -> str:
    """`token`, which may become a control token. Raises ConfigError for a word: it would be cut out of all text."""
    if not token or any(letter.isspace() for letter in token) or token.isalnum() or len(token) > 64:
        raise ConfigError(
            f"{setting}={token!r} cannot be a control token: give one like <|end|>, of at most 64 letters, without "
            "spaces and not a mere word"
        )
    return token


def _replace_links(changed: Path, out: Path) -> None:
    """Moves the files that changed to `out`, in place of the links to those of the model; none is written through."""
    if any(changed.glob("*.safetensors")):
        for weights in [*out.glob("*.safetensors"), *out.glob("*.safetensors.index.json")]:
            weights.unlink()
    for path in changed.iterdir():
        if path.is_file() and path.name not in (TEMPLATE, _GENERATION):
            path.replace(out / path.name)
    shutil.rmtree(changed)


def _stop_at(folder: Path, end: int, out: Path, *, trusted: bool) -> None:
    """Has the generation config in `out` stop at `end`, before all at which the model's author stops."""
    stops = author_stops(load_configs(folder, trust_remote_code=trusted)[1])
    if end in stops:
        return
    own = folder / _GENERATION
    said = json.loads(own.read_bytes()) if own.exists() else {}
    (out / _GENERATION).unlink(missing_ok=True)
    write_json(out / _GENERATION, {**said, "eos_token_id": [end, *stops]})
