"""What a chat template does, found by rendering a few turns: where an answer stands, what ends it, what is refused."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from selfreward.backends.chat_template import TEMPLATES, Content, control_pattern, render, template_file
from selfreward.backends.rendering import ChatSpec, Rendering
from selfreward.errors import BackendError, TemplateRefusal
from selfreward.thought import MARKS, closing_of

_WORDS = ("quartz", "willow", "marble", "saffron", "juniper", "cobalt", "thistle", "ember", "walnut", "heron")


@dataclass(frozen=True, kw_only=True)
class _Probe:
    """A few words as turns, rendered: none of them stands in the template itself."""

    tokenizer: Any
    spec: ChatSpec
    words: Sequence[str]
    content: Content = "text"

    def render(self, *roles: str, prompted: bool) -> str:
        """Turns by `roles` in order, each saying its word."""
        turns = [{"role": role, "content": word} for role, word in zip(roles, self.words, strict=False)]
        return render(self.tokenizer, turns, self.spec.template_kwargs, self.spec.date, self.content, prompted=prompted)

    def shows(self, *roles: str, prompted: bool = False) -> bool:
        """Whether the template takes such turns and writes what each says."""
        try:
            text = self.render(*roles, prompted=prompted)
        except TemplateRefusal:
            return False
        return all(word in text for word in self.words[: len(roles)])


def resolve_rendering(tokenizer: Any, spec: ChatSpec, stops: Sequence[str]) -> Rendering:
    """What is settled about rendering for the model of `tokenizer`, whose template becomes the one that was chosen.

    `stops` are the tokens at which the model's author stops. Raises BackendError for no template, for one that refuses
    plain turns or drops their text, or one of which the end of a turn cannot be told.
    """
    tokenizer.chat_template = template = choose_template(tokenizer, spec.chat_template)
    words = [word for word in _WORDS if word not in template]
    probe = _with_content(_Probe(tokenizer=tokenizer, spec=spec, words=words))
    opening, header, lead, space = _place_of_answer(probe)
    end, trail = _end_of_turn(probe, stops)
    return Rendering(
        template_kwargs=dict(spec.template_kwargs),
        date=spec.date,
        content=probe.content,
        system="own" if probe.shows("system", "user", prompted=True) else "merged",
        opening=opening,
        header=header,
        lead=lead,
        space=space,
        trail=trail,
        end_of_turn=end,
        opens_thought=closing_of(opening) is not None,
    )


def choose_template(tokenizer: Any, name: str | None) -> str:
    """The template of that `name`: a file, one of ours, the model's; None for its default. Raises BackendError."""
    own = tokenizer.chat_template
    named: dict[str, str] = own if isinstance(own, dict) else {} if own is None else {"default": own}
    known = {**named, **TEMPLATES}
    wanted = "default" if name is None else name
    if wanted in known:
        return known[wanted]
    if name is not None:
        if not Path(name).is_file():
            raise BackendError(
                f"chat_template={name} is no file and none of {', '.join(sorted(known))}: give one of these"
            )
        return Path(name).read_text()
    if named:
        raise BackendError(
            f"the model in {tokenizer.name_or_path} has the chat templates {', '.join(sorted(named))} and no default: "
            "choose one with chat_template=NAME"
        )
    raise BackendError(
        f"the tokenizer in {tokenizer.name_or_path} has no chat template: set chat_template=plain (or chatml, or a "
        "file), or use the instruct variant of the model"
    )


def _with_content(probe: _Probe) -> _Probe:
    """`probe` with turns in the form in which the template writes their text."""
    for tried in (probe, replace(probe, content="parts")):
        if tried.shows("user", prompted=True):
            return tried
    probe.render("user", prompted=True)  # says what the template raises, if it does
    raise BackendError(
        f"{template_file(probe.tokenizer)} does not write what the user says: mend it, or give another with "
        "chat_template=FILE"
    )


