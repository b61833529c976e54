"""What revising an answer leaves behind: each critique and revision, and the candidate that the last revision is."""

from dataclasses import dataclass
from typing import Literal, get_args

from selfreward.records import Candidate, Usage

RevisionOutcome = Literal["revised", "unchanged", "empty", "refused", "cut", "escaped", "failed"]
OUTCOMES: tuple[RevisionOutcome, ...] = get_args(RevisionOutcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisedCandidate(Candidate):
    """A candidate that may be a revision: `revises` is the id of the one it revises, None of one that was drawn.

    A revision has the index of its original and no log-probability: its own was drawn behind another prompt. Its tokens
    are those that the tokenizer of the trained policy gives its text.
    """

    revises: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One critique of an answer by a principle, and the revision that it led to.

    `answer` is what was criticised: the text of the candidate `original_id`, or what an earlier round made of it.
    `principle` names it as `Constitution.names` does. `critique` and `revision` are what stands between the tags of the
    replies, None where nothing could be read; where there is no critique, no revision was asked for, and
    `revision_reply` is None.

    `outcome` is `revised`; `unchanged`, where the revision says what it should revise; or what ended the attempt, in
    the critique if that is None: a reply that is `empty`, `refused`, `cut` by the token limit (or kept out of the
    context by its length), `escaped` (it is not all between its tags, or has tags within) or `failed` (the engine gave
    none).
    """

    prompt_id: str
    original_id: str
    index: int
    round: int
    principle: str
    policy_key: str
    policy_digest: str
    critique_seed: int
    revision_seed: int
    answer: str
    critique: str | None
    revision: str | None
    critique_reply: str
    revision_reply: str | None
    outcome: RevisionOutcome
    usage: Usage


def original_of(candidate: Candidate) -> str | None:
    """The id of the candidate that this one revises; None of one that was drawn."""
    return candidate.revises if isinstance(candidate, RevisedCandidate) else None


def place_of(candidate: Candidate) -> tuple[int, bool]:
    """The order of the candidates of a prompt: by index, each drawn one before its revision."""
    return candidate.index, original_of(candidate) is not None


def called(candidate: Candidate) -> str:
    """How a candidate is called among those of its prompt: `#2`, its revision `#2 revised`."""
    return f"#{candidate.index}{'' if original_of(candidate) is None else ' revised'}"


def texts_of(one: Revision) -> list[tuple[str, str]]:
    """What was said in an attempt, each text with its name: an answer that another attempt revised, and both replies.

    Of a reply the text between its tags, or all of it where that could not be read.
    """
    texts = [("answer criticised", one.answer)] if one.round else []
    texts.append(("critique", one.critique_reply if one.critique is None else one.critique))
    if one.revision_reply is not None:
        texts.append(("revision", one.revision_reply if one.revision is None else one.revision))
    return texts
