"""A chat template at work: turns to text, with the date pinned, in a limited time, every refusal told in one line."""

import re
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from selfreward.backends.one_line import FOREIGN_ERRORS, plain
from selfreward.errors import BackendError, TemplateRefusal
from selfreward.spec import Json

Turn = Mapping[str, str]
Content = Literal["text", "parts"]
"""Whether a template reads the text of a turn as it is, or as a list of parts."""

SECONDS = 5
"""How long a template may compute for one conversation."""

TEMPLATES = {
    "chatml": (
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    ),
    "plain": (
        "{% if bos_token %}{{ bos_token }}{% endif %}"
        "{% for message in messages %}"
        "{{ message['role'] | capitalize + ': ' + message['content'] }}"
        "{{ eos_token + '\\n' if message['role'] == 'assistant' else '\\n\\n' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
    ),
}
"""Templates for models that bring none, written for this project; their names are values of `chat_template`.

`chatml` needs a model with the tokens `<|im_start|>` and `<|im_end|>`; `plain` names who speaks, and ends an answer
with the model's own end-of-text token.
"""

TOKENS = {"chatml": ("<|im_start|>", "<|im_end|>")}
"""The control tokens that a template of ours is written with, besides the model's own."""


def render(
    tokenizer: Any, turns: Sequence[Turn], kwargs: Mapping[str, Json], date: str, content: Content, *, prompted: bool
) -> str:
    """The turns as the tokenizer's chat template writes them; `prompted` asks for the start of an answer behind them.

    Raises TemplateRefusal where the template raises an error, BackendError where it does not come to an end.
    """
    from jinja2 import TemplateError

    today = datetime.fromisoformat(date)
    given: list[Any] = list(turns)
    if content == "parts":
        given = [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in turns]
    try:
        with _limited(SECONDS):
            text: str = tokenizer.apply_chat_template(
                given, add_generation_prompt=prompted, tokenize=False, strftime_now=today.strftime, **kwargs
            )
    except _Endless:
        raise BackendError(
            f"{template_file(tokenizer)} is not done with the {_named(turns)} after "
            f"{SECONDS} s of computing: mend the template, or give another with chat_template=FILE"
        ) from None
    except (*FOREIGN_ERRORS, TemplateError) as error:
        raise TemplateRefusal(
            f"{template_file(tokenizer)} refuses the {_named(turns)}: {_message(error)}; {_advice(turns)}"
        ) from error
    return text


class _Endless(Exception):
    """A template has had its time."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raises _Endless inside a block that computes for longer; time in which the process sleeps does not count.

    Only the main thread can be interrupted: in others there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise _Endless

    before = signal.signal(signal.SIGVTALRM, stop)
    left, interval = signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, left, interval)
        signal.signal(signal.SIGVTALRM, before)


def template_file(tokenizer: Any) -> str:
    """Where the tokenizer's chat template stands, for a message to the user."""
    # What is settled lies in a folder of links: the user knows the one that they lead to.
    folder = (Path(tokenizer.name_or_path) / "config.json").resolve().parent
    file = folder / "chat_template.jinja"
    if file.exists() and file.read_text() == tokenizer.chat_template:
        return str(file)
    return f"the chat template of {folder}"


def control_pattern(tokenizer: Any, *others: str) -> re.Pattern[str]:
    """A pattern for the text of every control token of the model and of `others`; it matches nothing without any."""
    added = {entry.content for entry in tokenizer.added_tokens_decoder.values() if entry.special}
    spelled = sorted({*tokenizer.all_special_tokens, *added, *others}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, spelled)) or r"(?!)")


def _named(turns: Sequence[Turn]) -> str:
    roles = ", ".join(turn["role"] for turn in turns[:6])
    text = next((turn["content"] for turn in turns if turn["role"] != "system"), turns[0]["content"] if turns else "")
    begins = " ".join(text.split())[:60]
    return f"conversation ({roles}{', ...' if len(turns) > 6 else ''}) that begins {begins!r}"


def _advice(turns: Sequence[Turn]) -> str:
    roles = [turn["role"] for turn in turns if turn["role"] != "system"]
    if not roles or any(role != ("user", "assistant")[place % 2] for place, role in enumerate(roles)):
        return "turns must alternate between user and assistant, the user first: mend the row or leave it out"
    return "mend the template, or give another with chat_template=FILE"


def _message(error: Exception) -> str:
    line = getattr(error, "lineno", None)
    return plain(str(error)) or type(error).__name__ if line is None else f"line {line}: {plain(str(error))}"
