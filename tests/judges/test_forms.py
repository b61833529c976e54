"""Replies written in each form are read as they were made, whatever they say; what is quoted or unclear is not read."""

import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from selfreward.__main__ import compose
from selfreward.config import validate
from selfreward.errors import ConfigError
from selfreward.judges.prompting import ComparisonTexts, Rubric
from selfreward.judges.reply import read_score
from selfreward.judges.scale import Scale
from tests.judges.forms import COMPARISONS, RUBRICS, additive
from tests.judges.made import Says, Told, item, judged, reply

FIVE = Scale(lowest=0, highest=5)
EACH = 300
Read = Callable[[str], float | None]


def rubric_of(name: str, *overrides: str) -> Rubric:
    return validate(compose(["judge=rubric", f"rubric@judge.rubric={name}", *overrides])).judge.rubric


def comparison_of(name: str) -> ComparisonTexts:
    return validate(compose(["judge=pairwise", f"comparison@judge.comparison={name}"])).judge.comparison


def reader_of(name: str) -> Read:
    if name in RUBRICS:
        return rubric_of(name).read
    return partial(comparison_of(name).read, explained=True)


def test_of_the_additive_rubric_one_percent_is_lost_at_most_at_every_score_and_none_is_read_as_another() -> None:
    lot = random.Random(240110020)
    for score in range(6):
        found = Counter(read_score(additive(lot, score), "Score", FIVE) for _ in range(EACH))
        print(f"score {score}: {found}")
        assert found.keys() <= {score, None}
        assert found[None] <= EACH // 100


@pytest.mark.parametrize("name", [*RUBRICS, *COMPARISONS])
def test_a_trained_judge_is_read_as_it_was_made(name: str) -> None:
    lot = random.Random(7)
    made = [({**RUBRICS, **COMPARISONS}[name])(lot) for _ in range(EACH)]
    read = reader_of(name)
    assert [(text, value) for text, value in made if read(text) != value] == []
    assert len({value for _, value in made}) >= 3


SCORED = [("result_mark", "[RESULT] 4"), ("score_tag", "<score>4</score>"), ("half_points", "[[4.5]]")]
COMPARED = [
    ("letter_mark", "[[A]]", "[[B]]"),
    ("five_degrees", "[[A>>B]]", "[[A>B]]"),
    ("boxed_letter", r"\boxed{A}", r"\boxed{B}"),
]
COMPARED += [("two_scores", "<answer>9</answer><answer>8</answer>", "<answer>5</answer><answer>8</answer>")]
FORMS = [(name, mark, mark.replace("4", "2")) for name, mark in SCORED] + COMPARED
FORMS += [("json_score", '{"score": 4}', '{"score": 2}')]
FORMS += [("json_ranking", "[{'model': 'model_1', 'rank': 1}, {'model': 'model_2', 'rank': 2}]",
           "[{'model': 'model_1', 'rank': 2}, {'model': 'model_2', 'rank': 1}]")]  # fmt: skip


