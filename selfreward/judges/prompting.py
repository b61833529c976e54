"""What a judge is asked: texts, and the conversation they make of a question and what is judged."""

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveInt, model_validator

from selfreward.backends.base import Conversation
from selfreward.judges.both_orders import verdict_of
from selfreward.judges.reads import LineReads, ScoreReads, VerdictReads, values_of, verdict_in
from selfreward.judges.scale import Scale, spelled
from selfreward.records import Message, Prompt, Verdict, digest_of, spoken
from selfreward.spec import Spec, identity, neutral
from selfreward.thought import answer_of

_PLACEHOLDER = re.compile(r"\{\{(\w*)\}\}|\{(\w*)\}")
OPENING = "‹"  # noqa: RUF001
"""What stands in place of the bracket that opens a tag of a prompt, in text that is shown between its tags."""
_LETTERS: Mapping[Verdict, str] = {"first": "A", "second": "B", "tie": "C"}


class WorkedExample(Spec):
    """A judged answer as the judge should have put it; `reply` states the score as the rubric reads it."""

    question: str
    answer: str
    reply: str
    reference: str | None = None


class WorkedComparison(Spec):
    """Two compared answers as the judge should have put it; `reply` states the verdict as the comparison reads it."""

    question: str
    first: str
    second: str
    reply: str
    principle: str | None = None


