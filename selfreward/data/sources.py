"""The sources of a run. Each gives, for a role, prompts or human answers or gold pairs; roles never overlap.

Roles: `train` prompts to sample, `held_out` prompts to evaluate on, `probe` prompts to measure on, `human` answers to
mix in, `gold_gate` and `gold_final` pairs of a right and a wrong answer.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt

from selfreward.artifacts.files import sha256_of
from selfreward.data.assets import asset_data
from selfreward.data.everyday import load_everyday
from selfreward.data.human import HumanQuestion, load_piqa, load_truthfulqa
from selfreward.errors import DataError
from selfreward.records import GoldPair, Message, Prompt, digest_of, make_prompt
from selfreward.spec import Spec, execution

Role = Literal["train", "held_out", "probe", "human", "gold_gate", "gold_final"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanAnswer:
    """An answer that a person wrote to a prompt."""

    prompt: Prompt
    text: str


Row = Prompt | HumanAnswer | GoldPair


class SizedData(Spec):
    """How many rows each role takes; `system` is the system turn of every conversation, empty for none."""

    system: str = "Answer in one short sentence."
    train_closed: NonNegativeInt = 64
    train_open: NonNegativeInt = 24
    held_out_closed: NonNegativeInt = 60
    held_out_open: NonNegativeInt = 12
    probe_closed: NonNegativeInt = 12
    probe_open: NonNegativeInt = 24
    human: NonNegativeInt | None = None
    gold_gate: NonNegativeInt = 40
    gold_final: NonNegativeInt = 40


class EmbeddedData(SizedData):
    """Everyday questions (closed), TruthfulQA questions and human answers (open), PIQA pairs (gold)."""

    kind: Literal["embedded"] = "embedded"

    def fingerprint(self) -> str:
        """A digest of the files behind the rows."""
        files = (Path(__file__).with_name("everyday.jsonl"), asset_data("truthfulqa"), asset_data("piqa"))
        return digest_of([sha256_of(path) for path in files])

    def rows(self, role: Role) -> Iterator[Row]:
        """The rows of a role, in an order that depends on their content alone."""
        match role:
            case "train":
                yield from load_everyday("train", self.system)[: self.train_closed]
                yield from self._open("train", self.train_open)
            case "held_out":
                yield from load_everyday("held_out", self.system)[: self.held_out_closed]
                yield from self._open("final", self.held_out_open)
            case "probe":
                # The probe takes held-out questions from the end, evaluation from the start.
                yield from load_everyday("held_out", self.system)[::-1][: self.probe_closed]
                yield from self._open("probe", self.probe_open)
            case "human":
                # To learn "I have no comment" would be to learn to decline.
                pool = [
                    (one, answer)
                    for one in load_truthfulqa("pool")
                    for answer in one.answers
                    if answer.rstrip(".") != "I have no comment"
                ]
                for one, answer in pool[: self.human]:
                    yield HumanAnswer(prompt=self._prompt(one), text=answer)
            case "gold_gate":
                yield from load_piqa("gate", system=self.system)[: self.gold_gate]
            case "gold_final":
                yield from load_piqa("final", system=self.system)[: self.gold_final]

    def _open(self, part: Literal["train", "probe", "final"], count: int) -> Iterator[Prompt]:
        for one in load_truthfulqa(part)[:count]:
            yield self._prompt(one)

    def _prompt(self, one: HumanQuestion) -> Prompt:
        return make_prompt(
            one.question, system=self.system, stratum="open", source="truthfulqa", references=one.answers
        )


class ScriptedData(SizedData):
    """Sums and made-up topics without end, for tests, benchmarks and documentation; no file is read."""

    kind: Literal["scripted"] = "scripted"
    human: NonNegativeInt | None = 200

    def fingerprint(self) -> str:
        """Nothing is read, so nothing can change."""
        return "scripted-1"

    def rows(self, role: Role) -> Iterator[Row]:
        """The rows of a role; roles use different numbers."""
        match role:
            case "train":
                yield from self._questions(0, self.train_closed, self.train_open)
            case "held_out":
                yield from self._questions(1, self.held_out_closed, self.held_out_open)
            case "probe":
                yield from self._questions(2, self.probe_closed, self.probe_open)
            case "human":
                for number in range(self.human or 0):
                    text = f"People tell the story of topic {number} in many ways."
                    yield HumanAnswer(prompt=self._topic(3, number), text=text)
            case "gold_gate" | "gold_final":
                count = self.gold_gate if role == "gold_gate" else self.gold_final
                for number in range(count):
                    prompt = self._sum(4 if role == "gold_gate" else 5, number)
                    total = int(prompt.references[0])
                    yield GoldPair(
                        id=digest_of("gold", prompt.id),
                        messages=prompt.messages,
                        right=f"The answer is {total}.",
                        wrong=f"The answer is {total + 1}.",
                        source="scripted",
                    )

    def _questions(self, part: int, closed: int, open_: int) -> Iterator[Prompt]:
        for number in range(closed):
            yield self._sum(part, number)
        for number in range(open_):
            yield self._topic(part, number)

    def _sum(self, part: int, number: int) -> Prompt:
        left, right = number + 1, 10 * part + number % 10
        return make_prompt(
            f"What is {left} + {right}?",
            system=self.system,
            stratum="closed",
            source="scripted/sums",
            references=(str(left + right),),
            match="numeric",
        )

    def _topic(self, part: int, number: int) -> Prompt:
        return make_prompt(
            f"Tell me about topic {part}-{number}.",
            system=self.system,
            stratum="open",
            source="scripted/topics",
            references=(f"Topic {number} is an old story that people like to tell.",),
        )


class JsonlData(Spec):
    """Your own files, one JSON object a line.

    Prompts: {"prompt", "stratum": "closed" or "open", "references": [...], "match"}, all but the first optional.
    Human answers: {"prompt", "answer"}. Gold pairs: {"prompt", "right", "wrong"}. Files count by their content.
    """

    kind: Literal["jsonl"] = "jsonl"
    system: str = "Answer in one short sentence."
    train: Path = execution(...)
    held_out: Path = execution(...)
    probe: Path = execution(...)
    human: Path | None = execution(None)
    gold_gate: Path | None = execution(None)
    gold_final: Path | None = execution(None)

    def fingerprint(self) -> str:
        """A digest of the files behind the rows."""
        paths = (self.train, self.held_out, self.probe, self.human, self.gold_gate, self.gold_final)
        return digest_of([None if path is None else sha256_of(_existing(path)) for path in paths])

    def rows(self, role: Role) -> Iterator[Row]:
        """The rows of a role in the order of its file; none where no file is given."""
        path: Path | None = getattr(self, role)
        if path is None:
            return
        for place, line in _lines(_existing(path)):
            try:
                yield self._row(role, line)
            except (KeyError, ValueError, TypeError) as error:
                raise DataError(f"{place} is no {role} row ({error!r}): see docs/data.md") from error

    def _row(self, role: Role, line: dict[str, Any]) -> Row:
        if role in ("gold_gate", "gold_final"):
            prompt = make_prompt(line["prompt"], system=self.system, stratum="open", source=role)
            return GoldPair(
                id=digest_of("gold", prompt.id, line["right"], line["wrong"]),
                messages=prompt.messages,
                right=line["right"],
                wrong=line["wrong"],
                source=role,
            )
        stratum = line.get("stratum", "open")
        if stratum not in ("closed", "open"):
            raise ValueError(f"stratum {stratum!r} is neither closed nor open")
        prompt = make_prompt(
            line["prompt"],
            system=self.system,
            stratum=stratum,
            source=role,
            references=tuple(line.get("references", ())),
            match=line.get("match", "exact" if stratum == "closed" else None),
        )
        return HumanAnswer(prompt=prompt, text=line["answer"]) if role == "human" else prompt


AnyData = EmbeddedData | ScriptedData | JsonlData
DataSpec = Annotated[AnyData, Field(discriminator="kind")]


def check_prompts(prompts: Iterator[Prompt], role: Role) -> Iterator[Prompt]:
    """`prompts`, unchanged. Raises DataError at the first empty or repeated one."""
    seen: set[str] = set()
    for number, prompt in enumerate(prompts, start=1):
        question: Message = prompt.messages[-1]
        if not question.content.strip():
            raise DataError(f"{role} prompt {number} is empty: delete it or write a question")
        if prompt.id in seen:
            raise DataError(f"{role} prompt {number} repeats an earlier one ({question.content[:60]!r}): delete it")
        seen.add(prompt.id)
        yield prompt


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"{path} does not exist: give the path of a .jsonl file")
    return path


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open() as file:
        for number, text in enumerate(file, start=1):
            if text.strip():
                try:
                    yield f"{path}:{number}", json.loads(text)
                except ValueError as error:
                    raise DataError(f"{path}:{number} is not JSON ({error})") from error
