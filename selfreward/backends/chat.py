"""From conversations and answers to tokens: the same functions for sampling, for scoring and for training."""

from collections.abc import Sequence
from typing import Any

from selfreward.errors import BackendError
from selfreward.records import Message


def render_prompt(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids of the conversation under the model's chat template, up to where the answer begins."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
    return [int(token) for token in ids]


def completion_ids(tokenizer: Any, text: str, ended: bool) -> list[int]:
    """Token ids of an answer; `ended` appends the end-of-turn token.

    The answer is tokenised on its own, so no token spans the border to the prompt, and text that spells a control
    token stays text: an answer cannot end its own turn.
    """
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return [*map(int, ids), *([end_of_turn_id(tokenizer)] if ended else [])]


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
