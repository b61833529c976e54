"""Reward models: classifiers with one logit that score a conversation with its answer, as transformers loads them.

The score is read at the last token that is not the pad token of the model's configuration, where transformers reads it
and TRL trains it. Where that token ends a turn, it is the token before it. The place is found in the tokens of the
conversation itself, so it does not depend on what stands beside them in a batch.
"""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from selfreward.backends.base import Advance, Conversation, NotScored
from selfreward.backends.chat import Chat, render_answered
from selfreward.backends.device import Device, Dtype
from selfreward.backends.model_folder import check_numbers, check_weights
from selfreward.backends.model_loading import context_length, load_chat, load_configs, quiet, refused
from selfreward.backends.one_line import plain
from selfreward.errors import BackendError
from selfreward.installed import version

# Raise it where the last digits of a score may change.
_NUMERICS = 1
HEAD = "score.weight"
"""What transformers calls the weights of the logit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer to score, behind the conversation that it answers; a thought before it is not shown."""

    messages: Conversation
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardScore:
    """The logit that the model gives, and how many tokens it was shown."""

    score: float
    tokens: int


@dataclass(frozen=True, kw_only=True)
class RewardModel:
    """A reward model in a folder, which is loaded when it is first asked, and held until `free_reward_models`.

    Rows of like length are scored together, at most `batch_tokens` tokens with padding.
    """

    folder: Path
    device: Device
    dtype: Dtype
    batch_tokens: int

    @property
    def _model(self) -> Any:
        return _held(self.folder, self.device, self.dtype)

    @cached_property
    def _chat(self) -> Chat:
        return load_chat(self.folder, trust_remote_code=False)

    def score(self, shown: Sequence[Shown], advance: Advance) -> list[RewardScore | NotScored]:
        """One result for each answer, in order; one beyond the model's context is NotScored, never cut.

        Raises BackendError for a model that is no reward model, or has no chat template that can be used.
        """
        rows = reward_rows(self._chat, shown)
        limit = context_length(self._model.config)
        fits = [place for place, row in enumerate(rows) if limit is None or len(row) <= limit]
        advance(len(rows) - len(fits))
        scores = rewards_of(self._model, [rows[place] for place in fits], self.batch_tokens, advance)
        found: dict[int, RewardScore | NotScored] = {
            place: RewardScore(score=score, tokens=len(rows[place])) for place, score in zip(fits, scores, strict=True)
        }
        too_long = "{:,} tokens exceed the {} that the reward model can read"
        return [
            found.get(place) or NotScored(outcome="truncated", reason=too_long.format(len(row), limit))
            for place, row in enumerate(rows)
        ]


@cache
def _held(folder: Path, device: Device, dtype: Dtype) -> Any:
    return load_reward_model(folder, dtype=dtype, device=device)


def free_reward_models() -> None:
    """Frees every reward model and its memory; what is asked later loads its own again."""
    some = _held.cache_info().currsize > 0
    _held.cache_clear()
    if some:
        import torch

        gc.collect()
        torch.cuda.empty_cache()  # which does nothing where no GPU is used


def reward_engine(device: Device, dtype: Dtype) -> Mapping[str, str | int]:
    """What decides the last digits of a score beside the model and `batch_tokens`; reading it loads nothing."""
    versions = {name: version(name) for name in ("torch", "transformers")}
    return {**versions, "device": device, "dtype": dtype, "numerics": _NUMERICS}


def reward_rows(chat: Chat, shown: Sequence[Shown]) -> list[list[int]]:
    """Token ids of each conversation with its answer, as the model's template writes a whole conversation.

    What the template writes behind the end of the last turn, such as a line break, stands in them: the score of many
    models is read there. Text that spells a control token stays text.
    """
    rows = []
    for messages, group in groupby(shown, key=lambda one: one.messages):
        rows += render_answered(chat, messages, [one.text for one in group])
    return rows


def read_position(row: Sequence[int], pad: int | None) -> int:
    """Where in the tokens of a row the score is read: at the last one that is not the model's pad token."""
    return next((place for place in reversed(range(len(row))) if row[place] != pad), 0)


