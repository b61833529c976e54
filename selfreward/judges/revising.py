"""How a policy is asked to criticise and to revise an answer, and how its replies are read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import model_validator

from selfreward.answers.refusal import refused
from selfreward.backends.base import Conversation, NotScored, Reply
from selfreward.judges.constitution import Constitution, Principle
from selfreward.judges.prompting import OPENING, fill, tag_pattern
from selfreward.records import Message, Outcome
from selfreward.revisions import RevisionOutcome
from selfreward.spec import Spec
from selfreward.thought import answer_of

Part = Literal["critique", "revision"]
"""What is asked for; the reply is to stand between tags of this name."""

_SHOWN: Mapping[Part, tuple[str, ...]] = {
    "critique": ("request", "question", "answer"),
    "revision": ("request", "question", "answer", "critique"),
}
_TAGS = tag_pattern(_SHOWN["revision"] + ("revision",))
_UNREAD: Mapping[Outcome, RevisionOutcome] = {"truncated": "cut", "refused": "refused"}


class RevisionTexts(Spec):
    """The texts that ask for a critique and for a revision; each shows its parts between tags that no text can close.

    `critique` shows `{request}`, `{question}` and `{answer}`, `revision` shows `{critique}` too. Text is filled in
    once; {{x}} becomes {x}.
    """

    system: str
    critique: str
    revision: str

    @model_validator(mode="after")
    def _shows_all(self) -> "RevisionTexts":
        for part, names in _SHOWN.items():
            text = self.template(part)
            for name in names:
                if not re.search(rf"<{name}>\s*\{{{name}\}}\s*</{name}>", text):
                    raise ValueError(f"{part} must show {{{name}}} between its tags: <{name}>{{{name}}}</{name}>")
            held = set(re.findall(r"(?<!\{)\{(\w*)\}(?!\})", text))
            if unknown := sorted(held - set(names)):
                raise ValueError(f"{part} holds {{{unknown[0]}}}, it may hold {', '.join(names)}")
            if f"<{part}>" not in text.replace(f"<{part}>{{", ""):
                raise ValueError(f"{part} must ask for a reply between <{part}> and </{part}>")
        return self

    def template(self, part: Part) -> str:
        """The text that asks for a part."""
        return self.critique if part == "critique" else self.revision

    def ask(
        self, part: Part, by: Constitution, principle: Principle, question: str, answer: str, critique: str = ""
    ) -> Conversation:
        """The conversation that asks for a critique, or with the `critique` for a revision, of an `answer`.

        The worked examples of the constitution are turns of it.
        """
        turns = [Message(role="system", content=self.system)] if self.system else []
        principles = {one.id: one for one in by.principles}
        for one in by.examples:
            turns.append(self._request(part, principles[one.principle], one.question, one.answer, one.critique))
            shown = one.critique if part == "critique" else one.revision
            turns.append(Message(role="assistant", content=f"<{part}>\n{shown}\n</{part}>"))
        return (*turns, self._request(part, principle, question, answer, critique))

    def _request(self, part: Part, principle: Principle, question: str, answer: str, critique: str) -> Message:
        request = principle.critique if part == "critique" else principle.revision
        given = {"request": request, "question": question, "answer": answer, "critique": critique}
        harmless = {name: _TAGS.sub(OPENING, text) for name, text in given.items()}
        return Message(role="user", content=fill(self.template(part).strip(), harmless))


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a reply says: the `text` between its tags, or None with the outcome that says why there is none.

    `reply` is what was drawn, or what the engine says instead; the tokens are those of the prompt and of the reply.
    """

    text: str | None
    outcome: RevisionOutcome | None
    reply: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


def read_reply(part: Part, reply: Reply) -> Said:
    """What a reply says. A refusal between the tags is a text like any other: a revision may be one."""
    if isinstance(reply, NotScored):
        return Said(text=None, outcome=_UNREAD.get(reply.outcome, "failed"), reply=reply.reason)
    text, outcome = _inside(part, answer_of(reply.text))
    if reply.finish == "length":
        text, outcome = None, "cut"
    return Said(
        text=text,
        outcome=outcome,
        reply=reply.raw,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.tokens,
    )


def _inside(part: Part, reply: str) -> tuple[str | None, RevisionOutcome | None]:
    """What stands between the tags, and None; or None and why the reply is not one text between its tags."""
    if not reply.strip():
        return None, "empty"
    found = re.fullmatch(rf"\s*<{part}>(.*)</{part}>\s*", reply, re.DOTALL | re.IGNORECASE)
    if found is None or _TAGS.search(found[1]):
        return None, "refused" if found is None and refused(reply) else "escaped"
    text = found[1].strip()
    return (text, None) if text else (None, "empty")
