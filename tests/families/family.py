"""What a test has to know of a family of models: how it writes a conversation, and how it cuts text into tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.families.tokens import Kind, make_core

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, kw_only=True)
class Family:
    """A chat template in the shape of a published one, a tokenizer of the same kind, and what is odd about the rest.

    `tokenizer()` builds the tokenizer anew, with the template set.
    """

    name: str
    # One template, several by name, or None for a base model.
    template: str | dict[str, str] | None
    # One sentence: what is special here.
    why: str

    # How text becomes tokens: see `tokens.Kind`.
    kind: Kind = "byte-level"
    # Added tokens whose entry in `added_tokens_decoder` says special=True, the named ones included.
    control: tuple[str, ...]
    # Added tokens whose entry says special=False.
    marks: tuple[str, ...] = ()
    # Control tokens that the special tokens map lists beside the named ones, so that `all_special_ids` has them.
    listed: tuple[str, ...] = ()
    # Added tokens that swallow the white space behind them.
    greedy: tuple[str, ...] = ()
    # The named tokens. A text that is encoded with special tokens begins with `bos`.
    bos: str | None = None
    eos: str | None
    pad: str | None = None

    # The class that tokenizer_config.json names where transformers would write another. By it transformers may build a
    # tokenizer of its own, so that the one read back from a folder is not the one that `tokenizer()` gives.
    tokenizer_class: str | None = None
    # The end tokens that generation_config.json names; () where it names none.
    generation_eos: tuple[str, ...] = ()
    # What else stands in generation_config.json, written as it is: transformers would refuse to save some of it.
    generation: Mapping[str, Any] = field(default_factory=dict)
    # How many of the tokenizer's last tokens have no row in the embeddings.
    unembedded: int = 0

    # The settings below `model.` that a user has to give; () where it works as it is.
    settings: tuple[str, ...] = ()
    # Why nothing can be done with this family as it comes; None where something can.
    refused: str | None = None
    # The token that ends an answer, whether or not the template writes it; None where there is no telling.
    end_of_turn: str | None
    # What the template writes between the generation prompt and the answer's first letter. "" also where the template
    # writes a finished answer without the thought that its generation prompt opens (R1, QwQ): the two texts part there.
    lead: str = ""
    # What the template writes between the answer's last letter and the end of turn.
    trail: str = ""
    # Whether the template writes a system turn somewhere; "merged" where it refuses or drops one.
    system: Literal["own", "merged"] = "own"
    # Whether the generation prompt ends inside a thought.
    opens_thought: bool = False
    # Whether the model is taught to think before it answers, unless told otherwise.
    thinks: bool = False
    # Whether the prompt changes with the clock, where the conversation has no system turn.
    prints_date: bool = False

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The tokenizer, built anew, with the chat template set."""
        from transformers import PreTrainedTokenizerFast

        core = make_core(self.kind, control=self.control, marks=self.marks, greedy=self.greedy, bos=self.bos)
        named = {"bos_token": self.bos, "eos_token": self.eos, "pad_token": self.pad}
        if self.kind != "byte-level":
            named["unk_token"] = "<unk>"
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=core,
            extra_special_tokens=list(self.listed),
            **{name: token for name, token in named.items() if token is not None},
        )
        tokenizer.chat_template = self.template
        return tokenizer
