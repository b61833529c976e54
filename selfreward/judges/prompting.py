"""What a judge is asked: texts, and the conversation they make of a question and what is judged."""

import re
from collections.abc import Iterable, Mapping

from pydantic import Field, PositiveInt, model_validator

from selfreward.backends.base import Conversation
from selfreward.judges.reply import Scale, read_letter, read_score
from selfreward.records import Message, Prompt, digest_of, spoken
from selfreward.spec import Spec, identity
from selfreward.thought import answer_of

_PLACEHOLDER = re.compile(r"\{(\w*)\}")


class JudgeTexts(Spec):
    """The texts that every judge prompt has; docs/judges.md says how to write them.

    `template` shows what is judged, each part between tags of its own. `explain` asks for a reply that ends with the
    verdict in a line `<label>: ...`. Text is filled in once, so that an answer which spells a placeholder stays as it
    is, and cannot close the tags it stands between.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: PositiveInt
    label: str = Field(pattern=r"^[^\W\d](?:[\w ]*\w)?$")
    system: str
    template: str
    explain: str

    @property
    def name(self) -> str:
        """`id@version:digest`, where the digest is that of everything the texts say."""
        return f"{self.id}@{self.version}:{digest_of('rubric', identity(self))}"

    def check_placeholders(self, name: str, known: Iterable[str]) -> None:
        """Raises ValueError where the text `name` holds another placeholder than those `known`."""
        unknown = sorted(set(_PLACEHOLDER.findall(getattr(self, name))) - set(known))
        if unknown:
            raise ValueError(f"{name} holds {{{unknown[0]}}}, it may hold {', '.join(sorted(known))}")

    def check_shown(self, names: Iterable[str]) -> None:
        """Raises ValueError where the template does not show one of `names` between tags."""
        for name in names:
            if not re.search(rf"<(\w+)>\s*\{{{name}\}}\s*</\1>", self.template):
                raise ValueError(f"template must show {{{name}}} between tags, as in <{name}>{{{name}}}</{name}>")

    def own(self) -> dict[str, str]:
        """What the placeholders stand for that may stand in any text."""
        return {"label": self.label}

    def opening(self) -> list[Message]:
        """The system turn, if there is one."""
        return [Message(role="system", content=fill(self.system, self.own()))] if self.system else []

    def request(self, given: Mapping[str, str], instruction: str) -> Message:
        """The template with what is `given` to judge, and the instruction how to reply."""
        harmless = {name: self._inside_tags(text) for name, text in given.items()}
        shown = fill(self.template.strip(), self.own() | harmless)
        return Message(role="user", content=f"{shown}\n\n{fill(instruction, self.own()).strip()}")

    def _inside_tags(self, text: str) -> str:
        """`text` in which no tag of the template is opened or closed."""
        tags = "|".join(sorted(set(re.findall(r"</(\w+)>", self.template))))
        return re.sub(rf"<(?=[^\w<>]*(?:{tags})\b)", "‹", text, flags=re.IGNORECASE)  # noqa: RUF001


class WorkedExample(Spec):
    """A judged answer as the judge should have put it; `reply` states the score in a verdict line."""

    question: str
    answer: str
    reply: str
    reference: str | None = None


class Rubric(JudgeTexts):
    """By what an answer is judged, on which scale, and how the reply states it.

    `template` shows `{question}` and `{answer}`, and `{reference}` where the rubric needs one. `number_only` asks for
    the bare score. `{label}`, `{lowest}`, `{highest}` and `{in_doubt}`, the score to give when in doubt, may stand in
    any text.
    """

    scale: Scale
    in_doubt: int
    number_only: str
    examples: tuple[WorkedExample, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> "Rubric":
        if self.in_doubt not in self.scale.values():
            raise ValueError(f"in_doubt={self.in_doubt} is not on the scale")
        own = self.own().keys()
        for name in ("system", "explain", "number_only"):
            self.check_placeholders(name, own)
        self.check_placeholders("template", own | {"question", "answer", "reference"})
        self.check_shown(("question", "answer", *(["reference"] if self.needs_reference else [])))
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

    def ask(self, question: str, answer: str, reference: str | None, *, explained: bool) -> Conversation:
        """The conversation that asks for a verdict on `answer`; worked examples are turns of it."""
        turns = self.opening()
        for one in self.examples:
            turns.append(self._request(one.question, one.answer, one.reference, explained=explained))
            score = read_score(one.reply, self.label, self.scale)
            turns.append(Message(role="assistant", content=one.reply if explained else str(score)))
        return (*turns, self._request(question, answer, reference, explained=explained))

    def ask_about(self, prompt: Prompt, answer: str, *, explained: bool) -> Conversation:
        """As `ask`, of an answer to `prompt`, its references shown where the rubric needs one."""
        return self.ask(question_of(prompt.messages), answer, "\n".join(prompt.references) or None, explained=explained)

    def _request(self, question: str, answer: str, reference: str | None, *, explained: bool) -> Message:
        given = {"question": question, "answer": answer, "reference": reference or ""}
        return self.request(given, self.explain if explained else self.number_only)

    def own(self) -> dict[str, str]:
        """As for all texts, and the scores that are named."""
        named = {"lowest": self.scale.lowest, "highest": self.scale.highest, "in_doubt": self.in_doubt}
        return super().own() | {name: str(score) for name, score in named.items()}


class WorkedComparison(Spec):
    """Two compared answers as the judge should have put it; `reply` states A, B or C in a verdict line."""

    question: str
    first: str
    second: str
    reply: str
    principle: str | None = None


class ComparisonTexts(JudgeTexts):
    """By what two answers are compared, and how the reply states it: A the first is better, B the second, C neither.

    `template` shows `{question}`, `{first}` and `{second}`, and `{principle}` where a constitution is what they are
    compared by. `verdict_only` asks for the bare letter. `{label}` may stand in any text.
    """

    verdict_only: str
    examples: tuple[WorkedComparison, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> "ComparisonTexts":
        for name in ("system", "explain", "verdict_only"):
            self.check_placeholders(name, ["label"])
        self.check_placeholders("template", ["label", "question", "first", "second", "principle"])
        self.check_shown(("question", "first", "second", *(["principle"] if self.needs_principle else [])))
        for example in self.examples:
            if read_letter(example.reply, self.label) is None:
                raise ValueError(f"the example reply {example.reply!r} states no verdict: end it with {self.label}: A")
            if self.needs_principle and example.principle is None:
                raise ValueError(f"the template shows a principle, the example {example.question!r} has none")
        return self

    @property
    def needs_principle(self) -> bool:
        """Whether the template shows a principle of a constitution."""
        return "{principle}" in self.template

    def ask(self, question: str, first: str, second: str, principle: str | None, *, explained: bool) -> Conversation:
        """The conversation that asks which answer is better; worked examples are turns of it."""
        turns = self.opening()
        for one in self.examples:
            turns.append(self._request(one.question, one.first, one.second, one.principle, explained=explained))
            letter = read_letter(one.reply, self.label)
            turns.append(Message(role="assistant", content=one.reply if explained else str(letter)))
        return (*turns, self._request(question, first, second, principle, explained=explained))

    def read(self, reply: str, *, explained: bool) -> str | None:
        """The letter that a reply states; where only that was asked for, it needs no label. None where it states none.

        A verdict line that an answer spells is read as any other: in the other order its letter means the other
        answer, so that an echo of it is a flip. Were it left out, an answer with all three could not be compared.
        """
        reply = answer_of(reply)
        if not explained and self.label.casefold() not in reply.casefold():
            reply = f"{self.label}: {reply.strip()}"
        return read_letter(reply, self.label)

    def _request(self, question: str, first: str, second: str, principle: str | None, *, explained: bool) -> Message:
        given = {"question": question, "first": first, "second": second, "principle": principle or ""}
        return self.request(given, self.explain if explained else self.verdict_only)


def question_of(messages: Conversation) -> str:
    """What is asked: the user's turn; where it continues a conversation, every turn but the system's, and who spoke."""
    return spoken([one for one in messages if one.role != "system"])


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced, in one pass."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)
