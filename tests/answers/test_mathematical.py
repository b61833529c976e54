"""Mathematical answers by math-verify: what is equal, what is read as nothing, and what is too hard to tell."""

import importlib.util
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfreward.answers import accepts, distinct_key, is_right, mathematical, read_answer
from selfreward.data.matchable import echoed
from selfreward.errors import DataError
from selfreward.judges.base import Means
from selfreward.judges.verifier import VerifierSpec
from selfreward.metrics.sharpening import EvaluatedAnswer
from selfreward.records import Judgment, Prompt, make_prompt
from selfreward.seeding.rankings import ranked_by_verifier
from tests.data.owning import own, write
from tests.stages.tables import drawn
from tests.support import run_scripted

HARD = "$9^{9^{9^9}}$"


def asking(*references: str) -> Prompt:
    return make_prompt("?", system="", stratum="closed", source="test", references=references, match="math")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A second of processor time instead of five; what is too hard is not remembered."""
    monkeypatch.setattr(mathematical, "SECONDS", 1.0)
    mathematical.stop()
    yield
    mathematical.stop()
    mathematical.read_math.cache_clear()


@pytest.mark.parametrize(
    ("reference", "reply"),
    [
        (r"\frac{1}{2}", "It is 0.5."),
        ("1/2", r"So we have $\frac{2}{4}$."),
        ("x^2+2x+1", r"It factors, \boxed{(x+1)^2}"),
        (r"\{1,2\}", r"\boxed{\{2, 1\}}"),
        (r"\sqrt{8}", r"\boxed{2\sqrt{2}}"),
        ("3", "$x = 3$"),
        ("1,234", "The answer is 1234."),
        ("1e400", r"\boxed{10^{400}}"),
        ("0.0015", "It is 1.5e-3 in all."),
        ("1500", "about 1.5 \u00d7 10^3"),
        ("1500", r"It is 1.5 \times 10^{3}"),
    ],
)
def test_equal_values_are_right_however_they_are_written(reference: str, reply: str) -> None:
    assert is_right(asking(reference), reply) is True, read_answer(reply, asking(reference))


@pytest.mark.parametrize(
    ("reference", "reply"),
    [
        ("1", "1e400"),
        ("10", "1.5 \u00d7 10^3"),
        ("1/3", "0.33"),
        ("(0,1)", r"\boxed{[0,1]}"),
        ("4", "\x1b[31mfour"),
        ("1", "__import__('os').abort()"),
    ],
)
def test_other_values_are_wrong(reference: str, reply: str) -> None:
    assert is_right(asking(reference), reply) is False, read_answer(reply, asking(reference))


@pytest.mark.parametrize("reply", ["", "It is Paris.", r"$\frac{1}{$", r"\boxed{}"])
def test_words_and_broken_latex_are_no_answer_and_never_equal_to_themselves(reply: str) -> None:
    found = read_answer(reply, asking(reply, "1"))
    assert (found.answer, accepts(asking(reply, "1"), found)) == (None, False)


def test_any_of_several_references_is_right_and_equal_numbers_are_one_answer() -> None:
    assert is_right(asking("7", "0.5"), r"$\frac12$") is True
    assert {distinct_key(asking("7"), text) for text in ("It is 0.5.", r"\boxed{\frac{1}{2}}", "1/2")} == {"1/2"}


@pytest.mark.usefixtures("impatient")
def test_a_hard_expression_is_failed_for_a_verifier_and_never_wrong_and_the_next_answer_is_read() -> None:
    prompt = asking("5")
    items = [(prompt, drawn(prompt, index, text)) for index, text in enumerate([HARD, "5", "1e99999", "6"])]
    started = time.monotonic()
    judgments = VerifierSpec().build(Means()).ask(items, 0, lambda _: None)
    assert [(one.outcome, one.score) for one in judgments] == [
        ("failed", None),
        ("scored", 1.0),
        ("failed", None),
        ("scored", 0.0),
    ]
    assert judgments[0].raw == "too hard for math-verify: takes more than 1 s"
    VerifierSpec().build(Means()).ask(items, 0, lambda _: None)
    assert time.monotonic() - started < 60, "it is not tried again"
    assert is_right(prompt, HARD) is None
    assert distinct_key(prompt, HARD) == HARD
    (ranking,) = ranked_by_verifier([prompt], [candidate for _, candidate in items], Counter())
    assert {answer.text for answer in ranking.answers} == {"5", "6"}


def test_a_reference_that_nothing_is_read_in_makes_no_answer_wrong_and_is_counted_when_the_data_are_read() -> None:
    broken = asking(r"\frac{1}{")
    assert is_right(broken, "1") is None
    assert "reads nothing in the reference" in (read_answer("1", broken).undecided or "")
    assert is_right(asking(r"\frac{1}{", "1"), "1") is True
    assert echoed(broken) == [False]
    assert echoed(asking(r"\frac{1}{2}", "50%", "x=3")) == [True, True, True]


def test_a_worker_that_dies_between_two_answers_is_started_again() -> None:
    assert is_right(asking("11"), "11") is True
    (process,) = mathematical._running.values()
    process.kill()
    process.wait()
    assert is_right(asking("12"), "12") is True


def test_without_math_verify_the_data_say_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mathematical.stop()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    rows = [{"prompt": "What is half?", "answer": "1/2", "match": "math"}]
    (prompt, *_) = own(train=write(tmp_path / "train.jsonl", rows), split={"held_out": 0, "probe": 0}).rows("train")
    assert isinstance(prompt, Prompt)
    with pytest.raises(DataError, match=r"^match=math is read by math-verify, .*type `pip install math-verify`$"):
        echoed(prompt)


def test_the_loop_runs_on_it_and_says_of_sums_what_numeric_says(tmp_path: Path) -> None:
    found = {}
    for match in ("numeric", "math"):
        rows = [{"prompt": f"What is {n} + 3?", "answer": str(n + 3), "match": match} for n in range(40)]
        train = write(tmp_path / match / "train.jsonl", rows)
        settings = ("data=files", f"data.train={train}", "judge=verifier", "mix.real_share=0", "loop.iterations=1")
        stages = run_scripted(tmp_path / match, *settings, "select.threshold=1").iterations[0]
        scores = [(one.outcome, one.score) for one in stages["judge"].records(Judgment)]
        rights = [one.right for one in stages["evaluate"].records(EvaluatedAnswer)]
        found[match] = scores, rights
    assert found["math"] == found["numeric"]
    assert {score for _, score in found["math"][0]} == {0.0, 1.0}