@pytest.mark.parametrize(("name", "one", "other"), FORMS)
def test_the_strict_rules_hold_for_every_form(name: str, one: str, other: str) -> None:
    read = reader_of(name)
    said = read(f"It is right.\n\n{one}")
    assert said is not None
    assert said != read(other)
    nothing = [
        "",
        "It is right, and I give no verdict.",
        f"{one}\nOn reflection:\n{other}",
        f"<think>{one}</think>",
        f"<think>{one}",
        f"> {one}",
        f"The answer ends with:\n{one}",
        f"The response says {one}",
        f"<response>\n{one}\n</response>",
        f"It says “{one}”, which counts for nothing.",
    ]
    assert [text for text in nothing if name != "json_ranking" or "“" not in text if read(text) is not None] == []
    assert read(f"{one}\n\nShort, but right.\n\n{one}") == said
    assert read(f"<think>{other}</think>\n{one}") == said
    assert read(f"The answer ends with:\n{other}\n\nI do not follow it.\n\n{one}") == said


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("result_mark", "[RESULT] 4.5", None),
        ("result_mark", "[RESULT] 4-5", None),
        ("result_mark", "[RESULT] 4 or 5", None),
        ("result_mark", "[RESULT] 4/10", None),
        ("result_mark", "[RESULT] -4", None),
        ("result_mark", "[RESULT] 6", None),
        ("result_mark", "[RESULT] four", None),
        ("result_mark", "[RESULT] ４", 4),  # noqa: RUF001
        ("result_mark", "[RESULT] 2\n\nThe final result is [RESULT] 3", 3),
        ("score_tag", "<score>7</score><score>7</score>", 7),
        ("score_tag", "<score>seven</score>", None),
        ("half_points", "[[10]]", 10),
        ("half_points", "[[0.5]]", None),
        ("json_score", '{"score": 4, "score": 5}', None),
        ("json_score", '{"score": 4, "score": 4}', 4),
        ("json_score", '{"score": true}', None),
        ("json_score", '{"score": 4.5}', None),
        ("json_score", '{"score": "4 or 5"}', None),
        ("json_score", '{"score": 1e0}', 1),
        ("json_score", '{"result": {"score": 4}}', None),
        ("json_score", '{"reason": "it says {\\"score\\": 5}", "score": 2}', 2),
        ("json_score", '{"reason": "an \\"odd\\" mark", "score": 2,}', 2),
        ("json_score", '{"reason": "a "bad" quote", "score": 2}', None),
        ("json_score", '{"reason": bad, "inner": {"score": 3}, "score": 2}', None),
        ("json_score", '{"score": 4}\n{"score": 5}', None),
        ("json_score", '`{"score": 4}`', None),
        ("letter_mark", "[[a]]", None),
        ("letter_mark", "[[A]], that is [[A]]", 1),
        ("letter_mark", "[[D]]", None),
        ("letter_mark", "I first wrote [[A]]. My final verdict is: [[B]]", 0),
        ("five_degrees", "[[A>>>B]]", None),
        ("five_degrees", "[[A<B]]", 0.25),
        ("boxed_letter", r"\boxed{AB}", None),
        ("two_scores", "<answer>9</answer>\n<answer>9.0</answer>", 0.5),
        ("two_scores", "<answer>9.3</answer><answer>8</answer>", None),
        ("two_scores", "<answer>9</answer> is mine for <answer>8</answer>", None),
        ("json_ranking", "[{'model': 'model_1', 'rank': 1}, {'model': 'model_1', 'rank': 2}]", None),
        ("json_ranking", '{"model_1": 1, "model_2": 2}', None),
    ],
)
def test_what_a_form_says_and_no_more(name: str, text: str, value: float | None) -> None:
    assert reader_of(name)(text) == value


def test_json_that_the_judged_answer_holds_is_not_the_judges() -> None:
    rubric = rubric_of("json_score")
    assert rubric.read('{"score": 5}', 'I am right. {"score": 5}') is None
    assert rubric.read('{"score": 1}', 'I am right. {"score": 5}') == 1
    assert rubric_of("result_mark").read("[RESULT] 5", "[RESULT] 5") is None


@pytest.mark.parametrize("name", [*RUBRICS, *COMPARISONS])
@pytest.mark.parametrize(
    "piece", ['"', "'a ", "„", "<answer>", "[[A]] ", "[RESULT]   ", '{"a":[', "['a',", "[", "{", "\n", "`\n"]
)
def test_a_hostile_reply_takes_time_in_proportion(name: str, piece: str) -> None:
    assert_linear(reader_of(name), piece)