class JudgeTexts(Spec):
    """The texts that every judge prompt has; docs/judges.md says how to write them.

    `template` shows what is judged, each part between tags of its own, which no text can close. `explain` asks for a
    reply that ends with the verdict, in the form that `reads` says. Text is filled in once; {{x}} becomes {x}.

    `cue`, where there is one, is what a request for the bare verdict ends in, as in `{label}:`; the rest of the request
    then stands before `template`, where it is computed once for all that is judged.
    """

    verdict: ClassVar[tuple[str, str]]
    """What a reply states, and how a line spells it."""
    bare: ClassVar[str]
    """The name of the text that asks for the bare verdict."""
    shows: ClassVar[tuple[str, ...]]
    """The placeholders that `template` must hold, then the one that it may."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: PositiveInt
    label: str = Field(pattern=r"^[^\W\d](?:[\w ]*\w)?$")
    system: str
    template: str
    explain: str
    cue: str = neutral("")

    if TYPE_CHECKING:  # fields of every kind, which declare them in the order of their settings
        reads: VerdictReads
        examples: tuple[WorkedExample | WorkedComparison, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> "JudgeTexts":
        *needed, optional = self.shows
        for name in ("system", "explain", "cue", self.bare):
            self._check_placeholders(name, self.own())
        self._check_placeholders("template", {*self.own(), *self.shows})
        for name in (*needed, optional) if self.needs(optional) else needed:
            if not re.search(rf"<(\w+)>\s*\{{{name}\}}\s*</\1>", self.template):
                raise ValueError(f"template must show {{{name}}} between tags, as in <{name}>{{{name}}}</{name}>")
        for read in self.reads.examples:
            if (found := self.read(read.reply)) != read.says:
                told, said = ("no verdict" if one is None else f"{one:g}" for one in (found, read.says))
                raise ValueError(
                    f"reads: the example {read.reply!r} reads as {told} and says {said}: mend the pattern or path, or "
                    "the example"
                )
        kind, form = self.verdict
        for example in self.examples:
            if self.read(example.reply) is None:
                end = f"with {self.label}: {form}" if self.reads.kind == "line" else "in the form of reads"
                raise ValueError(f"the example reply {example.reply!r} states no {kind}: end it {end}")
            if self.needs(optional) and getattr(example, optional) is None:
                raise ValueError(f"the template shows a {optional}, the example {example.question!r} has none")
        return self

    def _check_placeholders(self, name: str, known: Iterable[str]) -> None:
        """Raises ValueError where the text `name` holds another placeholder than those `known`."""
        held = {found[2] for found in _PLACEHOLDER.finditer(getattr(self, name)) if found[2] is not None}
        if unknown := sorted(held - set(known)):
            raise ValueError(f"{name} holds {{{unknown[0]}}}, it may hold {', '.join(sorted(known))}")

    @property
    def name(self) -> str:
        """`id@version:digest`, where the digest is that of everything the texts say."""
        return f"{self.id}@{self.version}:{digest_of('rubric', identity(self))}"

    def needs(self, name: str) -> bool:
        """Whether the template shows what the placeholder `name` stands for."""
        return f"{{{name}}}" in self.template

    def own(self) -> dict[str, str]:
        """What the placeholders stand for that may stand in any text."""
        return {"label": self.label}

    @abstractmethod
    def read(self, reply: str, answer: str = "") -> float | None:
        """The verdict that an explained `reply` on `answer` states; None where it states none, or several."""

    @abstractmethod
    def spelled(self, verdict: float) -> str:
        """A verdict as a bare reply spells it."""

    def ask(self, given: Mapping[str, str | None], *, explained: bool) -> Conversation:
        """The conversation that asks for a verdict on what is `given`; worked examples are turns of it."""
        turns = [Message(role="system", content=fill(self.system, self.own()))] if self.system else []
        for one in self.examples:
            turns.append(self._request(one.model_dump(exclude={"reply"}), explained=explained))
            verdict = self.read(one.reply)
            assert verdict is not None, "every example states a verdict"
            turns.append(Message(role="assistant", content=one.reply if explained else self.spelled(verdict)))
        return (*turns, self._request(given, explained=explained))

    def ask_again(self, asked: Conversation, reasons: str) -> Conversation:
        """`asked` for reasons with these for an answer, and behind them the request for the bare verdict."""
        bare = fill(getattr(self, self.bare), self.own()).strip()
        return (*asked, Message(role="assistant", content=reasons), Message(role="user", content=bare))

    def _request(self, given: Mapping[str, str | None], *, explained: bool) -> Message:
        """The template with what is `given`, in which no tag of it is opened or closed, and how to reply."""
        own = self.own()
        tag = tag_pattern(re.findall(r"</(\w+)>", self.template))
        harmless = {name: tag.sub(OPENING, text or "") for name, text in given.items()}
        shown = fill(self.template.strip(), own | harmless)
        request = fill(self.explain if explained else getattr(self, self.bare), own).strip()
        cue = "" if explained else fill(self.cue, own).strip()
        return Message(role="user", content="\n\n".join([request, shown, cue] if cue else [shown, request]))


class Rubric(JudgeTexts):
    """By what an answer is judged, on which scale, and how the reply states it.

    `template` shows `{question}` and `{answer}`, and `{reference}` where the rubric needs one. `number_only` asks for
    the bare score. `{label}`, `{lowest}`, `{highest}` and `{in_doubt}` (the score when in doubt) may stand in any text.
    """

    verdict = "score", "N"
    bare = "number_only"
    shows = "question", "answer", "reference"

    scale: Scale
    reads: ScoreReads = neutral(LineReads())
    in_doubt: int
    number_only: str
    examples: tuple[WorkedExample, ...]

    @model_validator(mode="after")
    def _fits_its_scale(self) -> "Rubric":
        if self.in_doubt not in self.scale.values():
            raise ValueError(f"in_doubt={self.in_doubt} is not on the scale")
        for key, score in values_of(self.reads).items():
            if self.scale.at(score) is None:
                raise ValueError(f"reads.values.{key}={score:g} is not on the scale")
        return self

    def read(self, reply: str, answer: str = "") -> float | None:
        """The score."""
        return verdict_in(self.reads, reply, self.label, self.scale, answer)

    def spelled(self, verdict: float) -> str:
        """The number."""
        return spelled(verdict)

    def ask_about(self, prompt: Prompt, answer: str, *, explained: bool) -> Conversation:
        """As `ask`, of an answer to `prompt`, its references shown where the rubric needs one."""
        given = {"answer": answer, "reference": "\n".join(prompt.references)}
        return self.ask({"question": question_of(prompt.messages), **given}, explained=explained)

    def own(self) -> dict[str, str]:
        """As for all texts, and the scores that are named."""
        named = {"lowest": self.scale.lowest, "highest": self.scale.highest, "in_doubt": self.in_doubt}
        return super().own() | {name: str(score) for name, score in named.items()}


class ComparisonTexts(JudgeTexts):
    """By what two answers are compared, and how the reply states it: A the first is better, B the second, C neither.

    `template` shows `{question}`, `{first}` and `{second}`, and `{principle}` where a constitution is what they are
    compared by. `verdict_only` asks for the bare letter. `{label}` may stand in any text.
    """

    verdict = "verdict", "A"
    bare = "verdict_only"
    shows = "question", "first", "second", "principle"

    reads: VerdictReads = neutral(LineReads())
    verdict_only: str
    examples: tuple[WorkedComparison, ...]

    @model_validator(mode="after")
    def _names_preferences(self) -> "ComparisonTexts":
        values = values_of(self.reads)
        if self.reads.kind in ("pattern", "json") and not values:
            raise ValueError("reads.values is empty: name at least one verdict, as in {better: 1}")
        for key, value in values.items():
            if not 0 <= value <= 1:
                raise ValueError(f"reads.values.{key}={value:g} is no preference: set it from 0 to 1")
        return self

    def spelled(self, verdict: float) -> str:
        """The letter of the side, whatever the degree."""
        return _LETTERS[verdict_of(verdict)]

    def read(self, reply: str, answer: str = "", *, explained: bool = True) -> float | None:
        """How far a reply prefers the answer shown first: 1, .5 or 0, or a degree between. None where it does not say.

        A bare letter needs no label. A verdict that an answer spells is read as any other: an echo of it is a flip, and
        without it an answer with all three could not be compared.
        """
        if explained:
            return verdict_in(self.reads, reply, self.label)
        reply = answer_of(reply)
        if self.label.casefold() not in reply.casefold():
            reply = f"{self.label}: {reply.strip()}"
        return verdict_in(LineReads(), reply, self.label)


def tag_pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Matches the bracket with which a text opens or closes a tag of one of these names, however it spells it."""
    return re.compile(rf"<(?=[^\w<>]*(?:{'|'.join(sorted(set(names)))})\b)", re.IGNORECASE)


def question_of(messages: Conversation) -> str:
    """What is asked: the user's turn; where it continues a conversation, every turn but the system's, and who spoke."""
    return spoken([one for one in messages if one.role != "system"])


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced, in one pass."""
    return _PLACEHOLDER.sub(lambda found: values[found[2]] if found[1] is None else f"{{{found[1]}}}", text)
