"""Tiny tokenizers of the kinds that people bring: byte-level BPE, and the BPE of SentencePiece in three forms.

Each can write any text: the one has all bytes as tokens, the others fall back to bytes. A few words are tokens of their
own, with and without a space before them, so that it shows where a tokenizer puts spaces of its own.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# byte-level: bytes are letters, as in GPT-2, Llama 3 and Qwen; two line breaks are one token.
# legacy: SentencePiece as Llama 2 was first converted: a space before each stretch of text between control tokens.
# first: SentencePiece as it is converted now: a space before the text if it begins with text, and nowhere else.
# bare: SentencePiece without a space of its own, as Gemma; a line break is a token.
Kind = Literal["byte-level", "legacy", "first", "bare"]

WORDS = ("Paris", "Rome", "yes", "no", "hello", "user", "assistant", "system", "model")
SPACE = "▁"
# Line breaks stay with the spaces before them, and a word with the one space before it.
PIECES = r"\s*\n+| ?[^\s]+|\s+(?!\S)|\s+"


def make_core(
    kind: Kind, *, control: Sequence[str], marks: Sequence[str], greedy: Sequence[str], bos: str | None
) -> Tokenizer:
    """A tokenizer of `kind` with the added tokens `control` (special) and `marks` (not special)."""
    from tokenizers import AddedToken, processors

    core = _byte_level() if kind == "byte-level" else _sentencepiece(kind)
    unknown = () if kind == "byte-level" else ("<unk>",)
    for token in (*unknown, *control):
        core.add_special_tokens([AddedToken(token, special=True, normalized=False, rstrip=token in greedy)])
    for token in marks:
        core.add_tokens([AddedToken(token, special=False, normalized=False, rstrip=token in greedy)])
    if bos is not None:
        core.post_processor = processors.TemplateProcessing(
            single=[bos, "$A"],
            pair=[bos, "$A", bos, "$B:1"],
            special_tokens=[(bos, core.token_to_id(bos))],
        )
    return core


def _byte_level() -> Tokenizer:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    merges = [("Ċ", "Ċ"), *_merges("Ġ")]
    vocabulary = _numbered([*sorted(pre_tokenizers.ByteLevel.alphabet()), *map("".join, merges)])
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    return core


def _sentencepiece(kind: Kind) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    letters = [SPACE, *string.ascii_letters, *string.digits, *string.punctuation]
    if kind == "bare":
        letters.append("\n")
    merges = _merges(SPACE)
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters, *map("".join, merges)]
    core = Tokenizer(
        models.BPE(vocab=_numbered(pieces), merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    if kind == "legacy":
        core.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    elif kind == "first":
        core.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="first", split=False)
    else:
        core.normalizer = normalizers.Replace(" ", SPACE)
        core.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if kind != "bare":
        steps.append(decoders.Strip(content=" ", left=1, right=0))
    core.decoder = decoders.Sequence(steps)
    return core


def _merges(space: str) -> list[tuple[str, str]]:
    """Merges that build each word letter by letter, and then the word with a space before it."""
    grown = [(word[:end], word[end]) for word in WORDS for end in range(1, len(word))]
    return list(dict.fromkeys([*grown, *((space, word) for word in WORDS)]))


def _numbered(pieces: Iterable[str]) -> dict[str, int]:
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
