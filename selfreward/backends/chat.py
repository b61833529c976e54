"""From conversations and answers to tokens: the same functions for sampling, for scoring and for training."""

import itertools
import re
from collections.abc import Sequence
from typing import Any

from selfreward.errors import BackendError
from selfreward.records import Message


def render_prompt(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids of the conversation under the model's chat template, up to where the answer begins.

    Text that spells a control token stays text: no message can end its own turn or open another.
    """
    turns = [{"role": message.role, "content": message.content} for message in messages]
    control = _control_tokens(tokenizer)
    if control is not None and any(control.search(message.content) for message in messages):
        return _render_apart(tokenizer, turns, control)
    ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
    return [int(token) for token in ids]


def _render_apart(tokenizer: Any, turns: list[dict[str, str]], control: re.Pattern[str]) -> list[int]:
    """As the template renders `turns`, with every spelled-out control token as the tokens of its letters."""
    mark = next(
        mark for number in itertools.count() if not any((mark := f"[[{number}]]") in turn["content"] for turn in turns)
    )
    spelled = [text for turn in turns for text in control.findall(turn["content"])]
    marked = [{**turn, "content": control.sub(lambda _: mark, turn["content"])} for turn in turns]
    rendered = tokenizer.apply_chat_template(marked, add_generation_prompt=True, tokenize=False)
    pieces = rendered.split(mark)
    if len(pieces) != len(spelled) + 1:
        raise BackendError(
            f"the chat template of {tokenizer.name_or_path} drops or repeats parts of a message, so its control "
            "tokens cannot be told from text: use a template that writes every message once"
        )
    ids: list[int] = []
    for piece, text in itertools.zip_longest(pieces, spelled):
        ids += tokenizer(piece, add_special_tokens=False)["input_ids"]
        if text is not None:
            ids += tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return [int(token) for token in ids]


def _control_tokens(tokenizer: Any) -> re.Pattern[str] | None:
    """A pattern for the text of every control token of the model; None for a model without any."""
    added = {entry.content for entry in tokenizer.added_tokens_decoder.values() if entry.special}
    spelled = sorted({*tokenizer.all_special_tokens, *added}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, spelled))) if spelled else None


def completion_ids(tokenizer: Any, text: str, ended: bool) -> list[int]:
    """Token ids of an answer; `ended` appends the end-of-turn token.

    The answer is tokenised on its own, so no token spans the border to the prompt, and text that spells a control
    token stays text: an answer cannot end its own turn.
    """
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return [*map(int, ids), *([end_of_turn_id(tokenizer)] if ended else [])]


def option_ids(tokenizer: Any, options: Sequence[str]) -> list[int]:
    """The token of each option as the start of an answer.

    Raises:
        BackendError: an option of several tokens, or two options that are the same token.
    """
    ids = [completion_ids(tokenizer, option, ended=False) for option in options]
    for option, tokens in zip(options, ids, strict=True):
        if len(tokens) != 1:
            raise BackendError(
                f"{option!r} is {len(tokens)} tokens to this model, an option must be one: choose others"
            )
    if len({tokens[0] for tokens in ids}) < len(ids):
        raise BackendError(f"two of the options {', '.join(options)} are the same token to this model: choose others")
    return [tokens[0] for tokens in ids]


def end_of_turn_id(tokenizer: Any) -> int:
    """The control token that the chat template writes right after an assistant turn.

    Raises:
        BackendError: the template writes none.
    """
    # Rendering a template costs more than tokenising an answer: remember the id on the tokenizer it belongs to.
    known: int | None = getattr(tokenizer, "_selfreward_end_of_turn", None)
    if known is None:
        known = _find_end_of_turn(tokenizer)
        tokenizer._selfreward_end_of_turn = known
    return known


def _find_end_of_turn(tokenizer: Any) -> int:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    asked = tokenizer.apply_chat_template(turns[:1], add_generation_prompt=True, tokenize=True, return_dict=False)
    full = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
    same = 0
    while same < min(len(asked), len(full)) and asked[same] == full[same]:
        same += 1
    # Reasoning templates may put other control tokens before the content: look only behind it.
    content = tokenizer("b", add_special_tokens=False)["input_ids"][-1]
    tail = full[same:]
    after = tail[tail.index(content) + 1 :] if content in tail else tail
    control = set(tokenizer.all_special_ids)
    for token in after:
        if token in control:
            return int(token)
    raise BackendError(
        f"the chat template of {tokenizer.name_or_path} writes no end-of-turn token after an answer: "
        "use a model whose template closes the assistant turn, or mend its chat_template.jinja"
    )
