"""Models of a few thousand random weights, in folders as transformers writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.families.family import Family


def write_model(family: Family, folder: Path, *, layers: int = 2, context: int = 256) -> Path:
    """A random llama with the tokenizer and the template of `family`, written to `folder`, which is returned."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = family.tokenizer()
    rows = len(tokenizer) - family.unembedded
    ends = [tokenizer.convert_tokens_to_ids(token) for token in family.generation_eos]
    pad = tokenizer.pad_token_id
    config = LlamaConfig(
        vocab_size=rows,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=pad if pad is not None and pad < rows else None,
        dtype="float32",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = ends if len(ends) > 1 else next(iter(ends), None)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _amend(folder / "generation_config.json", family.generation)
    if family.tokenizer_class is not None:
        _amend(folder / "tokenizer_config.json", {"tokenizer_class": family.tokenizer_class})
    return folder


def _amend(path: Path, entries: Mapping[str, Any]) -> None:
    """Writes `entries` over those of a JSON file, unchecked."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}, indent=2) + "\n")