def _place_of_answer(probe: _Probe) -> tuple[str, str, str, str]:
    """Where an answer stands: `opening`, `header`, `lead` and `space` of a `Rendering`."""
    question, answer = probe.words[:2]
    asked = probe.render("user", prompted=True)
    opening = asked.rpartition(question)[2]
    finished = next((text for text in (_finished(probe), _going_on(probe)) if answer in text), None)
    if finished is None:
        raise BackendError(
            f"{template_file(probe.tokenizer)} does not write what the assistant says: mend it, or give another with "
            "chat_template=FILE"
        )
    behind = _between(finished, question, answer)
    # A template that opens a thought may write a finished answer without one, or inside of it.
    before = behind.removeprefix(opening) if behind.startswith(opening) else ""
    before = before if before.strip() else closing_of(opening) or before
    if not before.strip():
        return opening, "", "", before
    if probe.render("user", prompted=False) == asked and _plain(probe.tokenizer, before):
        # There is no generation prompt: this is what it would be.
        return opening + before, before, "", ""
    return opening, "", before, ""


def _end_of_turn(probe: _Probe, stops: Sequence[str]) -> tuple[str, str]:
    """The token that ends an answer, and what the template writes between an answer and it.

    That is the first token behind an answer at which the author stops or which closes a user's turn too; else one at
    which the author stops and that stands between an answer and the next question; else the first of either; else the
    first at which the author stops, which the template does not write.
    """
    question, answer, again = probe.words[:3]
    after, between = _behind(_finished(probe), answer), _between(_going_on(probe), answer, again)
    if (named := probe.spec.end_of_turn) is not None:
        ids = probe.tokenizer(named, add_special_tokens=False)["input_ids"]
        if len(ids) != 1:
            raise BackendError(
                f"end_of_turn={named} is {len(ids)} tokens to this model: name one of its control tokens, as its "
                "tokenizer_config.json lists them"
            )
        text = next((text for text in (after, between) if named in text), named)
        return named, text[: text.index(named)]
    closing = _between(_finished(probe), question, answer)
    closers = [token for token in _tokens(probe.tokenizer, closing)[:1] if not closing.rstrip().endswith(token)]
    places = [
        *((after, token) for token in _tokens(probe.tokenizer, after) if token in {*stops, *closers}),
        *((between, token) for token in _tokens(probe.tokenizer, between) if token in stops),
        *((after, token) for token in _tokens(probe.tokenizer, after)),
        *((between, token) for token in _tokens(probe.tokenizer, between)),
        *((token, token) for token in stops),
    ]
    if not places:
        raise BackendError(
            f"{template_file(probe.tokenizer)} writes no control token after an answer: name the token that ends one "
            "with end_of_turn=TOKEN"
        )
    text, token = places[0]
    return token, text[: text.index(token)]


def _finished(probe: _Probe) -> str:
    """A question and its answer, as a whole conversation."""
    return probe.render("user", "assistant", prompted=False)


def _going_on(probe: _Probe) -> str:
    """A question, its answer and another question; empty where the template writes no such conversation."""
    roles = ("user", "assistant", "user")
    return probe.render(*roles, prompted=False) if probe.shows(*roles) else ""


def _between(text: str, left: str, right: str) -> str:
    """What stands in `text` between two words; empty where one of them is missing."""
    return text[text.index(left) + len(left) : text.rindex(right)] if left in text and right in text else ""


def _behind(text: str, word: str) -> str:
    return text[text.rindex(word) + len(word) :] if word in text else ""


def _plain(tokenizer: Any, text: str) -> bool:
    """Whether `text` has words besides control tokens: the name of a role, where it stands before an answer."""
    return bool(_added_pattern(tokenizer).sub("", text).strip()) and "think" not in text.lower()


def _tokens(tokenizer: Any, text: str) -> list[str]:
    """The control tokens in `text`, in order; those around a thought are none."""
    return [token for token in _added_pattern(tokenizer).findall(text) if token not in MARKS]


def _added_pattern(tokenizer: Any) -> re.Pattern[str]:
    """A pattern for every token that was added to the vocabulary, special or not, but for white space."""
    added = [entry.content for entry in tokenizer.added_tokens_decoder.values() if entry.content.strip()]
    return control_pattern(tokenizer, *added)
