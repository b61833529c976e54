"""A family's folder, as transformers writes and reads it."""

import json

import pytest

from tests.families import FAMILIES, by_name, write_model


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("families")
    return {family.name: write_model(family, root / family.name) for family in FAMILIES}


def read(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def each(families):
    return pytest.mark.parametrize("family", families, ids=[family.name for family in families])


def flags(tokenizer):
    return {number: repr(token) for number, token in tokenizer.added_tokens_decoder.items()}


@each([family for family in FAMILIES if family.tokenizer_class is None])
def test_a_tokenizer_comes_back_as_it_was_built(family, folders):
    built, back = family.tokenizer(), read(folders[family.name])
    assert type(back) is type(built)
    assert back.chat_template == family.template
    assert back.get_vocab() == built.get_vocab() and flags(back) == flags(built)
    assert back.special_tokens_map == built.special_tokens_map and back.all_special_ids == built.all_special_ids
    assert (back.bos_token, back.eos_token, back.pad_token) == (family.bos, family.eos, family.pad)
    for text in ("Paris", "yes\nRome  no", f"<think>ä{family.eos}yes"):
        assert back(text)["input_ids"] == built(text)["input_ids"]


@each(FAMILIES)
def test_a_model_comes_back_and_names_its_end_tokens(family, folders):
    import torch
    from transformers import AutoModelForCausalLM

    folder, tokenizer = folders[family.name], family.tokenizer()
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    assert model.dtype == torch.float32 and model.config.max_position_embeddings == 256
    assert model(torch.tensor([[5, 7]])).logits.shape == (1, 2, len(tokenizer) - family.unembedded)
    ends = json.loads((folder / "generation_config.json").read_text()).get("eos_token_id")
    listed = [] if ends is None else [ends] if isinstance(ends, int) else ends
    assert tokenizer.convert_ids_to_tokens(listed) == list(family.generation_eos)


def test_a_template_is_a_file_of_its_own_and_that_is_what_is_read(folders, tmp_path):
    folder = write_model(by_name("qwen-2.5"), tmp_path / "model")
    assert (folder / "chat_template.jinja").read_text() == by_name("qwen-2.5").template
    assert "chat_template" not in json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "chat_template.jinja").write_text("from the file")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": "from the config"}))
    assert read(folder).chat_template == "from the file"
    named = folders["named-templates"]
    assert not (named / "chat_template.jinja").exists()
    assert {path.name for path in (named / "additional_chat_templates").iterdir()} == {"talk.jinja", "documents.jinja"}
    assert not (folders["base"] / "chat_template.jinja").exists()


def test_a_padding_token_may_have_no_row_in_the_embeddings(folders):
    config = json.loads((folders["pad-beyond-embeddings"] / "config.json").read_text())
    assert read(folders["pad-beyond-embeddings"]).pad_token_id == config["vocab_size"]


def test_a_generation_config_may_be_one_that_transformers_refuses_to_save(folders, tmp_path):
    from transformers import GenerationConfig

    name = "temperature-without-sampling"
    written = json.loads((folders[name] / "generation_config.json").read_text())
    assert written["temperature"] == 0.6 and "do_sample" not in written
    with pytest.raises(ValueError, match="do_sample"):
        GenerationConfig.from_pretrained(folders[name], local_files_only=True).save_pretrained(tmp_path)


def test_transformers_builds_another_tokenizer_by_the_class_that_a_config_names(folders):
    ask = [{"role": "user", "content": "hello"}]
    built, back = by_name("tinyllama").tokenizer(), read(folders["tinyllama"])
    assert built.tokenize("</s>Paris") == ["</s>", "▁Paris"]
    assert back.tokenize("</s>Paris") == ["</s>", "Paris"]
    assert back.apply_chat_template(ask, tokenize=False) == built.apply_chat_template(ask, tokenize=False)
    wrong = read(folders["wrong-class"])
    assert wrong.decode(wrong("yes\nno", add_special_tokens=False)["input_ids"]) == "yesno"


def test_weights_are_the_same_each_time_and_the_generator_of_the_caller_is_left_alone(folders, tmp_path):
    import torch

    state = torch.get_rng_state()
    folder = write_model(by_name("gemma-2"), tmp_path / "again")
    assert torch.equal(torch.get_rng_state(), state)
    assert (folder / "model.safetensors").read_bytes() == (folders["gemma-2"] / "model.safetensors").read_bytes()
