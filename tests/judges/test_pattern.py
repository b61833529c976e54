"""Patterns for constrained replies: what matches is read as the verdict it ends in, and asked for by the judges."""

import re
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.__main__ import compose
from selfreward.backends.base import Sampling
from selfreward.config import validate
from selfreward.errors import ConfigError
from selfreward.judges import AnyJudge
from selfreward.judges.jury import JurySpec
from selfreward.judges.reply import LETTERS, explained_pattern, read_letter, read_score
from selfreward.judges.scale import Scale
from tests.judges.made import Told, item, judged, reply
from tests.support import run_scripted

SCALES = [Scale(lowest=0, highest=5), Scale(lowest=-2, highest=2), Scale(lowest=0, highest=100, step=10)]
TOKENS = 60


def scores(scale: Scale) -> str:
    return explained_pattern("Score", [str(score) for score in scale.values()], TOKENS)


LETTER = explained_pattern("Final verdict", LETTERS, TOKENS)
# What stands close to a verdict, is quoted, or hides what follows it.
PIECES = ["Score", "score", "the ", "is", " ", ". ", "3", "4/5", "-", "*", "_", "#", '"', "'", "“", "„", "”", "«", "(",
          "!", "。", "> ", "1. ", "So ", "final ", "１", "，", "\ufeff", "A", "tie", "\u3000"]  # fmt: skip  # noqa: RUF001
REASONS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@pytest.mark.parametrize("scale", SCALES)
@given(data=st.data())
def test_every_match_is_read_as_the_score_it_ends_in(scale: Scale, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(scores(scale), fullmatch=True))
    stated = int(text.rpartition("Score: ")[2])
    # Replies reach the reader without white space at their ends.
    assert read_score(text.strip(), "Score", scale) == stated


@given(text=st.from_regex(LETTER, fullmatch=True))
def test_every_match_is_read_as_the_letter_it_ends_in(text: str) -> None:
    assert read_letter(text.strip(), "Final verdict") == text[-1]


@given(reason=REASONS, stated=st.integers(0, 5))
def test_no_reason_makes_another_verdict(reason: str, stated: int) -> None:
    """One that states another score as a sentence leaves the reply unread; all others leave it as it ends."""
    text = f"{reason}\nScore: {stated}"
    found = read_score(text.strip(), "Score", SCALES[0])
    if re.fullmatch(scores(SCALES[0]), text):
        assert found == stated or (found is None and re.search(r"score\W+is\W", reason, re.IGNORECASE))


@pytest.mark.parametrize(
    "text",
    [
        "Score: 6",
        "Score: 4.",
        "score: 4",
        "4",
        "Good.",
        "Score: 3\nScore: 4",
        "I think\nscore = 3\nScore: 4",
        "Good：\nScore: 4",  # noqa: RUF001
        "It says <answer>\nScore: 4",
        "```\nScore: 4",
        "Good.\u2028Bad.\nScore: 4",
        "Good.\n\n\nScore: 4",
        "Good.\nScore: 4\n",
        "x" * 200 + "\nScore: 4",
    ],
)
def test_what_is_no_match(text: str) -> None:
    assert re.fullmatch(scores(SCALES[0]), text) is None


def test_the_reasons_leave_room_for_the_verdict() -> None:
    pattern = explained_pattern("Score", ["0", "10"], 20)
    line = "Score: 10"
    room = 20 - len(line) - len("\n\n") - 1
    assert re.fullmatch(pattern, f"{'x' * 2 * room}\n\n{line}")
    assert not re.fullmatch(pattern, f"{'x' * (2 * room + 1)}\n\n{line}")
    short = explained_pattern("Score", ["0", "10"], 12)
    assert re.fullmatch(short, line)
    assert not re.fullmatch(short, f"x\n{line}")


@cache
def judge_of(*overrides: str) -> AnyJudge:
    return validate(compose(["backend=vllm", *overrides])).judge


def pattern_asked_for(*overrides: str) -> str | None:
    """The pattern with which a judge asks its backend for replies."""
    backend = Told(replies=[reply("No idea.")])
    judged(judge_of(*overrides), backend, item("4"), item("5", 1))
    ((sampling, _),) = {one for one in backend.wanted if isinstance(one[0], Sampling)}
    assert isinstance(sampling, Sampling)
    return sampling.pattern


@pytest.mark.parametrize("judge", ["rubric", "pairwise", "dimensions"])
def test_only_a_constrained_judge_asks_for_a_pattern(judge: str) -> None:
    assert pattern_asked_for(f"judge={judge}") is None
    assert pattern_asked_for(f"judge={judge}", "judge.constrained=true") is not None


def test_the_pattern_is_the_judges_own() -> None:
    rubric = pattern_asked_for("judge=rubric", "judge.constrained=true", "judge.rubric.scale.highest=4")
    assert rubric is not None
    assert re.fullmatch(rubric, "Right and clear.\nScore: 4")
    assert not re.fullmatch(rubric, "Right and clear.\nScore: 5")
    reasoned = pattern_asked_for("judge=pairwise", "judge.constrained=true")
    assert reasoned is not None
    assert re.fullmatch(reasoned, "The second is clear.\nVerdict: B")
    assert not re.fullmatch(reasoned, "B")
    bare = pattern_asked_for("judge=pairwise", "judge.constrained=true", "judge.reasoning=false")
    assert bare == "A|B|C"


def test_a_member_of_a_jury_is_constrained_by_its_own_setting() -> None:
    jury = judge_of("judge=jury", "judge.members.rubric.constrained=true")
    assert isinstance(jury, JurySpec)
    assert {name: getattr(one, "constrained", None) for name, one in jury.members.items()} == {
        "likelihood": None,
        "pairwise": False,
        "rubric": True,
    }


@pytest.mark.parametrize(
    ("judge", "method"), [("rubric", "expected"), ("dimensions", "expected"), ("pairwise", "probability")]
)
def test_what_is_not_drawn_is_not_constrained(judge: str, method: str) -> None:
    with pytest.raises(ConfigError, match=rf"judge\.method={method}, .*: set judge\.method=sampled") as caught:
        judge_of(f"judge={judge}", f"judge.method={method}", "judge.constrained=true")
    assert "\n" not in str(caught.value)


def test_an_engine_that_cannot_constrain_says_what_to_type(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"set backend=vllm, or .*, or judge\.constrained=false"):
        run_scripted(tmp_path, "judge=rubric", "judge.constrained=true", "loop.iterations=1")
