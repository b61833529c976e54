"""One score an answer, from judges of every form; what a judge does not say is an outcome, never a number."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from selfreward.artifacts import Output
from selfreward.artifacts.output import Advance
from selfreward.errors import StageError
from selfreward.judge_quality.answer_scores import items_of, score_answers
from selfreward.judges.base import Item, Judge, Standardising
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.judges.pointwise import pointwise
from selfreward.judges.standard import Standard, standard_of
from selfreward.judges.verifier import VerifierSpec
from selfreward.metrics.sharpening import EvaluatedAnswer
from selfreward.policies import Policy
from selfreward.records import Judgment, Outcome, Usage, make_prompt
from tests.support import Silent

PROMPTS = [make_prompt(f"What is {n} + 1?", system="", stratum="closed", source="test") for n in range(40)]
NOW, FIRST = (Policy(path=Path(name), key=name, digest=name) for name in ("now", "first"))
ABSOLUTE = VerifierSpec()


def answers(policy: Policy, *texts: str) -> list[Item]:
    given = {one.id: [answer(one.id, index, text) for index, text in enumerate(texts)] for one in PROMPTS}
    return items_of(PROMPTS, given, policy, seed=0)


def answer(prompt_id: str, index: int, text: str) -> EvaluatedAnswer:
    return EvaluatedAnswer(
        prompt_id=prompt_id,
        stratum="closed",
        temperature=0.9,
        index=index,
        text=text,
        answer=text,
        right=None,
        finish="stop",
        tokens=2,
    )


def by_length(items: Sequence[Item], seed: int, advance: Advance) -> list[Judgment]:
    """Twice: its length, and one more; an answer that says nothing is not read."""
    advance(len(items))
    said = []
    for item in items:
        outcome: Outcome = "scored" if item[1].text else "truncated"
        for repeat in (0, 1):
            score = float(len(item[1].text) + repeat) if item[1].text else None
            said.append(pointwise(item, judge="length", outcome=outcome, score=score, raw="", repeat=repeat))
    return said


def longer(items: Sequence[Item], seed: int, advance: Advance) -> list[Judgment]:
    """Prefers the longer one of two, in both orders."""
    advance(len(items))
    said = []
    for number in range(0, len(items), 2):
        (prompt, one), (_, other) = sorted(items[number : number + 2], key=lambda item: item[1].index)
        for order in ((0, 1), (1, 0)):
            said.append(
                Judgment(
                    prompt_id=prompt.id,
                    candidate_ids=(one.id, other.id),
                    order=order,
                    judge="longer",
                    outcome="scored",
                    verdict="first" if len(one.text) > len(other.text) else "second",
                    raw="",
                    usage=Usage(prompt_tokens=3, completion_tokens=1),
                )
            )
    return said


def output(folder: Path) -> Output:
    return Output(path=folder, title="test", reporter=Silent())


def nothing(_: int) -> None:
    """Progress that nobody watches."""


scores = partial(score_answers, standard=None, seed=0, advance=nothing)


@pytest.fixture
def pairwise() -> PairwiseSpec:
    from selfreward.__main__ import compose
    from selfreward.config import validate

    judge = validate(compose(["judge=pairwise"])).judge
    assert isinstance(judge, PairwiseSpec)
    return judge


def test_an_answer_has_the_mean_of_its_scores_or_the_reason_why_not(tmp_path: Path) -> None:
    out, items = output(tmp_path), answers(NOW, "four", "")
    found, standard = scores(out, ABSOLUTE, Judge("length", by_length), items, None, rows="gold")
    assert standard is None
    assert [one.candidate_id for one in found] == [one.id for _, one in items]
    assert {(one.score, one.outcome) for one in found} == {(4.5, "scored"), (None, "truncated")}
    assert [table.name for table in out.tables] == ["gold_judgments"]
    assert (out.tables[0].rows, out.tables[0].shards) == (160, 2)


def test_a_judge_that_compares_is_asked_about_answers_beside_the_start_models(
    tmp_path: Path, pairwise: PairwiseSpec
) -> None:
    out, judge = output(tmp_path), Judge("longer", longer)
    own, start = answers(NOW, "longer", "same", "a"), answers(FIRST, "long", "same", "ab")
    found, _ = scores(out, pairwise, judge, own, start, rows="proxy")
    assert [one.score for one in found] == [1.0, 0.5, 0.0] * 40
    assert {table.name: table.rows for table in out.tables} == {"proxy_judgments": 160, "proxy_verdicts": 80}
    assert out.counts["tokens"] == 160 * 4


def test_the_start_model_is_even_with_itself_unasked(tmp_path: Path, pairwise: PairwiseSpec) -> None:
    def never(*_: object) -> list[Judgment]:
        raise AssertionError

    own = answers(FIRST, "long", "short")
    found, _ = scores(output(tmp_path), pairwise, Judge("x", never), own, None, rows="gold")
    assert {one.score for one in found} == {0.5}


def test_too_many_failures_name_the_setting(tmp_path: Path) -> None:
    def failing(items: Sequence[Item], seed: int, advance: Advance) -> list[Judgment]:
        return [pointwise(item, judge="x", outcome="failed", raw="gone") for item in items]

    with pytest.raises(StageError, match=r"judgments failed .*of gold: overoptimisation\.gold\.max_failed_share"):
        scores(output(tmp_path), ABSOLUTE, Judge("x", failing), answers(NOW, "a"), None, rows="gold")


def test_scores_are_standardised_on_the_answers_that_were_first_asked_about(tmp_path: Path) -> None:
    def ask(items: Sequence[Item], seed: int, advance: Advance) -> list[Judgment]:
        advance(len(items))
        return [pointwise(item, judge="length", score=float(len(item[1].text)), raw="") for item in items]

    def by(standard: Standard) -> Judge:
        def conclude(_: Sequence[Item], said: Sequence[Judgment]) -> list[Judgment]:
            moments = standard["model_1"]
            return [replace(one, score=one.score and moments.standardised(one.score)) for one in said]

        return Judge("length", ask, conclude)

    judge = Judge("length", ask, standardising=Standardising(standard_of, by))
    for folder in ("first", "later"):
        (tmp_path / folder).mkdir()
    first, standard = scores(
        output(tmp_path / "first"), ABSOLUTE, judge, answers(FIRST, "aa", "bbbb"), None, rows="gold"
    )
    assert sum(one.score or 0.0 for one in first) == pytest.approx(0, abs=1e-4)
    later, kept = scores(
        output(tmp_path / "later"), ABSOLUTE, judge, answers(NOW, "aa", "dddddd"), None, rows="gold", standard=standard
    )
    assert kept is standard
    assert [one.score for one in later[:1]] == [one.score for one in first[:1]], "one text has one score in every round"
    assert later[1].score is not None and first[1].score is not None
    assert later[1].score > first[1].score


def test_the_same_answer_of_another_policy_is_another_candidate() -> None:
    assert not {one.id for _, one in answers(NOW, "a")} & {one.id for _, one in answers(FIRST, "a")}
