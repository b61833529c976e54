"""Each family is as odd as it says, in memory and read back from a folder."""

import pytest

from tests.families import FAMILIES, write_model

ASK = [{"role": "user", "content": "hello Rome"}]
ANSWER = [{"role": "assistant", "content": "Paris"}]
SYSTEM = [{"role": "system", "content": "yes"}]

USABLE = [family for family in FAMILIES if family.template is not None and family.refused is None]
# Nothing stands behind the last answer, or only the mark of the next turn.
UNENDED: set[str] = set()
# The generation prompt holds what the template does not write before a finished answer.
APART = {"qwq", "r1-distill"}


def by_name(name):
    return next(family for family in FAMILIES if family.name == name)


def render(family, messages, **more):
    return family.tokenizer().apply_chat_template(messages, tokenize=False, **more)


def prompt(family, messages=ASK, **more):
    return render(family, messages, add_generation_prompt=True, **more)


def names(families):
    return [family.name for family in families]


@pytest.mark.parametrize("family", USABLE, ids=names(USABLE))
def test_an_answer_stands_between_lead_and_trail(family):
    asked, full = prompt(family), render(family, ASK + ANSWER)
    if family.name in APART:
        assert family.opens_thought and family.lead == ""
        assert asked.endswith("<think>\n") and full.startswith(asked.removesuffix("<think>\n") + "Paris")
        return
    written = asked + family.lead + "Paris" + family.trail
    assert full.startswith(written)
    assert full.removeprefix(written).startswith(family.end_of_turn) is (family.name not in UNENDED)


@pytest.mark.parametrize("family", USABLE, ids=names(USABLE))
def test_the_end_of_turn_is_one_token(family):
    tokenizer = family.tokenizer()
    end = tokenizer.convert_tokens_to_ids(family.end_of_turn)
    assert tokenizer.convert_ids_to_tokens(end) == family.end_of_turn
    assert tokenizer.added_tokens_decoder[end].special


@pytest.mark.parametrize("family", FAMILIES, ids=names(FAMILIES))
def test_a_folder_gives_back_what_was_written_to_it(family, tmp_path):
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    folder, built = write_model(family, tmp_path / "model"), family.tokenizer()
    read = AutoTokenizer.from_pretrained(folder)
    assert read.chat_template == family.template
    assert read.get_vocab() == built.get_vocab()
    assert {number: repr(token) for number, token in read.added_tokens_decoder.items()} == {
        number: repr(token) for number, token in built.added_tokens_decoder.items()
    }
    assert read.special_tokens_map == built.special_tokens_map and read.all_special_ids == built.all_special_ids
    assert (read.bos_token, read.eos_token, read.pad_token) == (family.bos, family.eos, family.pad)
    for text in ("Paris", "yes\nRome no", "<think>ä</s>"):
        assert read(text)["input_ids"] == built(text)["input_ids"]
    assert AutoConfig.from_pretrained(folder).vocab_size == len(built) - family.unembedded
    ends = GenerationConfig.from_pretrained(folder).eos_token_id
    ends = [] if ends is None else [ends] if isinstance(ends, int) else ends
    assert built.convert_ids_to_tokens(ends) == list(family.generation_eos)
