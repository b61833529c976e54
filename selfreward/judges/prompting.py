"""What a judge is asked: texts, and the conversation they make of a question and what is judged."""

import re
from collections.abc import Iterable, Mapping

from pydantic import Field, PositiveInt, model_validator

from selfreward.backends.base import Conversation
from selfreward.judges.reads import (
    LETTER_PREFERENCES,
    ScoreLine,
    ScoreReads,
    VerdictLine,
    VerdictReads,
    preference_in,
    score_of,
)
from selfreward.judges.scale import Scale, spelled
from selfreward.records import Message, Prompt, digest_of, spoken
from selfreward.spec import Spec, identity, neutral
from selfreward.thought import answer_of

_PLACEHOLDER = re.compile(r"\{\{(\w*)\}\}|\{(\w*)\}")


class JudgeTexts(Spec):
    """The texts that every judge prompt has; docs/judges.md says how to write them.

    `template` shows what is judged, each part between tags of its own. `explain` asks for a reply that ends with the
    verdict, in the form that `reads` says. Text is filled in once, so that an answer which spells a placeholder stays
    as it is, and cannot close the tags it stands between; {{x}} becomes {x}.
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
        held = {found[2] for found in _PLACEHOLDER.finditer(getattr(self, name)) if found[2] is not None}
        unknown = sorted(held - set(known))
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
    """A judged answer as the judge should have put it; `reply` states the score as the rubric reads it."""

    question: str
    answer: str
    reply: str
    reference: str | None = None


class Rubric(JudgeTexts):
    """By what an answer is judged, on which scale, and how the reply states it.

    `template` shows `{question}` and `{answer}`, and `{reference}` where the rubric needs one. `number_only` asks for
    the bare score. `{label}`, `{lowest}`, `{highest}` and `{in_doubt}`, the score to give when in doubt, may stand in
    any text. `reads` says how an explained reply states the score.
    """

    scale: Scale
    reads: ScoreReads = neutral(ScoreLine())
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
        self._check_reads()
        for example in self.examples:
            if self.read(example.reply) is None:
                end = f"end it with {self.label}: N" if self.reads.kind == "line" else "end it in the form of reads"
                raise ValueError(f"the example reply {example.reply!r} states no score: {end}")
            if self.needs_reference and example.reference is None:
                raise ValueError(f"the template shows a reference, the example {example.question!r} has none")
        return self

    @property
    def needs_reference(self) -> bool:
        """Whether the template shows an accepted answer beside the one to judge."""
        return "{reference}" in self.template

    def _check_reads(self) -> None:
        named = {} if self.reads.kind == "line" else self.reads.values
        for key, score in named.items():
            if self.scale.at(score) is None:
                raise ValueError(f"reads.values.{key}={score:g} is not on the scale")
        for example in self.reads.examples:
            if (found := self.read(example.reply)) != example.says:
                raise ValueError(_misread(example.reply, found, example.says))

    def read(self, reply: str, answer: str = "") -> float | None:
        """The score that an explained `reply` on `answer` states; None where it states none, or several."""
        return score_of(self.reads, reply, self.label, self.scale, answer)

    def ask(self, question: str, answer: str, reference: str | None, *, explained: bool) -> Conversation:
        """The conversation that asks for a verdict on `answer`; worked examples are turns of it."""
        turns = self.opening()
        for one in self.examples:
            turns.append(self._request(one.question, one.answer, one.reference, explained=explained))
            score = self.read(one.reply)
            assert score is not None, "every example states a score"
            turns.append(Message(role="assistant", content=one.reply if explained else spelled(score)))
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
    """Two compared answers as the judge should have put it; `reply` states the verdict as the comparison reads it."""

    question: str
    first: str
    second: str
    reply: str
    principle: str | None = None


class ComparisonTexts(JudgeTexts):
    """By what two answers are compared, and how the reply states it: A the first is better, B the second, C neither.

    `template` shows `{question}`, `{first}` and `{second}`, and `{principle}` where a constitution is what they are
    compared by. `verdict_only` asks for the bare letter. `{label}` may stand in any text. `reads` says how an explained
    reply states the verdict.
    """

    reads: VerdictReads = neutral(VerdictLine())
    verdict_only: str
    examples: tuple[WorkedComparison, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> "ComparisonTexts":
        for name in ("system", "explain", "verdict_only"):
            self.check_placeholders(name, ["label"])
        self.check_placeholders("template", ["label", "question", "first", "second", "principle"])
        self.check_shown(("question", "first", "second", *(["principle"] if self.needs_principle else [])))
        for read in self.reads.examples:
            if (found := self.read(read.reply, explained=True)) != read.says:
                raise ValueError(_misread(read.reply, found, read.says))
        for example in self.examples:
            if self.read(example.reply, explained=True) is None:
                end = f"end it with {self.label}: A" if self.reads.kind == "line" else "end it in the form of reads"
                raise ValueError(f"the example reply {example.reply!r} states no verdict: {end}")
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
            bare = _letter_of(self.read(one.reply, explained=True))
            turns.append(Message(role="assistant", content=one.reply if explained else bare))
        return (*turns, self._request(question, first, second, principle, explained=explained))

    def read(self, reply: str, *, explained: bool) -> float | None:
        """How far a reply prefers the answer shown first: 1, .5 or 0, or a degree between. None where it does not say.

        A bare reply states a letter, which needs no label. A verdict that an answer spells is read as any other: in the
        other order it means the other answer, so that an echo of it is a flip. Were it left out, an answer with all
        three could not be compared.
        """
        if explained:
            return preference_in(self.reads, reply, self.label)
        reply = answer_of(reply)
        if self.label.casefold() not in reply.casefold():
            reply = f"{self.label}: {reply.strip()}"
        return preference_in(VerdictLine(), reply, self.label)

    def _request(self, question: str, first: str, second: str, principle: str | None, *, explained: bool) -> Message:
        given = {"question": question, "first": first, "second": second, "principle": principle or ""}
        return self.request(given, self.explain if explained else self.verdict_only)


def _letter_of(preference: float | None) -> str:
    """The letter for a preference, whatever its degree."""
    assert preference is not None, "every example states a verdict"
    return next(
        letter for letter, side in LETTER_PREFERENCES.items() if (side > 0.5) - (side < 0.5) == _side(preference)
    )


def _side(preference: float) -> int:
    return (preference > 0.5) - (preference < 0.5)


def _misread(reply: str, found: float | None, says: float | None) -> str:
    read, said = ("no verdict" if one is None else f"{one:g}" for one in (found, says))
    return f"reads: the example {reply!r} reads as {read} and says {said}: mend the pattern or path, or the example"


def question_of(messages: Conversation) -> str:
    """What is asked: the user's turn; where it continues a conversation, every turn but the system's, and who spoke."""
    return spoken([one for one in messages if one.role != "system"])


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced, in one pass."""
    return _PLACEHOLDER.sub(lambda found: values[found[2]] if found[1] is None else f"{{{found[1]}}}", text)
