"""Texts as vectors, for distances between answers.

An `Embedder` turns N texts into an (N, D) array. `embed_hashing` needs no model and sees spelling only;
`embed_minilm` sees meaning. Distances under one are not comparable with distances under the other.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfreward.backends.model_loading import quiet
from selfreward.metrics.estimators import words

Embedder = Callable[[Sequence[str]], NDArray[np.float64]]
Vectors = Mapping[str, NDArray[np.float64]]
"""By text, its vector."""
Texts = Mapping[str, Sequence[str]]
"""By prompt, the answers to it."""

_HASH_DIMS = 256
_MINILM_DIMS = 384
_MINILM_TOKENS = 256
_BATCH = 64


def embed_once(groups: Iterable[Sequence[str]], embed: Embedder) -> Vectors:
    """The vector of every text; a narrow policy repeats itself, and no text is embedded twice."""
    distinct = list(dict.fromkeys(text for group in groups for text in group))
    return dict(zip(distinct, embed(distinct), strict=True))


def stacked(texts: Sequence[str], vectors: Vectors) -> NDArray[np.float64]:
    """The vectors of `texts`, as (N, D) rows."""
    return np.array([vectors[text] for text in texts])


def embed_hashing(texts: Sequence[str]) -> NDArray[np.float64]:
    """Hashed counts of character 3-grams, as (N, 256) rows of length 1 (all zeros for a text without words).

    Each word is padded with one space on either side and no 3-gram crosses two words. Cosines lie in [0, 1]; shared
    buckets push those of unrelated long texts up. Source: the hashing trick of Weinberger et al. 2009, unsigned.
    """
    counts_ND = np.zeros((len(texts), _HASH_DIMS))
    for row_D, text in zip(counts_ND, texts, strict=True):
        for word in words(text):
            padded = f" {word} "
            for start in range(len(padded) - 2):
                row_D[zlib.crc32(padded[start : start + 3].encode()) % _HASH_DIMS] += 1
    norms_N1 = np.linalg.norm(counts_ND, axis=1, keepdims=True)
    return np.asarray(counts_ND / np.where(norms_N1 > 0, norms_N1, 1))


def embed_minilm(texts: Sequence[str], folder: Path) -> NDArray[np.float64]:
    """Sentence vectors of the all-MiniLM-L6-v2 model in `folder`, as (N, 384) rows of length 1.

    Formula: the mean of the last hidden states over the attention mask, L2 normalised. Text beyond 256 tokens is cut
    off. An empty text is two special tokens, so its vector is not zero. Source: Reimers and Gurevych 2019.
    """
    if not texts:
        return np.zeros((0, _MINILM_DIMS))
    import torch
    from transformers import AutoModel, AutoTokenizer

    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    # Texts of like length share a batch, so that little of it is padding.
    order_N = np.argsort([len(text) for text in texts], kind="stable")
    batches = []
    with torch.inference_mode():
        for start in range(0, len(texts), _BATCH):
            batch = [texts[index] for index in order_N[start : start + _BATCH]]
            inputs = tokenizer(batch, padding=True, truncation=True, max_length=_MINILM_TOKENS, return_tensors="pt")
            hidden_NLD = model(**inputs).last_hidden_state
            mask_NL1 = inputs["attention_mask"].unsqueeze(-1)
            means_ND = (hidden_NLD * mask_NL1).sum(dim=1) / mask_NL1.sum(dim=1)
            batches.append(torch.nn.functional.normalize(means_ND, dim=1).numpy().astype(np.float64))
    return np.concatenate(batches)[np.argsort(order_N)]
