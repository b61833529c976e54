"""Each family is as odd as it says."""

import pytest
from jinja2 import TemplateError, TemplateSyntaxError

from tests.families import FAMILIES, by_name


def said(role, text):
    return [{"role": role, "content": text}]


ASK, ANSWER, SYSTEM = said("user", "hello Rome"), said("assistant", "Paris"), said("system", "yes yes")

# Those whose template takes the text of a turn as it is.
RENDERED = [one for one in FAMILIES if one.template is not None and one.refused is None and one.name != "vision"]
# The generation prompt holds what the template does not write before a finished answer.
APART = {"qwq": "<think>\n", "r1-distill": "<think>\n", "gemma-4": "<|channel>thought\n<channel|>"}
# The template drops the last answer.
DROPPED = {"yandexgpt"}
# Behind the last answer stands nothing, or the mark of a next turn.
UNENDED = {"glm-4": "", "glm-edge": "<|assistant|>", "end-between-turns": ""}
# A system turn raises.
REFUSING = {"gemma", "gemma-2", "mistral-v0.1", "mistral-v0.2"}


def each(families):
    return pytest.mark.parametrize("family", families, ids=[family.name for family in families])


def render(family, messages, **more):
    named = {"chat_template": "talk"} if family.name == "named-templates" else {}
    return family.tokenizer().apply_chat_template(messages, tokenize=False, **named, **more)


def prompt(family, messages=ASK, **more):
    return render(family, messages, add_generation_prompt=True, **more)


def tokens(family, text):
    return family.tokenizer().tokenize(text, add_special_tokens=False)


def test_there_are_many_and_each_says_what_is_odd_about_it():
    assert len({family.name for family in FAMILIES}) == len(FAMILIES) >= 28
    for family in FAMILIES:
        assert family.why.endswith(".") and ". " not in family.why
        assert (family.end_of_turn is None) == (family.refused is not None)


@each(RENDERED)
def test_an_answer_stands_between_lead_and_trail(family):
    asked, full = prompt(family), render(family, ASK + ANSWER)
    if family.name in DROPPED:
        assert full == asked and "Paris" not in full
        return
    if family.name in APART:
        assert family.lead == ""
        asked = asked.removesuffix(APART[family.name])
    written = asked + family.lead + "Paris" + family.trail
    assert full.startswith(written)
    behind = full.removeprefix(written)
    if family.name in UNENDED:
        assert behind == UNENDED[family.name]
    else:
        assert behind.startswith(family.end_of_turn)


@each([family for family in FAMILIES if family.end_of_turn is not None])
def test_the_end_of_turn_is_one_special_token(family):
    tokenizer = family.tokenizer()
    end = tokenizer.convert_tokens_to_ids(family.end_of_turn)
    assert tokenizer.added_tokens_decoder[end].special
    assert tokenizer(family.end_of_turn, add_special_tokens=False)["input_ids"][-1] == end


@each(RENDERED)
def test_a_system_turn_is_written_or_dropped_or_raises(family):
    if family.name in REFUSING:
        with pytest.raises(TemplateError):
            prompt(family, SYSTEM + ASK)
    else:
        asked = prompt(family, SYSTEM + ASK)
        assert ("yes yes" in asked) is (family.system == "own")
        assert (asked == prompt(family)) is (family.system == "merged")


@pytest.mark.parametrize("name", ["llama-2", "gemma", "gemma-3", "mistral-v0.1", "mixtral", "mistral-v0.3"])
def test_two_questions_on_end_raise(name):
    with pytest.raises(TemplateError):
        prompt(by_name(name), ASK + ASK)


def test_a_system_turn_moves_into_a_question():
    assert "<start_of_turn>user\nyes yes\n\nhello" in prompt(by_name("gemma-3"), SYSTEM + ASK)
    assert "<<SYS>>\nyes yes\n<</SYS>>\n\nhello" in prompt(by_name("llama-2"), SYSTEM + ASK)
    longer = SYSTEM + ASK + ANSWER + ASK
    assert prompt(by_name("mixtral"), longer).index("yes yes") < prompt(by_name("mixtral"), longer).index("Paris")
    assert prompt(by_name("mistral-v0.3"), longer).index("yes yes") > prompt(by_name("mistral-v0.3"), longer).index(
        "Paris"
    )


@each(RENDERED)
def test_the_prompt_of_some_changes_with_the_clock(family, monkeypatch):
    from datetime import datetime

    from transformers.utils import chat_template_utils

    class Clock:
        day = 1

        @classmethod
        def now(cls):
            return datetime(2031, 5, cls.day)

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)
    first = prompt(family)
    Clock.day = 2
    assert (prompt(family) != first) is family.prints_date


def test_a_default_system_turn_stands_in_for_a_missing_one():
    for name in ("qwen-2.5", "llama-3.2", "granite-3.3", "magistral", "mistral-small-3.1", "apertus"):
        assert "system" in prompt(by_name(name)).lower()


def test_text_is_trimmed_by_some():
    padded = said("user", " hello ") + said("assistant", " Paris ")
    for name in ("llama-3", "llama-3.2", "gemma-2", "command-r"):
        assert " Paris" not in render(by_name(name), padded) and " hello" not in render(by_name(name), padded)
    assert " Paris " in render(by_name("qwen-2.5"), padded)


def test_the_generation_prompt_is_always_written_by_some():
    for name in ("phi-3", "phi-4", "yi-1.5", "orion", "mistral-v0.1", "glm-edge", "command-r7b", "yandexgpt"):
        assert render(by_name(name), ASK) == prompt(by_name(name))
    assert prompt(by_name("orion")).endswith("</s>")


