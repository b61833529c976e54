"""Texts whose meaning is known: concepts that can be said in three words each, and an embedder that knows them.

An answer says one of its prompt's meanings, a fixed run of concepts, with concepts of the prompt mixed in. A token is
a word, and its log-probability is that of the model that made the text.

Shape suffixes: P prompts, K meanings, D dims.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from selfreward.benchmarks.exact_loops import ANSWERS, Floats, Indices
from selfreward.metrics.estimators import words
from selfreward.metrics.matched_probe import ProbeAnswer

Answers = Mapping[str, Sequence[ProbeAnswer]]

_SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
_CONCEPT = 4
_FORMS = ("a", "en", "os")
_SHORTEST, _LONGEST = 10, 24
_OWN_CONCEPTS = 12
_OWN_SHARE = 0.15
_DIMS = 64


@dataclass(frozen=True, slots=True)
class Writer:
    """The concepts of each meaning of each prompt, and the prompt's own."""

    meanings: tuple[tuple[tuple[str, ...], ...], ...]
    own: tuple[tuple[str, ...], ...]


def make_writer(rng: np.random.Generator, prompts: int) -> Writer:
    """A writer for so many prompts."""
    return Writer(
        meanings=tuple(tuple(concepts(rng, _LONGEST) for _ in range(ANSWERS)) for _ in range(prompts)),
        own=tuple(concepts(rng, _OWN_CONCEPTS) for _ in range(prompts)),
    )


def texts_of(
    rng: np.random.Generator, writer: Writer, policy_PK: Floats, drawn_PM: Indices
) -> dict[str, list[ProbeAnswer]]:
    """An answer for each meaning drawn, by prompt, as likely as the policy makes it."""
    return {
        str(prompt): [
            _answer(rng, writer, prompt, index, meaning, float(policy_PK[prompt, meaning]))
            for index, meaning in enumerate(meanings)
        ]
        for prompt, meanings in enumerate(drawn_PM.tolist())
    }


def concepts(rng: np.random.Generator, count: int) -> tuple[str, ...]:
    """So many random concepts, each the beginning of its words."""
    first_N, second_N = rng.choice(_SYLLABLES, size=(2, count))
    return tuple(one + other for one, other in zip(first_N, second_N, strict=True))


def embed_concepts(texts: Sequence[str]) -> NDArray[np.float64]:
    """The mean over a text's words of a random direction for each concept, as rows of length 1."""
    return np.array([_vector(text) for text in texts])


def worded(rng: np.random.Generator, said: Sequence[str]) -> str:
    """Concepts as a text, each by one of its words."""
    return " ".join(concept + form for concept, form in zip(said, rng.choice(_FORMS, size=len(said)), strict=True))


def one_form(text: str) -> str:
    """The text with the first word for each of its concepts."""
    return " ".join(word[:_CONCEPT] + _FORMS[0] for word in words(text))


def _answer(
    rng: np.random.Generator, writer: Writer, prompt: int, index: int, meaning: int, mass: float
) -> ProbeAnswer:
    length = int(rng.integers(_SHORTEST, _LONGEST + 1))
    own = rng.choice(writer.own[prompt], size=length)
    said = np.where(rng.random(length) < _OWN_SHARE, own, writer.meanings[prompt][meaning][:length])
    choice = -math.log(len(_FORMS))
    return ProbeAnswer(
        prompt_id=str(prompt),
        index=index,
        text=worded(rng, said.tolist()),
        finish="stop",
        token_logprobs=(math.log(mass) + choice, *[choice] * (length - 1)),
    )


@cache
def _vector(text: str) -> NDArray[np.float64]:
    mean_D: NDArray[np.float64] = np.mean([_direction(word[:_CONCEPT]) for word in words(text)], axis=0)
    mean_D /= np.linalg.norm(mean_D)
    return mean_D


@cache
def _direction(concept: str) -> NDArray[np.float64]:
    return np.random.default_rng(zlib.crc32(concept.encode())).standard_normal(_DIMS)