def rewards_of(model: Any, rows: Sequence[Sequence[int]], batch_tokens: int, advance: Advance) -> list[float]:
    """The logit of each row, in order; the longest rows come first, at most `batch_tokens` at once, or one row.

    Raises BackendError for a token that the model does not know.
    """
    known = model.get_input_embeddings().num_embeddings
    if (greatest := max((max(row) for row in rows), default=0)) >= known:
        raise BackendError(
            f"the tokenizer in {model.name_or_path} gives token {greatest}, and the model knows {known} tokens: give "
            "the tokenizer and the config.json of these weights"
        )
    found: dict[int, float] = {}
    order = sorted(range(len(rows)), key=lambda place: -len(rows[place]))
    while order:
        batch = order[: max(1, batch_tokens // len(rows[order[0]]))]
        order = order[len(batch) :]
        found |= zip(batch, _logits(model, [rows[place] for place in batch]), strict=True)
        advance(len(batch))
    return [found[place] for place in range(len(rows))]


def _logits(model: Any, rows: Sequence[Sequence[int]]) -> list[float]:
    """The logits of a batch; the layer that gives them calculates in float32, in which they differ."""
    import torch

    width, pad = max(map(len, rows)), model.config.get_text_config().pad_token_id
    ids = torch.tensor([[*row, *([0] * (width - len(row)))] for row in rows], device=model.device)
    mask = torch.tensor([[*([1] * len(row)), *([0] * (width - len(row)))] for row in rows], device=model.device)
    places = torch.tensor([read_position(row, pad) for row in rows], device=model.device)
    with torch.inference_mode():
        states = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        last = states[torch.arange(len(rows), device=model.device), places].float()
        bias = None if model.score.bias is None else model.score.bias.float()
        logits: list[float] = torch.nn.functional.linear(last, model.score.weight.float(), bias)[:, 0].tolist()
    return logits


def load_reward_model(folder: Path, *, dtype: Dtype, device: Device) -> Any:
    """The reward model in `folder`, in evaluation mode on `device`.

    Raises BackendError where there is none: for a model with several logits, for one whose head or other weights are
    not in its files and would be drawn at random, and for weights that are no numbers.
    """
    check_reward_model(folder)
    model, missing = read_classifier(folder, dtype=dtype, device=device)
    _refuse_missing(folder, missing)
    return model


def look_up_reward_model(folder: Path) -> Any:
    """The reward model in `folder` as its files describe it, without the numbers. Raises BackendError for none."""
    check_reward_model(folder)
    model, missing = _read(folder, device_map="meta")
    _refuse_missing(folder, missing)
    return model


def _refuse_missing(folder: Path, missing: Sequence[str]) -> None:
    if missing:
        raise BackendError(
            f"{folder} lacks {len(missing)} weights of a reward model, {missing[0]} among them, which would be drawn "
            "at random: give the folder of a trained reward model, whole"
        )


def check_reward_model(folder: Path) -> None:
    """Raises BackendError where the files in `folder` are not those of a model with one logit."""
    check_weights(folder)
    config = load_configs(folder, trust_remote_code=False)[0]
    named = [str(one) for one in getattr(config, "architectures", None) or []]
    if not any(one.endswith("ForSequenceClassification") for one in named):
        raise BackendError(
            f"{folder} holds a {plain(named[0]) if named else 'model of no named kind'}, no reward model: give the "
            "folder of an AutoModelForSequenceClassification with num_labels=1"
        )
    if config.num_labels != 1:
        raise BackendError(
            f"{folder} gives {config.num_labels} logits, and a reward model gives one: give the folder of an "
            "AutoModelForSequenceClassification that was trained with num_labels=1"
        )


def check_head(folder: Path) -> None:
    """Raises BackendError where no file in `folder` holds the weights of the logit; no weight is read."""
    from safetensors import safe_open

    open_: Any = safe_open
    with refused("reward model", folder):
        for path in folder.glob("*.safetensors"):
            with open_(path, framework="numpy") as file:
                if any(name.endswith(HEAD) for name in file.keys()):  # noqa: SIM118, it is no mapping
                    return
    raise BackendError(
        f"no file in {folder} holds {HEAD}, the head of a reward model, which would be drawn at random: give the "
        "folder of a trained reward model, whole"
    )


def read_classifier(folder: Path, *, dtype: Dtype, device: Device) -> tuple[Any, list[str]]:
    """The model in `folder` with one logit, and the weights that are not in its files.

    Raises BackendError for what cannot be read, and for a model that scores something else than its last token.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise BackendError("this torch finds no CUDA device: set device=cpu, or install a CUDA build of torch")
    model, missing = _read(folder, dtype=getattr(torch, dtype))
    model = model.to(device).eval()
    check_numbers(folder, model)
    return model, missing


def _read(folder: Path, **how: Any) -> tuple[Any, list[str]]:
    """As `read_classifier`, read as `how` says."""
    import torch
    from transformers import AutoModelForSequenceClassification

    load: Any = AutoModelForSequenceClassification
    with quiet(), refused("reward model", folder):
        model, told = load.from_pretrained(
            folder,
            num_labels=1,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **how,
        )
    if not isinstance(getattr(model, "score", None), torch.nn.Linear):
        raise BackendError(
            f"{folder} holds a {type(model).__name__}, which does not score the last token of a conversation: give a "
            "reward model made of a causal language model"
        )
    return model, sorted({*told["missing_keys"], *(str(key[0]) for key in told["mismatched_keys"])})
