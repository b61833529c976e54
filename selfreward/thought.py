"""A reply apart from what its model thought before it: the one reading of the markers of reasoning models.

Each model family has markers of its own, and the usual ones are listed here. What a reply says after its thought is its
answer, and that alone is compared, judged and measured as the answer.
"""

import re

_IN_ANY_CASE = tuple((f"<{name}>", f"</{name}>") for name in ("think", "thinking", "thought", "reasoning"))
_FINAL = "<|channel|>final<|message|>"
_AS_WRITTEN = (
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>", "<channel|>"),
    ("<|channel|>analysis", _FINAL),
    ("<|channel|>commentary", _FINAL),
    ("<|start|>assistant<|channel|>", _FINAL),
)
_LOWER = {ord(letter): ord(letter.lower()) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_SPACE = re.compile(r"\s*")
_BEHIND = re.compile(r"\s*(?:<\|START_RESPONSE\|>\s*)?")
# What is left of channels where a tokenizer's decoder has skipped its special tokens.
_BARE_CHANNEL = re.compile(r"\s*(?:analysis|commentary)")
_BARE_FINAL = "assistantfinal"

_CLOSED_BY = {
    "<think>": "\n</think>\n\n",
    "<thinking>": "\n</thinking>\n\n",
    "<thought>": "\n</thought>\n\n",
    "<reasoning>": "\n</reasoning>\n\n",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|><|START_RESPONSE|>",
}
"""What closes a thought that nothing was thought in, by what opened it."""

Marker = tuple[str, str, str]
"""A text to search in, an opening marker and its closing one."""


MARKS = frozenset(
    {
        *(mark for pair in _IN_ANY_CASE for mark in pair),
        *("[THINK]", "[/THINK]", "<seed:think>", "</seed:think>"),
        *("<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|channel>", "<channel|>"),
    }
)
"""What stands around thoughts and nowhere else; a tokenizer may have a control token for each."""

_CHANNEL_MARKS = frozenset({"<|channel|>", "<|message|>", "<|start|>", "<|end|>"})


def marks_in(thought: str) -> frozenset[str]:
    """The marks that are no text of `thought`: those of channels too where it is told in channels."""
    return MARKS | _CHANNEL_MARKS if "<|channel|>" in thought else MARKS


def split_thought(text: str, *, open: bool = False) -> tuple[str | None, str]:
    """The beginning of `text` that is thought, None where there is none, and the answer behind it.

    The markers belong to the thought, and so does white space before and behind them: the two parts, one after the
    other, are `text` to the letter. `open` says that the prompt has opened a thought already.

    - An opening marker counts where the text, or what follows another thought, begins with it. The first marker that
      closes it ends the thought; without one, everything is thought and the answer is empty.
    - A closing marker counts too where none of its kind was opened before it, for then the prompt opened the thought:
      the last such marker ends it. A marker that the answer mentions counts for nothing.
    - With `open`, the first closing marker of any kind ends the thought; without one, everything is thought.
    - Of a reply in channels, everything before the final one is thought.
    """
    end = _end_of_bare_channels(text)
    if end is None:
        end = _end_of_thought(text, open)
    return (text[:end], text[end:]) if end else (None, text)


def answer_of(text: str) -> str:
    """What `text` says apart from a thought before it, without white space at the ends where there is a thought."""
    thought, answer = split_thought(text)
    return answer if thought is None else answer.strip()


def estimated_answer_tokens(tokens: int, thought: str | None, text: str) -> int:
    """How many of a reply's `tokens` belong to its answer `text`, by the share of its characters: an estimate.

    All of them where there is no thought. A thought may have more or fewer characters a token than its answer.
    """
    return tokens if not thought else tokens - round(tokens * len(thought) / len(thought + text))


def closing_of(prompt: str) -> str | None:
    """What closes the thought that `prompt` ends in the opening marker of; None where it ends in none."""
    opening = _opened_by(prompt)
    if opening is None:
        return None
    closing = _CLOSED_BY[opening]
    # Some write no line breaks around a thought.
    return closing.strip() if prompt.endswith(opening) else closing


def behind(prompt: str, thought: str) -> str:
    """`thought` without the opening marker that `prompt` ends in already."""
    opening = _opened_by(prompt)
    if opening is None or not thought.lstrip().startswith(opening):
        return thought
    return thought.lstrip().removeprefix(opening).removeprefix("\n")


def _opened_by(prompt: str) -> str | None:
    return next((opening for opening in _CLOSED_BY if prompt.rstrip().endswith(opening)), None)


def _end_of_thought(text: str, open: bool) -> int:
    """Where the answer begins; 0 where nothing is thought."""
    markers = _markers(text)
    start = _end_of_open(text, markers) if open else 0
    end = _end_of_blocks(text, markers, start)
    lone = max(_end_of_lone(text, marker, end) for marker in markers)
    return _end_of_blocks(text, markers, lone) if lone else end


def _markers(text: str) -> list[Marker]:
    # str.lower() may change the length of other letters, and places with it.
    lowered = text.translate(_LOWER)
    return [(lowered, *pair) for pair in _IN_ANY_CASE] + [(text, *pair) for pair in _AS_WRITTEN]


def _end_of_open(text: str, markers: list[Marker]) -> int:
    """The end of a thought that the prompt opened."""
    found = [(place, closing) for within, _, closing in markers if (place := within.find(closing)) >= 0]
    if not found:
        return len(text)
    place, closing = min(found)
    return _behind(text, place + len(closing))


def _end_of_blocks(text: str, markers: list[Marker], start: int) -> int:
    """The end of all thoughts that stand one after the other from `start` on; `start` where none does."""
    while True:
        place = _match_end(_SPACE, text, start)
        opened = next((marker for marker in markers if marker[0].startswith(marker[1], place)), None)
        if opened is None:
            return start
        within, _, closing = opened
        end = within.find(closing, place)
        if end < 0:
            return len(text)
        start = _behind(text, end + len(closing))


def _end_of_lone(text: str, marker: Marker, start: int) -> int:
    """Behind the last closing marker from `start` on that has no opening one before it; 0 where there is none."""
    within, opening, closing = marker
    opened = within.find(opening, start)
    end = within.rfind(closing, start, len(text) if opened < 0 else opened)
    return 0 if end < 0 else _behind(text, end + len(closing))


def _end_of_bare_channels(text: str) -> int | None:
    if _BARE_CHANNEL.match(text) is None or (place := text.find(_BARE_FINAL)) < 0:
        return None
    return _match_end(_SPACE, text, place + len(_BARE_FINAL))


def _behind(text: str, end: int) -> int:
    """Behind a closing marker, and what may follow it before the answer."""
    return _match_end(_BEHIND, text, end)


def _match_end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    assert found is not None, "the pattern matches nothing too"
    return found.end()