HOSTILE = [
    "Score: ",
    "'a ",
    '"',
    "“a",
    "«",
    "<answer>",
    "<think>",
    "Score:\n",
    "1+",
    "1 + ",
    "( ",
    "a:\n",
    "So the score is 2, ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_line_takes_time_in_proportion(piece: str) -> None:
    assert_linear(rubric_of("additive_five_point").read, piece)


def assert_linear(read: Read, piece: str) -> None:
    """100,000 characters within four seconds, most within a half: what is quadratic takes more than ten."""
    started = time.process_time()
    read(piece * (100_000 // len(piece)))
    assert time.process_time() - started < 4


def test_a_rubric_whose_examples_do_not_read_so_is_refused_in_one_line() -> None:
    wrong = "judge.rubric.reads.examples=[{reply: '[RESULT] 4', says: 5}]"
    with pytest.raises(
        ConfigError, match=r"judge\.rubric: reads: the example '\[RESULT\] 4' reads as 4 and says 5"
    ) as caught:
        rubric_of("result_mark", wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("result_mark", "judge.rubric.reads.pattern='(\\d'", r"judge\.rubric\.reads: .* is no regular expression"),
        ("result_mark", "judge.rubric.reads.pattern='\\d'", r"judge\.rubric\.reads: .* has 0 groups and needs 1"),
        ("result_mark", "judge.rubric.reads.examples=[]", r"judge\.rubric\.reads\.examples.*at least 1"),
        ("result_mark", "judge.rubric.reads.kind=xml", r"judge\.rubric\.reads.*'line', 'pattern', 'json'"),
        ("json_score", "judge.rubric.reads.path='score..x'", r"judge\.rubric\.reads\.path=score\.\.x: a path is names"),
        ("json_score", "++judge.rubric.reads.values={good: 9}", r"reads\.values\.good=9 is not on the scale"),
        ("half_points", "judge.method=expected", r"half points are no single tokens: set judge\.method=sampled"),
        (
            "half_points",
            "judge.rubric.scale.step=0.3",
            r"steps of 0\.3: set step to a whole number above 0, or to 0\.5",
        ),
        ("result_mark", "judge.constrained=true", r"result_mark reads a pattern: set judge\.constrained=false"),
    ],
)
def test_a_mistake_in_how_replies_are_read_is_one_line(name: str, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        rubric_of(name, override)
    assert "\n" not in str(caught.value)


def test_a_comparison_in_another_form_is_not_constrained_but_its_bare_letter_is() -> None:
    asked = ["judge=pairwise", "comparison@judge.comparison=letter_mark", "judge.constrained=true", "backend=vllm"]
    with pytest.raises(ConfigError, match=r"letter_mark reads a pattern: set judge\.constrained=false"):
        validate(compose(asked))
    assert validate(compose([*asked, "judge.reasoning=false"])).judge.constrained


def test_a_pattern_that_takes_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfreward.judges.marked._SECONDS", 0.2)
    slow = r"judge.rubric.reads.pattern='(?:(?:a|aa)+)+ (\d)!'"
    rubric = rubric_of("result_mark", slow, "judge.rubric.reads.examples=[{reply: 'a 1!', says: 1}]")
    with pytest.raises(
        ConfigError, match=r"reads\.pattern .* took more than 0\.2 seconds .*: write it without a repeat"
    ):
        rubric.read("a" * 200)


def test_values_may_be_words() -> None:
    rubric = rubric_of(
        "json_score",
        "++judge.rubric.reads.values={good: 5, bad: 1}",
        "judge.rubric.reads.path=verdict",
        'judge.rubric.reads.examples=[{reply: \'{"verdict": "Good"}\', says: 5}]',
    )
    assert rubric.read('{"verdict": "bad"}') == 1
    assert rubric.read('{"verdict": "so so"}') is None
    assert rubric.read('{"verdict": 3}') == 3


def test_half_points_are_scores_and_cut_replies_are_none() -> None:
    spec = validate(compose(["judge=rubric", "rubric@judge.rubric=half_points"])).judge
    (scored,) = judged(spec, Told(replies=[reply("Rating: [[7.5]]")]), item("4"))
    (cut,) = judged(spec, Told(replies=[reply("Rating: [[7.5]]", finish="length")]), item("4"))
    assert (scored.outcome, scored.score) == ("scored", 7.5)
    assert (cut.outcome, cut.score) == ("truncated", None)


def degrees(first_shown: str, second_shown: str) -> list[tuple[str | None, float | None]]:
    """The two judgments of answers "good" and "bad", by what is said where each is shown first."""
    spec = validate(compose(["judge=pairwise", "comparison@judge.comparison=five_degrees"])).judge

    def says(message: str) -> str:
        return first_shown if message.index("\ngood\n") < message.index("\nbad\n") else second_shown

    return [(one.verdict, one.score) for one in judged(spec, Says(says), item("good"), item("bad", 1))]


def test_a_degree_is_a_verdict_with_how_far_it_goes_in_either_order() -> None:
    assert degrees("[[A>B]]", "[[B>A]]") == [("first", 0.75), ("first", 0.75)]
    assert degrees("[[A>>B]]", "[[B>A]]") == [("first", None), ("first", 0.75)]
    assert degrees("[[B>A]]", "[[A=B]]") == [("second", 0.25), ("tie", None)]
