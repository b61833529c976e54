"""What a writer replied, as drafts of prompts: the texts that are found in it, and what is wrong with their form."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from selfreward.answers.refusal import refused
from selfreward.backends.base import Completion, Reply

_TAG = re.compile(r"<(/?)request>", re.IGNORECASE)
_NUMBERED = re.compile(r"^[ \t]*\d{1,3}[.):][ \t]+(.*)$", re.MULTILINE)
_SPEAKER = re.compile(r"^\s*(?:assistant|answer|response|output|reply|ai|bot)\s*:", re.IGNORECASE | re.MULTILINE)
_MARKUP = re.compile(r"</?(?:request|answer|response|assistant|user|system)\b|<\||\[/?INST\]", re.IGNORECASE)
_AROUND = re.compile(r"^(?:\*\*(.*)\*\*|\"([^\"]*)\"|“([^”]*)”)$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A text that may become a prompt, or a reply in which none is found; `fault` is what is wrong with its form.

    The faults of a reply: failed (the engine has none), empty, refused, unmarked, cut. Those of a text in it: empty,
    cut, unclosed, markup, dialogue (it brings its answer), garbled, wordless.
    """

    text: str
    fault: str | None


def listed(reply: Reply) -> list[Draft]:
    """The drafts in a reply to a request for several prompts: between tags, else the lines of a numbered list."""
    if not isinstance(reply, Completion):
        return [Draft(text=reply.reason, fault="failed")]
    found = list(_between_tags(reply)) or list(_in_a_list(reply))
    return found or [Draft(text=reply.text, fault=_why_none(reply))]


def alone(reply: Reply) -> list[Draft]:
    """The draft that a reply is as a whole."""
    if not isinstance(reply, Completion):
        return [Draft(text=reply.reason, fault="failed")]
    return [_draft(reply.text, cut=reply.finish == "length")]


def _between_tags(reply: Completion) -> Iterator[Draft]:
    tags = list(_TAG.finditer(reply.text))
    for place, tag in enumerate(tags):
        if tag[1]:
            continue
        after = tags[place + 1] if place + 1 < len(tags) else None
        text = reply.text[tag.end() : None if after is None else after.start()]
        if after is None:
            yield Draft(text=text.strip(), fault="cut" if reply.finish == "length" else "unclosed")
        elif not after[1]:
            yield Draft(text=text.strip(), fault="unclosed")
        else:
            yield _draft(text, cut=False)


def _in_a_list(reply: Completion) -> Iterator[Draft]:
    lines = list(_NUMBERED.finditer(reply.text))
    for line in lines:
        is_last = line.end() == len(reply.text)
        yield _draft(line[1], cut=is_last and reply.finish == "length")


def _why_none(reply: Completion) -> str:
    if not reply.text.strip():
        return "empty"
    if refused(reply.text):
        return "refused"
    return "cut" if reply.finish == "length" else "unmarked"


def _draft(given: str, *, cut: bool) -> Draft:
    text = given.strip()
    if (around := _AROUND.match(text)) is not None:
        text = next(one for one in around.groups() if one is not None).strip()
    return Draft(text=text, fault="cut" if cut else _fault(text))


def _fault(text: str) -> str | None:
    """What is wrong with the form of a whole text; None where nothing is."""
    if not text:
        return "empty"
    if _MARKUP.search(text):
        return "markup"
    if _SPEAKER.search(text):
        return "dialogue"
    if any(unicodedata.category(mark) in ("Cc", "Cs", "Co", "Cn") and mark not in "\n\t" for mark in text):
        return "garbled"
    if "\ufffd" in text:
        return "garbled"
    return None if any(mark.isalnum() for mark in text) else "wordless"
