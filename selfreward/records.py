"""What flows through the loop: frozen rows whose ids come from their content, never from row order."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json.encoder import JSONEncoder
from typing import Literal

Role = Literal["system", "user", "assistant"]
Stratum = Literal["closed", "open"]
STRATA: tuple[Stratum, ...] = ("closed", "open")
Match = Literal["exact", "numeric", "regex", "set", "math"]
Finish = Literal["stop", "length"]
Origin = Literal["self", "human", "meta"]
Outcome = Literal["scored", "unparsed", "refused", "truncated", "failed"]
Verdict = Literal["first", "second", "tie"]
SWAPPED: Mapping[Verdict, Verdict] = {"first": "second", "second": "first", "tie": "tie"}
"""What a verdict is called when the two answers change places."""

_encode = JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def digest_of(*parts: object) -> str:
    """The first 16 hex digits of the SHA-256 of `parts` in canonical JSON."""
    return hashlib.sha256(_encode(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A conversation to answer. `closed` prompts have one short right answer, `open` ones do not.

    `references` are accepted answers (closed) or human answers (open); `match` is how an answer is compared, if at all.
    """

    id: str
    messages: tuple[Message, ...]
    stratum: Stratum
    source: str
    references: tuple[str, ...]
    match: Match | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPrompt(Prompt):
    """A prompt and the further columns of its row that were asked for, a JSON object; None where none were."""

    columns: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutPrompt(Prompt):
    """A held-out prompt and the name of its set; None where the held-out prompts are one set without a name."""

    set_name: str | None = None


def prompt_type(prompts: Sequence[object]) -> type[Prompt]:
    """What a table of `prompts`, or of those that begin so, is written as.

    HeldOutPrompt where sets have names, RowPrompt where columns were asked for, else Prompt.
    """
    if prompts and isinstance(prompts[0], HeldOutPrompt):
        return HeldOutPrompt
    columns = (one.columns for one in prompts if isinstance(one, RowPrompt))
    return Prompt if next(columns, None) is None else RowPrompt


def make_prompt(
    asked: str | Sequence[Message],
    *,
    system: str,
    stratum: Stratum,
    source: str,
    references: tuple[str, ...] = (),
    match: Match | None = None,
) -> Prompt:
    """A prompt that asks a question, or all turns of a conversation; its id is the digest of its messages.

    `system` goes first unless the turns bring their own; an empty one adds no turn.
    """
    turns = [Message(role="user", content=asked)] if isinstance(asked, str) else list(asked)
    if system and turns[0].role != "system":
        turns.insert(0, Message(role="system", content=system))
    return Prompt(
        id=digest_of("prompt", [(turn.role, turn.content) for turn in turns]),
        messages=tuple(turns),
        stratum=stratum,
        source=source,
        references=references,
        match=match,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One sampled answer.

    `text` is the answer alone; `thought` is what the policy thought before it, markers included, None where it did not.
    `tokens` counts those of both, and the end-of-turn token where the answer ended by itself (`finish == "stop"`).
    `logprob` is their summed log-probability in nats under the policy itself: at temperature 1, without truncation. It
    is None where the engine does not tell it, or where the answer was drawn behind another prompt.
    `respelled` says that thought and text are scored and trained by other tokens, those they have when read back.
    """

    id: str
    prompt_id: str
    index: int
    text: str
    text_hash: str
    finish: Finish
    tokens: int
    logprob: float | None
    policy_key: str
    policy_digest: str
    seed: int
    thought: str | None = None
    respelled: bool = False


def undrawn(candidate_id: str, prompt_id: str, index: int, text: str, seed: int = 0) -> Candidate:
    """A text to be judged as a candidate although no policy drew it: it has no tokens and names no policy."""
    return Candidate(
        id=candidate_id,
        prompt_id=prompt_id,
        index=index,
        text=text,
        text_hash=digest_of(text),
        finish="stop",
        tokens=0,
        logprob=None,
        policy_key="",
        policy_digest="",
        seed=seed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens a judgment cost; a reused log-probability costs none."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """One verdict on one candidate, or on several in the given order.

    A missing verdict is a value: `score` and `verdict` are refused unless `outcome == "scored"`.
    """

    prompt_id: str
    candidate_ids: tuple[str, ...]
    order: tuple[int, ...]
    judge: str
    rubric: str | None = None
    dimension: str | None = None
    principle: str | None = None
    repeat: int = 0
    outcome: Outcome
    score: float | None = None
    verdict: Verdict | None = None
    raw: str
    usage: Usage

    def __post_init__(self) -> None:
        has_verdict = self.score is not None or self.verdict is not None
        if has_verdict != (self.outcome == "scored"):
            raise ValueError(f"outcome {self.outcome!r} with score {self.score!r} and verdict {self.verdict!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One conversation to train on. `tokens` counts those of `thought` and the answer `text`, end of turn included."""

    id: str
    prompt_id: str
    messages: tuple[Message, ...]
    text: str
    origin: Origin
    stratum: Stratum
    tokens: int
    score: float | None = None
    candidate_id: str | None = None
    iteration: int | None = None
    thought: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlabelledPair:
    """Two answers to one prompt, the first preferred. Tokens and thoughts as in `Example`.

    `margin` is how much better the chosen one is, in the judge's (or the raters') own unit; None where nobody said.
    With origin `self`, the ids are those of the candidates; with `human`, `chosen_id` is that of the human example, if
    there is one, and `rejected` is a person's too unless `rejected_id` names a candidate. With `meta`, two judgments of
    one candidate are compared: `messages` are what the judge was asked, both ids are that of the candidate, and
    `prompt_id` is that of its prompt.
    """

    id: str
    prompt_id: str
    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    origin: Origin
    stratum: Stratum
    chosen_tokens: int
    rejected_tokens: int
    margin: float | None
    chosen_id: str | None = None
    rejected_id: str | None = None
    iteration: int | None = None
    chosen_thought: str | None = None
    rejected_thought: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePair(UnlabelledPair):
    """A pair, and its `label`: the probability that the chosen answer is the better one, None for a plain verdict.

    A table of pairs of which none has a label is written as UnlabelledPair (`row_kinds.written_as`).
    """

    label: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """An answer that is right or wanted, or is not (`desirable`); nothing says what stands against it.

    The rest is as in `Example`.
    """

    id: str
    prompt_id: str
    messages: tuple[Message, ...]
    text: str
    desirable: bool
    origin: Origin
    stratum: Stratum
    tokens: int
    score: float | None = None
    candidate_id: str | None = None
    iteration: int | None = None
    thought: str | None = None


TrainingRow = Example | PreferencePair | Feedback


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldPair:
    """A prompt with two answers of which most people prefer the right one, kept out of all training.

    `verdicts` holds one verdict a person, `first` for the right answer, each person in the same place on every pair
    where that is known. An author is the model or person that wrote an answer, None where nobody said.
    """

    id: str
    messages: tuple[Message, ...]
    right: str
    wrong: str
    source: str
    verdicts: tuple[Verdict, ...] = ("first",)
    right_author: str | None = None
    wrong_author: str | None = None

    def __post_init__(self) -> None:
        if majority(self.verdicts) != "first":
            raise ValueError(f"verdicts {self.verdicts} of a gold pair, most of which are not for its right answer")


def spoken(messages: Sequence[Message]) -> str:
    """Turns as one text: one alone as it is, several each behind who spoke."""
    if len(messages) == 1:
        return messages[0].content
    return "\n\n".join(f"{message.role.capitalize()}: {message.content}" for message in messages)


def majority(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict that more people gave than any other; None where two share that place, or nobody spoke."""
    ranked = Counter(verdicts).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]