def test_a_second_end_token_follows_a_whole_conversation():
    for name in ("phi-3.5", "phi-4-mini"):
        assert render(by_name(name), ASK + ANSWER).endswith(by_name(name).eos)
        assert by_name(name).eos != by_name(name).end_of_turn


def test_an_earlier_answer_is_written_in_another_way_than_the_last():
    longer = ASK + ANSWER + ASK
    assert "assistant\nParis<|im_end|>" in prompt(by_name("qwen-3"), longer)
    assert "Paris<|end|>" in prompt(by_name("gpt-oss"), longer)
    assert render(by_name("gpt-oss"), ASK + ANSWER).endswith("Paris<|return|>")
    assert "Paris<|sep|>" in prompt(by_name("end-between-turns"), longer)


def test_a_thought_can_be_switched_off_or_is_opened_or_is_cut():
    assert prompt(by_name("qwen-3"), enable_thinking=False).endswith("<think>\n\n</think>\n\n")
    thought = ASK + said("assistant", "<think>\nno\n</think>\n\nParis")
    assert "<think>\nno\n</think>\n\nParis" in render(by_name("qwen-3"), thought)
    for name in ("qwq", "r1-distill"):
        assert "no" not in render(by_name(name), thought)
    for family in RENDERED:
        assert prompt(family).rstrip().endswith("<think>") is family.opens_thought
        assert family.thinks or not family.opens_thought


def test_some_marks_are_no_special_tokens_so_that_decoding_keeps_them():
    def read(name, text):
        tokenizer = by_name(name).tokenizer()
        return tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"], skip_special_tokens=True)

    assert read("qwen-3", "<think>no</think>yes<|im_end|>") == "<think>no</think>yes"
    assert read("magistral", "[THINK]no[/THINK]yes</s>") == "noyes"
    assert read("seed-oss", "<seed:think>no</seed:think>yes<seed:eos>") == "noyes"
    assert read("command-r7b", "<|START_RESPONSE|>yes<|END_RESPONSE|>") == "<|START_RESPONSE|>yes<|END_RESPONSE|>"
    assert read("r1-distill", "<｜User｜>yes") == "<｜User｜>yes"  # noqa: RUF001
    assert read("openhermes", "<|im_start|>yes<|im_end|>") == "<|im_start|> yes"  # and the space of the legacy form


def test_the_special_ids_of_some_lack_the_end_of_turn():
    for name in ("llama-3", "gemma", "gemma-3", "apertus", "phi-3.5"):
        tokenizer = by_name(name).tokenizer()
        assert tokenizer.convert_tokens_to_ids(by_name(name).end_of_turn) not in tokenizer.all_special_ids
    for name in ("gemma-2", "internlm2"):
        tokenizer = by_name(name).tokenizer()
        assert tokenizer.convert_tokens_to_ids(by_name(name).end_of_turn) in tokenizer.all_special_ids


@pytest.mark.parametrize(
    ("name", "alone", "behind"),
    [
        ("qwen-3", "Paris", "Paris"),
        ("gemma-2", "Paris", "Paris"),
        ("zephyr", "▁Paris", "Paris"),  # behind a line break
        ("yi-1.5", "▁Paris", "Paris"),
        ("internlm2", "▁Paris", "Paris"),
        ("mistral-v0.1", "▁Paris", "Paris"),  # behind a bracket
        ("llama-2", "▁Paris", "▁Paris"),  # behind the space that the template writes
        ("mistral-v0.3", "▁Paris", "▁Paris"),
        ("vicuna", "▁Paris", "▁Paris"),
        ("orion", "▁Paris", "▁Paris"),  # behind a control token, where the legacy form puts a space
        ("phi-3", "▁Paris", "▁Paris"),  # behind a control token that swallowed the line break
        ("yandexgpt", "▁Paris", "Paris"),  # behind a control token, where the newer form puts none
    ],
)
def test_an_answer_alone_and_behind_its_prompt(name, alone, behind):
    family = by_name(name)
    assert tokens(family, "Paris") == [alone]
    asked = prompt(family) + family.lead
    assert tokens(family, asked + "Paris")[-1] == behind


@each(FAMILIES)
def test_any_text_can_be_written_and_read_back(family):
    tokenizer = family.tokenizer()
    for text in ("Paris", "yes\nno", "hello, Rome!\n\n  Zoë 東京 🙂\t<x>"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text
        assert tokenizer.unk_token is None or tokenizer.unk_token_id not in ids


def test_a_text_that_is_encoded_as_usual_begins_with_the_token_for_that():
    for family in FAMILIES:
        first = family.tokenizer()("Paris").tokens()[0]
        assert (first == family.bos) is (family.bos is not None)


@pytest.mark.parametrize(
    ("name", "error"), [("base", ValueError), ("only-for-tools", ValueError), ("broken", TemplateSyntaxError)]
)
def test_nothing_can_be_rendered(name, error):
    with pytest.raises(error):
        by_name(name).tokenizer().apply_chat_template(ASK, tokenize=False)


def test_a_vision_template_drops_plain_text():
    parts = [{"role": "user", "content": [{"type": "text", "text": "hello Rome"}]}]
    assert "hello" not in prompt(by_name("vision"))
    assert "hello Rome" in prompt(by_name("vision"), parts)


def test_what_a_setting_can_mend():
    assert {"<|im_start|>", "<|im_end|>"} <= by_name("base-chatml").tokenizer().get_vocab().keys()
    with pytest.raises(ValueError, match="chat_template"):
        by_name("named-templates").tokenizer().apply_chat_template(ASK)
    assert prompt(by_name("named-templates")) == prompt(by_name("default-and-tools"))
