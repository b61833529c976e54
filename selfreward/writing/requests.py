"""What a writer is asked in words: for new prompts behind examples, and whether one of them can be answered."""

import re
from collections.abc import Sequence

from selfreward.backends.base import Conversation
from selfreward.judges.prompting import OPENING
from selfreward.records import Message

_OPENS_TAG = re.compile(r"<(?=\s*/?\s*request)", re.IGNORECASE)
_VERDICT = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)


def request_for_prompts(examples: Sequence[str], count: int) -> Conversation:
    """The conversation that asks for `count` new prompts; no example can close its tags."""
    shown = "\n".join(_tagged(one) for one in examples)
    return _asked(
        "People send requests like these to an assistant that works with text alone:\n\n"
        f"{shown}\n\n"
        f"Write {count} new requests that other people might send. Each must make sense by itself and ask for "
        "something that none of the requests above asks for, nor another one of yours. Vary the topic, the kind of "
        "task and the length as those above do. Do not answer them. Put each one between <request> and </request>, "
        "and write nothing else."
    )


def request_for_verdict(prompt: str) -> Conversation:
    """The conversation that asks whether an assistant can answer `prompt` from its text."""
    return _asked(
        "Somebody sent this request to an assistant that can read and write text, and nothing else:\n\n"
        f"{_tagged(prompt)}\n\n"
        "Does the request hold all that is needed to answer it well, without a picture, a file, a link or anything "
        'else that is missing? Reply with the one word "yes" or "no".'
    )


def verdict_in(reply: str) -> bool | None:
    """Whether the reply says yes; None where it says neither yes nor no."""
    found = _VERDICT.match(reply)
    return None if found is None else found[1].casefold() == "yes"


def _tagged(text: str) -> str:
    harmless = _OPENS_TAG.sub(OPENING, text)
    return f"<request>\n{harmless}\n</request>"


def _asked(text: str) -> Conversation:
    return (Message(role="user", content=text),)
