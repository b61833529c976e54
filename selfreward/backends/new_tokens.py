"""Control tokens that a base model is given: added to its tokenizer, with rows in its embeddings that are trained."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import NonNegativeInt, PositiveInt, ValidationError

from selfreward.artifacts.atomic_files import write_json
from selfreward.backends.model_loading import check_model, quiet, read_whole
from selfreward.backends.model_saving import save_weights
from selfreward.errors import BackendError
from selfreward.spec import Spec

FILE = "new_tokens.json"
_AT_ONCE = 4096
"""Rows that are summed at once: all of them in float64 would not fit beside a large model."""


class NewTokens(Spec):
    """The control tokens of a template that a model has not learned yet; the file lies in the folder of its policy.

    ids: of `tokens`, in their order. Training gives gradients to these rows of the embeddings, whatever it freezes.
    added: those of `tokens` that the tokenizer lacked.
    rows_before, rows: how many rows the embeddings had and have.
    tied: whether the rows that tokens are read by are those that they are written by.
    """

    tokens: tuple[str, ...]
    ids: tuple[NonNegativeInt, ...]
    added: tuple[str, ...]
    rows_before: PositiveInt
    rows: PositiveInt
    tied: bool


def read_new_tokens(folder: Path) -> NewTokens | None:
    """The tokens that the policy in `folder` has not learned; None where none are. Raises BackendError for a bad file.

    A policy that was trained has learned them: it brings no such file.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        found = NewTokens.model_validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        raise BackendError(f"{path} does not say which tokens are new: delete it") from error
    if len(found.ids) != len(found.tokens) or max(found.ids, default=0) >= found.rows:
        raise BackendError(f"{path} does not say which tokens are new: delete it")
    return found


def add_tokens(tokenizer: Any, tokens: Iterable[str]) -> tuple[str, ...]:
    """Those of `tokens` that the tokenizer lacked, which it has from now on, as control tokens.

    A token that it has stays as it is. One that is in its vocabulary, but that it would cut text into pieces around,
    keeps its number.
    """
    from tokenizers import AddedToken

    known = {entry.content for entry in tokenizer.added_tokens_decoder.values()}
    vocabulary = tokenizer.get_vocab()
    lacking = [token for token in tokens if token not in known]
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in lacking], special_tokens=True)
    return tuple(token for token in lacking if token not in vocabulary)


def write_with_rows(
    folder: Path, tokenizer: Any, tokens: Sequence[str], added: Sequence[str], out: Path, *, trust_remote_code: bool
) -> NewTokens:
    """What is new in the model of `folder`, which is written to `out` where its embeddings have to change.

    The row of an added token, and every row that the embeddings lack, begins as the mean of the rows of all tokens that
    the tokenizer had: a new token is then about as likely as an average one, where a random row may win over all others
    (Hewitt 2021, "Initializing New Word Embeddings for Pretrained Language Models"). The mean is exact to the type of
    the weights and hangs on no seed; what tells new tokens apart is learned. Rows beyond the vocabulary, which some
    models are padded with, count in no mean and are used before new ones are made. The model keeps the type of its
    weights; they are one file. Raises BackendError for a model that cannot be loaded.
    """
    from transformers import GenerationConfig

    check_model(folder, trust_remote_code=trust_remote_code)
    on_disk = read_whole(folder, trust_remote_code=trust_remote_code, device_map="meta")
    ids = tokenizer.convert_tokens_to_ids(list(tokens))
    rows = on_disk.get_input_embeddings().num_embeddings
    needed = max(rows, max(ids) + 1)
    if added or needed > rows:
        fresh = sorted({*tokenizer.convert_tokens_to_ids(list(added)), *range(rows, needed)})
        known = sorted({token for token in tokenizer.get_vocab().values() if token < rows} - set(fresh))
        model = read_whole(folder, trust_remote_code=trust_remote_code, dtype="auto")
        _begin_rows(model, needed, fresh, known)
        model.generation_config = GenerationConfig()  # many that authors ship would not be written
        with quiet():
            save_weights(model, out)
    tied = bool(getattr(on_disk.config.get_text_config(), "tie_word_embeddings", False))
    return NewTokens(tokens=tuple(tokens), ids=tuple(ids), added=tuple(added), rows_before=rows, rows=needed, tied=tied)


def embedding_parts(model: Any) -> list[Any]:
    """The weights and biases with a row for each token, which it is read or written by; what is tied stands once."""
    heads = [model.get_input_embeddings(), model.get_output_embeddings()]
    parts = [part for head in heads if head is not None for part in (head.weight, getattr(head, "bias", None))]
    return list({id(part): part for part in parts if part is not None}.values())


def write_new_tokens(folder: Path, new: NewTokens) -> None:
    """Writes what is new to the folder of a policy."""
    write_json(folder / FILE, new.model_dump(mode="json"))


def _begin_rows(model: Any, rows: int, fresh: Sequence[int], known: Sequence[int]) -> None:
    """Gives the embeddings `rows` rows; the `fresh` ones are the mean of the `known` ones."""
    import torch

    with torch.no_grad():
        if rows > model.get_input_embeddings().num_embeddings:
            with torch.random.fork_rng(devices=[]), quiet():  # it draws rows, which are overwritten
                model.resize_token_embeddings(rows, mean_resizing=False)
        for part in embedding_parts(model):
            # In float64 the order of a sum, which threads choose, does not reach the digits that are kept.
            starts = range(0, len(known), _AT_ONCE)
            total = sum(part[list(known[start : start + _AT_ONCE])].double().sum(0) for start in starts)
            part[list(fresh)] = (total / len(known)).to(part.dtype)
