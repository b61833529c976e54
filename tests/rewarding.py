"""Random reward models of a few thousand weights, for tests of what scores with one or trains one."""

from pathlib import Path

from tests.tiny import CONTEXT, make_tiny_policy


def make_tiny_reward_model(
    folder: Path, *, seed: int = 0, labels: int = 1, pad: int | None = -1, context: int = CONTEXT
) -> Path:
    """The llama of `make_tiny_policy` with a head of `labels` logits, drawn by `seed`.

    Its configuration names `pad`; -1 for the end of turn, as many published models do.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    source = make_tiny_policy(folder.with_name(f"{folder.name}-policy")).path
    tokenizer = AutoTokenizer.from_pretrained(source)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=labels, dtype=torch.float32)
    model.config.pad_token_id = tokenizer.pad_token_id if pad == -1 else pad
    model.config.max_position_embeddings = context
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
