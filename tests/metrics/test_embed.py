"""Embeddings: rows of length 1, the same in every process and in every batch."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.metrics.embed import embed_hashing, embed_minilm

CACHE = Path(os.environ.get("SELFREWARD_CACHE") or Path.home() / ".cache" / "selfreward")
MINILM = CACHE / "models" / "all-minilm-l6-v2"
TEXTS = ["the cat sat", "a cat", "the cat sat on the mat and the dog sat on the cat"]


def test_hashing_counts_trigrams_inside_padded_words() -> None:
    (row_D,) = embed_hashing(["Aa aa"])
    # " aa" and "aa ", twice each: two buckets of equal weight.
    assert sorted(row_D)[-3:] == pytest.approx([0, 0.5**0.5, 0.5**0.5])


@given(st.lists(st.text(max_size=20), max_size=4))
def test_hashing_gives_unit_rows_or_zeros(texts: list[str]) -> None:
    vectors_ND = embed_hashing(texts)
    assert vectors_ND.shape == (len(texts), 256)
    assert (vectors_ND >= 0).all()
    for norm in np.linalg.norm(vectors_ND, axis=1):
        assert norm == 0 or norm == pytest.approx(1)


def test_hashing_of_no_words_is_zero() -> None:
    assert not embed_hashing(["", " ?! "]).any()


def test_hashing_ignores_word_order_and_sees_spelling() -> None:
    same, moved, near, far = embed_hashing(["a walking bird", "bird a walking", "a walked bird", "some quiet fjord"])
    assert same @ moved == pytest.approx(1)
    assert same @ near > same @ far


def test_hashing_is_the_same_in_another_process() -> None:
    code = "from selfreward.metrics.embed import embed_hashing as e; print(e(['the cat sat'])[0].nonzero()[0].tolist())"
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert other.stdout.strip() == str(embed_hashing(["the cat sat"])[0].nonzero()[0].tolist())


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder shaped like the real model's, with random weights."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "a", "on", "mat", "and", "dog"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    tokens = {token: index for index, token in enumerate(vocabulary)}
    transformers.BertTokenizerFast(vocab=tokens).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def test_minilm_pooling_is_the_masked_mean(tiny_bert: Path) -> None:
    import torch
    from transformers import AutoModel

    with torch.inference_mode():
        hidden_LD = AutoModel.from_pretrained(tiny_bert).eval()(torch.tensor([[2, 5, 6, 7, 3]])).last_hidden_state[0]
    mean_D = hidden_LD.mean(dim=0)
    (row_D,) = embed_minilm(["The cat sat"], tiny_bert)
    assert row_D == pytest.approx((mean_D / mean_D.norm()).numpy(), abs=1e-5)


def test_minilm_rows_do_not_depend_on_the_batch(tiny_bert: Path) -> None:
    many = TEXTS * 30
    together_ND = embed_minilm(many, tiny_bert)
    alone_ND = np.concatenate([embed_minilm([text], tiny_bert) for text in TEXTS])
    assert together_ND == pytest.approx(np.tile(alone_ND, (30, 1)), abs=1e-5)
    assert np.linalg.norm(together_ND, axis=1) == pytest.approx(1, abs=1e-6)
    # Without real differences between the texts the comparison above would prove nothing.
    assert (alone_ND @ alone_ND.T)[0, 1] < 0.999


def test_minilm_cuts_long_texts(tiny_bert: Path) -> None:
    cut, longer = embed_minilm(["cat " * 254, "cat " * 254 + "dog"], tiny_bert)
    assert cut == pytest.approx(longer, abs=1e-5)


def test_minilm_of_nothing_is_an_empty_table(tiny_bert: Path) -> None:
    assert embed_minilm([], tiny_bert).shape == (0, 384)


@pytest.mark.model
@pytest.mark.skipif(not (MINILM / "config.json").is_file(), reason=f"no sentence model in {MINILM}")
def test_minilm_sees_meaning() -> None:
    texts = ["How do I bake bread?", "What is a good way to make a loaf?", "The stock market fell sharply today."]
    first_D, paraphrase_D, other_D = embed_minilm(texts, MINILM)
    assert first_D.shape == (384,)
    assert first_D @ paraphrase_D > 0.5 > 0.2 > first_D @ other_D
