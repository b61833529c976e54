"""What a judge is asked: a rubric, and the conversation it makes of a question and an answer."""

import re
from collections.abc import Mapping

from pydantic import Field, PositiveInt, model_validator

from selfreward.backends.base import Conversation
from selfreward.judges.reply import Scale, read_score
from selfreward.records import Message, digest_of
from selfreward.spec import Spec, identity

_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_GIVEN = {"question", "answer", "reference"}
_OWN = {"label", "lowest", "highest", "in_doubt"}


class WorkedExample(Spec):
    """A judged answer as the judge should have put it; `reply` states the score in a verdict line."""

    question: str
    answer: str
    reply: str
    reference: str | None = None


class Rubric(Spec):
    """By what an answer is judged, on which scale, and how the reply states it; docs/judges.md says how to write one.

    `template` shows `{question}` and `{answer}`, and `{reference}` where the rubric needs one, each between tags of
    its own. `explain` asks for a reply that ends with the line `<label>: <score>`, `number_only` for the bare score.
    `{label}`, `{lowest}`, `{highest}` and `{in_doubt}`, the score to give when in doubt, may stand in any text.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: PositiveInt
    label: str = Field(pattern=r"^[^\W\d](?:[\w ]*\w)?$")
    scale: Scale
    in_doubt: int
    system: str
    template: str
    explain: str
    number_only: str
    examples: tuple[WorkedExample, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> "Rubric":
        if self.in_doubt not in self.scale.values():
            raise ValueError(f"in_doubt={self.in_doubt} is not on the scale")
        for name in ("system", "template", "explain", "number_only"):
            known = _OWN | _GIVEN if name == "template" else _OWN
            unknown = sorted(set(_PLACEHOLDER.findall(getattr(self, name))) - known)
            if unknown:
                raise ValueError(f"{name} holds {{{unknown[0]}}}, it may hold {', '.join(sorted(known))}")
        for name in ("question", "answer", *(["reference"] if self.needs_reference else [])):
            if not re.search(rf"<(\w+)>\s*\{{{name}\}}\s*</\1>", self.template):
                raise ValueError(f"template must show {{{name}}} between tags, as in <{name}>{{{name}}}</{name}>")
        for example in self.examples:
            if read_score(example.reply, self.label, self.scale) is None:
                raise ValueError(f"the example reply {example.reply!r} states no score: end it with {self.label}: N")
            if self.needs_reference and example.reference is None:
                raise ValueError(f"the template shows a reference, the example {example.question!r} has none")
        return self

    @property
    def needs_reference(self) -> bool:
        """Whether the template shows an accepted answer beside the one to judge."""
        return "{reference}" in self.template

    @property
    def name(self) -> str:
        """`id@version:digest`, where the digest is that of everything the rubric says."""
        return f"{self.id}@{self.version}:{digest_of('rubric', identity(self))}"

    def ask(self, question: str, answer: str, reference: str | None, *, explained: bool) -> Conversation:
        """The conversation that asks for a verdict on `answer`; worked examples are turns of it.

        Text is filled in once, so that an answer which spells a placeholder stays as it is, and cannot close the tags
        it stands between.
        """
        turns = [Message(role="system", content=self._own(self.system))] if self.system else []
        for one in self.examples:
            turns.append(self._request(one.question, one.answer, one.reference, explained=explained))
            score = read_score(one.reply, self.label, self.scale)
            turns.append(Message(role="assistant", content=one.reply if explained else str(score)))
        return (*turns, self._request(question, answer, reference, explained=explained))

    def _request(self, question: str, answer: str, reference: str | None, *, explained: bool) -> Message:
        given = {"question": question, "answer": answer, "reference": reference or ""}
        harmless = {name: self._inside_tags(text) for name, text in given.items()}
        shown = _fill(self.template.strip(), self._values() | harmless)
        instruction = self._own(self.explain if explained else self.number_only).strip()
        return Message(role="user", content=f"{shown}\n\n{instruction}")

    def _inside_tags(self, text: str) -> str:
        """`text` in which no tag of the template is opened or closed."""
        tags = "|".join(sorted(set(re.findall(r"</(\w+)>", self.template))))
        return re.sub(rf"<(?=[^\w<>]*(?:{tags})\b)", "‹", text, flags=re.IGNORECASE)  # noqa: RUF001

    def _own(self, text: str) -> str:
        return _fill(text, self._values())

    def _values(self) -> dict[str, str]:
        ends = {"lowest": self.scale.lowest, "highest": self.scale.highest, "in_doubt": self.in_doubt}
        return {"label": self.label} | {name: str(score) for name, score in ends.items()}


def _fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced, in one pass."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)
