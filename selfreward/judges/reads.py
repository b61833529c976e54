"""How a judge's reply says its verdict: `reads` of a rubric and of a comparison, each checked by worked examples.

The verdict of a rubric is a score on its scale, that of a comparison how far the first answer is preferred, 0 to 1.
"""

from collections.abc import Mapping
from re import Match
from typing import Annotated, Literal

from pydantic import Field, model_validator

from selfreward.judges.both_orders import higher
from selfreward.judges.json_values import Path, at_path, named
from selfreward.judges.marked import compiled, read_json, read_pattern
from selfreward.judges.own_words import plain
from selfreward.judges.reply import read_letter, read_number, read_score
from selfreward.judges.scale import Scale, is_alone
from selfreward.spec import Json, Spec

LETTER_PREFERENCES: Mapping[str, float] = {"A": 1.0, "B": 0.0, "C": 0.5}


class ReadExample(Spec):
    """A reply and the verdict that it says, None where it says none."""

    reply: str
    says: float | None


Examples = Annotated[tuple[ReadExample, ...], Field(min_length=1)]


class LineReads(Spec):
    """A line `<label>: N`, or of a comparison `<label>: A`, B or C."""

    kind: Literal["line"] = "line"
    examples: tuple[ReadExample, ...] = ()


class PatternReads(Spec):
    """What the one group of `pattern` matches: a key of `values`, or of a rubric a number."""

    kind: Literal["pattern"] = "pattern"
    pattern: str
    values: dict[str, float] = Field(default_factory=dict)
    examples: Examples

    @model_validator(mode="after")
    def _has_a_group(self) -> "PatternReads":
        _check_groups(self.pattern, 1)
        return self


class JsonReads(Spec):
    """The value at `path` in a list or object of JSON: a key of `values`, or of a rubric a number."""

    kind: Literal["json"] = "json"
    path: Path
    values: dict[str, float] = Field(default_factory=dict)
    examples: Examples


class ScoresPattern(Spec):
    """Two scores on `scale`, of the answer shown first and of the other: the two groups of `pattern`."""

    kind: Literal["scores"] = "scores"
    pattern: str
    scale: Scale
    examples: Examples

    @model_validator(mode="after")
    def _has_two_groups(self) -> "ScoresPattern":
        _check_groups(self.pattern, 2)
        return self


class ScoresJson(Spec):
    """Two numbers in JSON, at `first` and `second`, of which the highest or the lowest is `best`: scores, or ranks."""

    kind: Literal["json_scores"] = "json_scores"
    first: Path
    second: Path
    best: Literal["highest", "lowest"]
    examples: Examples


ScoreReads = Annotated[LineReads | PatternReads | JsonReads, Field(discriminator="kind")]
VerdictReads = Annotated[LineReads | PatternReads | JsonReads | ScoresPattern | ScoresJson, Field(discriminator="kind")]


def values_of(reads: VerdictReads) -> Mapping[str, float]:
    """The verdicts that have names."""
    return reads.values if isinstance(reads, PatternReads | JsonReads) else {}


def _check_groups(pattern: str, groups: int) -> None:
    """Raises ValueError where `pattern` is no regular expression with as many groups."""
    found = compiled(pattern).groups
    if found != groups:
        raise ValueError(f"{pattern!r} has {found} groups and needs {groups}: write the others as (?:...)")


def verdict_in(
    reads: VerdictReads, reply: str, label: str, scale: Scale | None = None, answer: str = ""
) -> float | None:
    """The verdict of `reply` on `answer`: a score on `scale`, without one how far the first is preferred, else None."""
    match reads:
        case LineReads():
            if scale is not None:
                return read_score(reply, label, scale, answer)
            letter = read_letter(reply, label)
            return None if letter is None else LETTER_PREFERENCES[letter]
        case PatternReads(pattern=pattern, values=values):

            def stated(text: str, found: Match[str]) -> float | None:
                value = _of(values, found[1]) if is_alone(text, *found.span(1)) else None
                return value if value is not None or scale is None else _number(text, found, 1, scale)

            return read_pattern(reply, pattern, stated, answer)
        case JsonReads(path=path, values=values):

            def pick(value: Json) -> tuple[bool, float | None]:
                there, said = at_path(value, path)
                named = _of(values, said)
                return there, named if named is not None or scale is None else _score(said, scale)

            return read_json(reply, pick, answer)
        case ScoresPattern(pattern=pattern, scale=own):
            return read_pattern(
                reply, pattern, lambda text, found: higher(*(_number(text, found, place, own) for place in (1, 2)))
            )
        case ScoresJson(first=first, second=second, best=best):

            def both(value: Json) -> tuple[bool, float | None]:
                (one_there, one), (other_there, other) = at_path(value, first), at_path(value, second)
                numbers = _plain_number(one), _plain_number(other)
                return one_there or other_there, higher(*(numbers if best == "highest" else reversed(numbers)))

            return read_json(reply, both)


def _of(values: Mapping[str, float], said: Json) -> float | None:
    """The value of a key, in whatever case where there is but one."""
    return named(values, str(said).strip())[1] if isinstance(said, str | int) and not isinstance(said, bool) else None


def _number(text: str, found: Match[str], group: int, scale: Scale) -> float | None:
    alone = found[group] is not None and is_alone(text, *found.span(group), scale)
    return read_number(found[group], scale) if alone else None


def _score(said: Json, scale: Scale) -> float | None:
    if isinstance(said, str):
        return read_number(plain(said), scale)
    return None if (number := _plain_number(said)) is None else scale.at(number)


def _plain_number(said: Json) -> float | None:
    return None if isinstance(said, bool) or not isinstance(said, int | float) else said
