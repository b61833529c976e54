"""What a server replied, read as a stranger's text: whatever is not as it was asked for is told, nothing is guessed."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from selfreward.backends.base import Completion, NotScored, OptionScore
from selfreward.backends.server_budget import Used
from selfreward.errors import SelfrewardError
from selfreward.thought import split_thought

TOP = 20
"""The most likely tokens that servers list at most."""
_ABSENT = -9999
"""What servers write for a probability of zero or outside of the list."""
_THOUGHT_FIELDS = ("reasoning_content", "reasoning")


class BadReply(SelfrewardError):
    """A reply that cannot be used; `again` says that another may be better."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        """The reason is one line."""
        super().__init__(reason)
        self.again = again


def body_of(content: bytes) -> dict[str, Any]:
    """The object that a reply is. Raises BadReply where it is none."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadReply("the reply is no JSON", again=True) from error
    if not isinstance(body, dict):
        raise BadReply("the reply is no JSON object", again=True)
    return body


def used_in(body: dict[str, Any]) -> Used:
    """The tokens that a reply says it took. Raises BadReply where it does not say."""
    usage = body.get("usage")
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")] if isinstance(usage, dict) else []
    told = [one for one in counts if isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 2**31]
    if len(told) != 2:
        raise BadReply("the reply tells no usage: prompt_tokens and completion_tokens are wanted of every reply")
    return Used(*told)


def completion_in(
    body: dict[str, Any], used: Used, limit: int, length_name: str, pattern: str | None
) -> Completion | NotScored:
    """The one answer of a reply. Raises BadReply where there is not exactly one, or a setting was ignored."""
    choice = _choice(body)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise BadReply("the reply has no message", again=True)
    finish, text = choice.get("finish_reason"), _text(message, "content")
    refusal = _text(message, "refusal")
    if finish == "content_filter" or refusal:
        return NotScored(outcome="refused", reason=refusal or "the server's filter took the reply out")
    if finish not in ("stop", "length"):
        raise BadReply(f"the reply ended with finish_reason {str(finish)[:40]!r}", again=True)
    if used.completion > limit:
        other = "max_tokens" if length_name == "max_completion_tokens" else "max_completion_tokens"
        raise BadReply(
            f"the server ignored {length_name}={limit} (the reply has {used.completion} tokens): set "
            f"judge.backend.length_name={other}"
        )
    if pattern is not None and finish == "stop" and not re.fullmatch(pattern, text):
        raise BadReply(
            "the server ignored the pattern that was to hold the reply: set judge.backend.patterns=none and "
            "judge.constrained=false"
        )
    thought = next((told for name in _THOUGHT_FIELDS if (told := _text(message, name))), None)
    if thought is not None:  # the server has taken its markers off
        thought = f"<think>{thought}</think>\n"
    else:
        thought, text = split_thought(text)
    return Completion(
        text=text,
        finish=finish,
        tokens=used.completion,
        token_logprobs=None,
        prompt_tokens=used.prompt,
        thought=thought,
    )


def option_score_in(
    body: dict[str, Any], used: Used, options: Sequence[str], ids: Sequence[int] | None
) -> OptionScore | NotScored:
    """The log-probability of each option as first token: of its token in `ids`, else of its text in the list.

    Unparsed where an option is missing in the list. Raises BadReply where the server gave no list, or not by token.
    """
    listed = _first_logprobs(_choice(body))
    names = options if ids is None else [f"token_id:{one}" for one in ids]
    missing = [option for option, name in zip(options, names, strict=True) if name not in listed]
    if missing and ids is not None:
        raise BadReply(
            "the server ignored logprob_token_ids, by which it was asked for the options: set "
            "judge.backend.options=top_logprobs"
        )
    if missing:
        told = f"not among the {len(listed)} likeliest first tokens: {', '.join(map(repr, missing))}"
        return NotScored(outcome="unparsed", reason=told)
    return OptionScore(logprobs=tuple(listed[name] for name in names), prompt_tokens=used.prompt)


def _choice(body: dict[str, Any]) -> dict[str, Any]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadReply("the reply holds no choice", again=True)
    if len(choices) > 1:
        raise BadReply(f"the reply holds {len(choices)} choices where 1 was asked for")
    return choices[0]


def _first_logprobs(choice: dict[str, Any]) -> dict[str, float]:
    """By token, the log-probabilities listed for the first token of an answer; the likelier of two of one name."""
    try:
        listed = choice["logprobs"]["content"][0]["top_logprobs"]
        found = [(one["token"], one["logprob"]) for one in listed]
    except (KeyError, IndexError, TypeError) as error:
        raise BadReply(
            "the server gave no log-probabilities, for which it was asked: set judge.backend.options=none and "
            "judge.method=sampled"
        ) from error
    logprobs: dict[str, float] = {}
    for token, logprob in found:
        if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
            raise BadReply("the log-probabilities are no numbers", again=True)
        if math.isfinite(logprob) and _ABSENT < logprob <= 1e-3:
            logprobs[token] = max(min(float(logprob), 0.0), logprobs.get(token, -math.inf))
    return logprobs


def _text(message: dict[str, Any], name: str) -> str:
    """A text of a message, empty where there is none; halves of surrogate pairs, which no file takes, are replaced."""
    text = message.get(name)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(text, str) else ""
