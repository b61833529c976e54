"""A constitution: principles by which answers are criticised, revised and compared."""

import random
from collections import Counter

from pydantic import Field, PositiveInt, model_validator

from selfreward.records import digest_of
from selfreward.spec import Spec, identity

_NAME = r"^[a-z][a-z0-9_]*$"


class Principle(Spec):
    """One thing that is asked of answers, in the three forms in which it is put to a model.

    `critique` says what to look for in an answer, `revision` how to rewrite it, `question` asks which of two answers
    is the better one.
    """

    id: str = Field(pattern=_NAME)
    critique: str = Field(min_length=1)
    revision: str = Field(min_length=1)
    question: str = Field(min_length=1)


class WorkedRevision(Spec):
    """An answer to a question as it should be criticised and revised by the `principle` of that id."""

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    principle: str
    critique: str = Field(min_length=1)
    revision: str = Field(min_length=1)


class Constitution(Spec):
    """Principles, of which one is drawn for each critique and each comparison, and worked examples of revision."""

    id: str = Field(pattern=_NAME)
    version: PositiveInt
    principles: tuple[Principle, ...] = Field(min_length=1)
    examples: tuple[WorkedRevision, ...] = ()

    @model_validator(mode="after")
    def _names_agree(self) -> "Constitution":
        named = Counter(one.id for one in self.principles)
        (most, times) = named.most_common(1)[0]
        if times > 1:
            raise ValueError(f"{times} principles have the id {most}: give each an id of its own")
        for example in self.examples:
            if example.principle not in named:
                raise ValueError(
                    f"the example {example.question!r} is by the principle {example.principle!r}, which is not there: "
                    f"name one of {', '.join(named)}"
                )
        return self

    @property
    def name(self) -> str:
        """`id@version:digest`, where the digest is that of everything the constitution says."""
        return f"{self.id}@{self.version}:{digest_of('constitution', identity(self))}"

    def draw(self, seed: int) -> Principle:
        """The principle that `seed` draws, each as likely as any other."""
        return random.Random(seed).choice(self.principles)

    def names(self) -> dict[str, str]:
        """How rows name each principle, by its id: `id@version:digest/principle`, by which its text is found again."""
        name = self.name
        return {one.id: f"{name}/{one.id}" for one in self.principles}
