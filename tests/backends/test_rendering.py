"""The chat templates and tokenizers that people bring: what is settled about each, and tokens that agree with it."""

from functools import cache
from pathlib import Path

import pytest

from selfreward.backends.chat import (
    Chat,
    answer_tokens,
    completion_of,
    open_chat,
    option_tokens,
    render_prompt,
)
from selfreward.backends.model_loading import load_chat
from selfreward.backends.rendering import ChatSpec
from selfreward.backends.template_probe import resolve_rendering
from selfreward.errors import BackendError
from selfreward.records import Message
from tests.families import FAMILIES, Family, write_model

USABLE = [one for one in FAMILIES if one.refused is None]
REFUSED = [one for one in FAMILIES if one.refused is not None]
SYSTEM, USER = Message(role="system", content="Be short."), Message(role="user", content="What is the capital?")
THOUGHTS = {
    "[THINK]": "[THINK]It is hello.[/THINK]",
    "<|START_THINKING|>": "<|START_THINKING|>It is hello.<|END_THINKING|><|START_RESPONSE|>",
    "<seed:think>": "<seed:think>It is hello.</seed:think>",
    "<|channel|>": "<|channel|>analysis<|message|>hello<|end|><|start|>assistant<|channel|>final<|message|>",
    "<think>": "<think>\nIt is hello.\n</think>\n\n",
}


def spec_of(family: Family) -> ChatSpec:
    return ChatSpec.model_validate(dict(setting.split("=", 1) for setting in family.settings))


@cache
def chat_of(family_name: str) -> Chat:
    (family,) = (one for one in FAMILIES if one.name == family_name)
    tokenizer = family.tokenizer()
    stops = [*family.generation_eos, *([family.eos] if family.eos else [])]
    return open_chat(tokenizer, resolve_rendering(tokenizer, spec_of(family), stops))


def spelled(chat: Chat, tokens: list[int]) -> str:
    return chat.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)


@pytest.mark.parametrize("family", USABLE, ids=lambda one: one.name)
def test_what_is_settled_is_what_the_template_does(family: Family) -> None:
    chat = chat_of(family.name)
    found = chat.rendering
    assert (found.end_of_turn, found.trail, found.system) == (family.end_of_turn, family.trail, family.system)
    assert found.opens_thought == family.opens_thought
    if not family.opens_thought or family.lead:
        assert found.lead + found.space == family.lead
    assert chat.end_of_turn == chat.tokenizer.convert_tokens_to_ids(family.end_of_turn)


@pytest.mark.parametrize("family", USABLE, ids=lambda one: one.name)
def test_every_turn_stands_in_the_prompt_and_no_control_token_is_spelled(family: Family) -> None:
    chat = chat_of(family.name)
    text = spelled(chat, render_prompt(chat, (SYSTEM, USER)))
    # Some control tokens swallow the white space behind them.
    assert "".join(text.split()).endswith("".join(chat.rendering.opening.split()))
    assert text.index("Be short.") < text.index("What is the capital?")
    plain, hostile = (
        render_prompt(chat, (Message(role="user", content=f"say {text}"),))
        for text in ("nothing", f"nothing{family.end_of_turn}")
    )
    assert hostile.count(chat.end_of_turn) == plain.count(chat.end_of_turn)


@pytest.mark.parametrize("family", USABLE, ids=lambda one: one.name)
def test_an_answer_has_the_tokens_of_the_whole_conversation(family: Family) -> None:
    """A person's answer behind its prompt is token for token what the template makes of the finished conversation."""
    chat = chat_of(family.name)
    prompt, tokens = render_prompt(chat, (USER,)), answer_tokens(chat, "Paris", ended=True)
    whole = (
        chat.tokenizer.apply_chat_template(
            [{"role": "user", "content": "What is the capital?"}, {"role": "assistant", "content": "Paris"}],
            tokenize=True,
            return_dict=False,
        )
        if chat.rendering.content == "text"
        else None
    )
    mine = [*prompt, *tokens.lead, *tokens.completion]
    assert tokens.completion[-1] == chat.end_of_turn
    if whole is None or "Paris" not in spelled(chat, whole):
        return
    # A finished answer may be written without the thought that its prompt ends in.
    apart = family.prints_date or family.opens_thought or family.name == "gemma-4"
    assert apart or whole[: len(prompt)] == prompt
    if not apart:
        assert mine[:-1] == whole[: len(mine) - 1]


@pytest.mark.parametrize("family", USABLE, ids=lambda one: one.name)
@pytest.mark.parametrize("text", ["Paris", "Rome is no Paris.\nyes", "two\n\nlines", "né 9"])
def test_a_drawn_answer_is_read_back_to_its_tokens(family: Family, text: str) -> None:
    chat = chat_of(family.name)
    empty = chat.rendering.lead if chat.rendering.opens_thought else None
    drawn = answer_tokens(chat, text, ended=True, thought=empty).completion
    read = completion_of(chat, [1], [*drawn, 0, 0], [-0.5] * (len(drawn) + 2), [chat.end_of_turn])
    assert (read.text, read.finish, read.tokens) == (text, "stop", len(drawn))
    assert (read.thought or "").strip() == (empty or "").strip()
    # An answer without the lead of its template is scored behind that lead, where it was not drawn.
    assert read.respelled == bool(chat.rendering.lead and empty is None)


@pytest.mark.parametrize("family", [one for one in USABLE if one.thinks], ids=lambda one: one.name)
def test_a_drawn_thought_stands_apart_and_is_read_back_to_its_tokens(family: Family) -> None:
    chat = chat_of(family.name)
    vocabulary = chat.tokenizer.get_vocab()
    thought = next(text for mark, text in THOUGHTS.items() if mark in vocabulary)
    if chat.rendering.opens_thought:
        thought = thought.removeprefix("<think>\n")
    drawn = answer_tokens(chat, "Paris", ended=True, thought=thought)
    assert drawn.lead == []
    read = completion_of(chat, [1], drawn.completion, [-0.5] * len(drawn.completion), [chat.end_of_turn])
    assert (read.thought, read.text, read.respelled) == (thought, "Paris", False)


@pytest.mark.parametrize("family", USABLE, ids=lambda one: one.name)
def test_options_are_one_token_each_where_the_answer_begins(family: Family) -> None:
    chat = chat_of(family.name)
    lead, options = option_tokens(chat, ["1", "2", "3", "4", "5"])
    assert len(set(options)) == 5
    scored = answer_tokens(chat, "3", ended=False)
    assert [*scored.lead, *scored.completion] == [*lead, options[2]]


@pytest.mark.parametrize("family", REFUSED, ids=lambda one: one.name)
def test_what_cannot_work_is_refused_in_one_line(family: Family, tmp_path: Path) -> None:
    folder = write_model(family, tmp_path)
    with pytest.raises(BackendError) as caught:
        load_chat(folder, trust_remote_code=False)
    told = str(caught.value)
    assert "\n" not in told
    assert family.refused in told
