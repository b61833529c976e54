"""A random llama of a few thousand weights with its own tokenizer, for tests of what is computed with a model."""

from collections.abc import Sequence
from pathlib import Path

from selfreward.policies import Policy
from selfreward.records import Example, Message, PreferencePair

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONTEXT = 128


def make_tiny_policy(folder: Path, layers: int = 3, extra_stops: Sequence[int] = (), head_size: int = 8) -> Policy:
    """A llama with `layers` layers, hidden size 32 and a byte-level vocabulary, written to `folder`.

    It stops at `<|im_end|>`, which random weights seldom draw, and at `extra_stops`.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        head_dim=head_size,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=end,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    # A penalty that the author of a model might ship: it must change nothing here.
    model.generation_config.repetition_penalty = 3.0
    model.generation_config.eos_token_id = [end, *extra_stops]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Policy(path=folder, key="tiny", digest="tiny")


def make_tiny_base(folder: Path, *, tied: bool, padding: int = 0, layers: int = 2, vocabulary: Sequence[str] = ()):
    """A random llama as it comes from pretraining: no chat template, and one control token, which ends a document.

    `padding` rows of its embeddings belong to no token; `vocabulary` are more control tokens that it has.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={symbol: index for index, symbol in enumerate(symbols)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|endoftext|>", extra_special_tokens=[*vocabulary]
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer) + padding,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=tied,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def held(backend):
    """The model of an HfBackend that holds it in this process."""
    backend._ask_facts()
    return backend._held.model


def make_tokenizer():
    """Bytes as tokens, two merges, and the control tokens of ChatML."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: index for index, symbol in enumerate([*symbols, "he", "ll"])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[("h", "e"), ("l", "l")]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def make_chat():
    """The chat of `make_tokenizer`, as it is settled for the folder of a policy."""
    from selfreward.backends.chat import open_chat
    from selfreward.backends.rendering import ChatSpec
    from selfreward.backends.template_probe import resolve_rendering

    tokenizer = make_tokenizer()
    return open_chat(tokenizer, resolve_rendering(tokenizer, ChatSpec(), ["<|im_end|>"]))


def completion(text: str, ended: bool = True) -> list[int]:
    """Tokens of an answer under `make_chat`."""
    from selfreward.backends.chat import answer_tokens

    return answer_tokens(make_chat(), text, ended=ended).completion


def ask(question: str) -> tuple[Message, ...]:
    return (Message(role="user", content=question),)


def make_example(number: int, text: str = "hello you", question: str = "what is it") -> Example:
    return Example(
        id=str(number),
        prompt_id=str(number),
        messages=ask(f"{question} {number}"),
        text=text,
        origin="self",
        stratum="closed",
        tokens=0,
        score=None,
        candidate_id=None,
        iteration=0,
    )


def make_pair(number: int, chosen: str = "hello you", rejected: str = "no way out") -> PreferencePair:
    return PreferencePair(
        id=str(number),
        prompt_id=str(number),
        messages=ask(f"what is it {number}"),
        chosen=chosen,
        rejected=rejected,
        origin="self",
        stratum="closed",
        chosen_tokens=0,
        rejected_tokens=0,
        margin=1.0,
        chosen_id=None,
        rejected_id=None,
        iteration=0,
    )


def read_rows(folder: Path):
    """The rows of the embeddings in a folder, by name: those that tokens are read by and, if untied, written by."""
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    return {name: weights[name] for name in ("model.embed_tokens.weight", "lm_head.weight") if name in weights}
