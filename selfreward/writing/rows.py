"""What is kept of every draft of a prompt: its text, where it came from, and which filter left it out."""

from dataclasses import dataclass
from typing import Literal, get_args

Filter = Literal["form", "language", "length", "near_duplicate", "overlap", "answerable"]
FILTERS: tuple[Filter, ...] = get_args(Filter)
"""The filters in their order; each sees what the ones before it let pass."""
Fate = Literal["kept", "over_budget", "form", "language", "length", "near_duplicate", "overlap", "answerable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPrompt:
    """One draft: a new prompt that is `kept`, or what was left out, by the filter whose name its `fate` is.

    `id` is that of the prompt which the text makes. `passed` are the filters that let it pass, in order; `why` is what
    the last one found: the fault of a form, the role in which a measured prompt asks the same, for `answerable` also
    `unread` where the writer did not say. `other_id` and `similarity` tell which prompt asks the same.
    `writer_key` and `writer_digest` name the policy that wrote it, from reply number `reply` of round `round`, drawn
    under `seed` behind the `examples`, which are ids of prompts; `reply_tokens` are those of the whole reply.
    """

    id: str
    text: str
    fate: Fate
    why: str | None
    passed: tuple[str, ...]
    other_id: str | None
    similarity: float | None
    examples: tuple[str, ...]
    writer_key: str
    writer_digest: str
    seed: int
    reply: int
    reply_tokens: int
    place: int
    round: int

    @property
    def asked_about(self) -> bool:
        """Whether it came to the last filter, so that what asks the same is a duplicate of it."""
        return self.fate in ("kept", "over_budget", "answerable")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPrompt:
    """A new prompt that some round kept, as an example for later ones."""

    id: str
    text: str
    round: int
