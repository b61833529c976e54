"""A reply apart from what its model thought before it: the one reading of the markers of reasoning models.

Each model family has markers of its own, and the usual ones are listed here. What a reply says after its thought is its
answer, and that alone is compared, judged and measured as the answer.
"""

import re

_IN_ANY_CASE = tuple((f"<{name}>", f"</{name}>") for name in ("think", "thinking", "thought", "reasoning"))
_AS_WRITTEN = (
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>", "<channel|>"),
)
_CHANNELS = ("<|channel|>analysis", "<|channel|>commentary", "<|start|>assistant<|channel|>")
_FINAL = "<|channel|>final<|message|>"
_SPACE = re.compile(r"\s*")
_BEHIND = r"\s*(?:<\|START_RESPONSE\|>\s*)?"
# What is left of channels where a tokenizer's decoder has skipped its special tokens.
_BARE_CHANNEL = re.compile(r"\s*(?:analysis|commentary)")
_BARE_FINAL = re.compile(r"assistantfinal\s*")


def _patterns(opening: str, closing: str, flags: str = "") -> tuple[re.Pattern[str], re.Pattern[str]]:
    # The flags are those of a marker alone: white space behind it is that of all scripts.
    begins, ends = (f"(?{flags}:{re.escape(marker)})" for marker in (opening, closing))
    return re.compile(begins), re.compile(ends + _BEHIND)


_MARKERS = [
    *(_patterns(*pair, "ai") for pair in _IN_ANY_CASE),
    *(_patterns(*pair) for pair in _AS_WRITTEN),
    *(_patterns(opening, _FINAL) for opening in _CHANNELS),
]
"""What opens a thought, and what closes it with all that may follow before the answer."""

_CLOSED_BY = {
    **{opening: f"\n{closing}\n\n" for opening, closing in _IN_ANY_CASE},
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|><|START_RESPONSE|>",
}
"""What closes a thought that nothing was thought in, by what opened it."""

MARKS = frozenset({"<|START_RESPONSE|>", *(mark for pair in (*_IN_ANY_CASE, *_AS_WRITTEN) for mark in pair)})
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
    bare = _BARE_FINAL.search(text) if _BARE_CHANNEL.match(text) else None
    end = _end_of_thought(text, open) if bare is None else bare.end()
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
    start = 0
    if open:
        closed = [found for _, closing in _MARKERS if (found := closing.search(text)) is not None]
        if not closed:
            return len(text)
        start = min(closed, key=re.Match.start).end()
    end = _end_of_blocks(text, start)
    lone = max(_end_of_lone(text, opening, closing, end) for opening, closing in _MARKERS)
    return _end_of_blocks(text, lone) if lone else end


def _end_of_blocks(text: str, start: int) -> int:
    """The end of all thoughts that stand one after the other from `start` on; `start` where none does."""
    while True:
        space = _SPACE.match(text, start)
        place = start if space is None else space.end()
        closing = next((closing for opening, closing in _MARKERS if opening.match(text, place)), None)
        if closing is None:
            return start
        found = closing.search(text, place)
        if found is None:
            return len(text)
        start = found.end()


def _end_of_lone(text: str, opening: re.Pattern[str], closing: re.Pattern[str], start: int) -> int:
    """Behind the last closing marker from `start` on that has no opening one before it; 0 where there is none."""
    opened = opening.search(text, start)
    ends = [found.end() for found in closing.finditer(text, start, len(text) if opened is None else opened.start())]
    return ends[-1] if ends else 0
