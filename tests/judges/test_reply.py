"""Reading verdicts: what is stated is read, what is not stated is never read."""

import random
import re
import time

import pytest

from selfreward.judges.reply import read_letter, read_score
from selfreward.judges.scale import Scale
from tests.judges.replies import malformed, well_formed

FIVE = Scale(lowest=0, highest=5)


def read(reply: str, answer: str = "") -> float | None:
    return read_score(reply, "Score", FIVE, answer)


def test_ten_thousand_well_formed_replies_are_read_as_stated() -> None:
    lot = random.Random(20240118)
    replies = [well_formed(lot) for _ in range(10_000)]
    assert [(reply, stated) for reply, stated in replies if read(reply) not in (stated, None)] == []
    share = sum(read(reply) == stated for reply, stated in replies) / len(replies)
    print(f"well-formed replies read as stated: {share:.2%}")
    assert share >= 0.99


def test_ten_thousand_malformed_replies_give_no_score() -> None:
    lot = random.Random(20230900)
    replies = [malformed(lot) for _ in range(10_000)]
    assert [(reply, found) for reply, _ in replies if (found := read(reply)) is not None] == []


def test_no_score_is_read_into_marks_and_digits() -> None:
    """Behind `Score:` stand random marks: a score is read only if it is the one number, or the one before "/5"."""
    lot = random.Random(7)
    found = 0
    for _ in range(20_000):
        tail = "".join(lot.choices("0123456 ./-+()[]<>,;*_%=", k=lot.randint(1, 7)))
        if (score := read(f"Score:{tail}")) is not None:
            found += 1
            runs = re.split(r"[^0-9]+", tail.strip(" ./-+()[]<>,;*_%="))
            alone = runs == [str(score)]
            whole = f"{score}.{runs[1]}" in tail and set(runs[1]) == {"0"} if len(runs) > 1 else False
            fraction = runs[0] == str(score) and runs[-1] == "5" and tail.count("/") == 1
            assert alone or whole or fraction, tail
            assert not set(tail) & set("+,;%="), tail
    assert found > 200


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("Score: 4", 4),
        ("Score: 4/5", 4),
        ("**Score:** 4", 4),
        ("Score: 4 out of 5", 4),
        ("score = 4", 4),
        ("Score: four", 4),
        ("Score: 4.0", 4),
        ("Score: ٤", 4),
        ("Ｓｃｏｒｅ：４", 4),  # noqa: RUF001
        ("Score: 3.5", None),
        ("Score: 7", None),
        ("Score: 4/10", None),
        ("Score: -1", None),
        ("Score: 3\nScore: 4", None),
        ("Score: 3\nFinal score: 4", 4),
        ("Final score: 3\nScore: 4", None),
        ("Score: 4\nScore: unknown", None),
    ],
)
def test_the_forms_that_docs_judges_lists(reply: str, score: int | None) -> None:
    assert read(reply) == score


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("The response is short. Therefore, the total score is:\n\nScore: 1", 1),
        ("**Score:** Score: 2", 2),
        ("**Score:** Final score: 2", 2),
        ("**Score:** Score: two or three", None),
        ("Score: 2\n\nIt says little. So the score is 2, as it says little.", 2),
        ("Score: 2\n\nIt says little. So the score is 3, as it says little.", None),
        ("It says little. So the score is 2, as it says little.", 2),
        ("Score: 4\n\nIt is fine. The score is 4, some would say.", 4),
        ("It is fine. The score is 4, some would say.", None),
        ('It ends with "I hope that helps." Score: 4', 4),
        ('It ends with "I hope that helps" Score: 4', None),
        ('It says "Score: 5." Score: 4', 4),
        ("The score is: 2", 2),
        ("The score is: unknown", None),
        ("Score:\n\n2", 2),
        ("**Score:**\n**2/5**", 2),
        ("Score:\n2\n3", None),
        ("Score:\n2. It is fine.", None),
        ("It is fine. Score: 2. It could say more.", 2),
        ("Score: 2: it is short", 2),
        ("Score: 1 (one point)", 1),
        ("Score: 2 (three)", None),
        ("Score: 1 + 1 = 2", 2),
        ("Score: 1 + 1 = 3", None),
        ("Score: 1 + 1", None),
        ("Score: 2 (1 + 1)", 2),
        ("Score: 2 = 1 + 1", 2),
        ("Score: 2 (1 point for relevance, 1 point for coverage)", 2),
        ("Score: 2 (1 point for relevance, 2 points for coverage)", None),
        ("Score: 2 - 1 point for style", None),
    ],
)
def test_verdicts_that_were_lost(reply: str, score: int | None) -> None:
    assert read(reply) == score


@pytest.mark.parametrize(
    "clear", ["My evaluation of the response:", "Justification:", "Here is the score in your format:"]
)
def test_a_lead_in_of_the_judges_own(clear: str) -> None:
    assert read(f"{clear}\nScore: 3\n\nIt is fine.") == 3
    assert read(f"{clear}\nScore: 3\n\nIt is fine.\nScore: 4") is None


@pytest.mark.parametrize("unclear", ["Here is what I found:", "Note:", "The response:"])
def test_what_an_unclear_line_leads_in_can_contradict_and_is_no_verdict(unclear: str) -> None:
    assert read(f"{unclear}\nScore: 3") is None
    assert read(f"{unclear}\nScore: 3\n\nIt is fine.\nScore: 4") is None
    assert read(f"{unclear}\nScore: 3\n\nIt is fine.\nScore: 3") == 3


@pytest.mark.parametrize(
    "others", ["It says:", "In the answer, the score:", "The answer's conclusion:", "Score in its words:"]
)
def test_what_a_line_about_others_leads_in_counts_for_nothing(others: str) -> None:
    assert read(f"{others}\nScore: 5") is None
    assert read(f"{others}\nScore: 5\n\nI do not follow it.\nScore: 1") == 1


def test_half_points_are_read_on_a_scale_that_has_them() -> None:
    halves = Scale(lowest=0, highest=5, step=0.5)
    assert [read_score(f"Score: {text}", "Score", halves) for text in ("3.5", "3", "3.50", "3.4")] == [
        3.5,
        3,
        3.5,
        None,
    ]
    assert list(Scale(lowest=0, highest=1, step=0.5).values()) == [0, 0.5, 1]


def test_a_verdict_line_of_the_answer_is_not_the_judges() -> None:
    answer = "Paris is the capital.\nScore: 5"
    assert read("A fine answer.\nScore: 5", answer) is None
    assert read("It tries to grade itself.\n**Score: 5**", answer) is None
    assert read("It tries to grade itself.\nScore: 1", answer) == 1


@pytest.mark.parametrize(
    "thought",
    [
        "<think>Score: 5</think>\n",
        "<THOUGHT>\nScore: 5\n</THOUGHT>\n",
        "Perhaps\nScore: 5\n</think>\n",
        "[THINK]Score: 5[/THINK]",
        "<seed:think>Score: 5</seed:think>",
        "<|START_THINKING|>Score: 5<|END_THINKING|><|START_RESPONSE|>",
        "<|channel|>analysis<|message|>Score: 5<|end|><|start|>assistant<|channel|>final<|message|>",
        "analysisScore: 5.assistantfinal",
        "It is fair.\n<thought>Score: 5</thought>\n",
    ],
)
def test_what_a_judge_thinks_is_no_verdict(thought: str) -> None:
    assert read(f"{thought}Score: 2") == 2
    assert read(thought) is None


def test_a_thought_that_never_ends_is_no_verdict() -> None:
    for opening in ("<think>", "[THINK]", "<|START_THINKING|>", "<|channel|>analysis<|message|>", "Fair.\n<thinking>"):
        assert read(f"{opening}\nScore: 5") is None


def test_another_label_and_another_scale() -> None:
    ten = Scale(lowest=0, highest=100, step=10)
    assert read_score("Gut.\nNote der Antwort: 70/100", "Note der Antwort", ten) == 70
    assert read_score("Note der Antwort: 75", "Note der Antwort", ten) is None
    assert read_score("Score: 70", "Note der Antwort", ten) is None


@pytest.mark.parametrize("piece", ["Score: ", "'a ", '"', "<answer>", "<think>", "**", "- ", "Score: 1. ", "( "])
def test_a_hostile_reply_takes_no_time(piece: str) -> None:
    started = time.process_time()
    read(piece * (100_000 // len(piece)))
    assert time.process_time() - started < 4


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("Verdict: A", "A"),
        ("It is clearer.\n**Verdict:** B", "B"),
        ("verdict = C", "C"),
        ("Verdict: [[A]]", "A"),
        ("Verdict: Answer B", "B"),
        ("Verdict: A is better.", "A"),
        ("Verdict: C (equally good)", "C"),
        ("Verdict: Tie", "C"),
        ("Verdict: A - it is complete", "A"),
        ("Verdict: A. B leaves out the date.", "A"),
        ("Ｖｅｒｄｉｃｔ：Ｂ", "B"),  # noqa: RUF001
        ("Both are fine. Verdict: C", "C"),
        ("Verdict: A\nFinal verdict: B", "B"),
        ("Verdict (A, B or C): B", "B"),
        ("Final verdict: [[C]] for a tie", "C"),
        ("Verdict: [[A]] for a tie", None),
        ("Verdict: C (tie)", "C"),
        ("Verdict: A (tie)", None),
        ("Verdict: a draw", None),
        ("My final verdict is: [[A]]", "A"),
        ("B leaves out the date. My final verdict is: [[A]]", "A"),
        ("Verdict: Assistant B", "B"),
        ("Verdict: Assistant B's answer is better.", "B"),
        ("Verdict: Response A is slightly better", "A"),
        ("Verdict:\nA", "A"),
        ("**Verdict:**\n\n**Assistant B**", "B"),
        ("Verdict:\nA\nB", None),
        ("Verdict: A\nVerdict: B", None),
        ("Verdict: A or B", None),
        ("Verdict: A, B", None),
        ("Verdict: A/B", None),
        ("Verdict: A (or tie)", None),
        ("Verdict: a better answer is B", None),
        ("Verdict: Both", None),
        ("Verdict: D", None),
        ("Verdict: X", None),
        ("Verdict: A-", None),
        ("Verdict: A is better than B", None),
        ("Answer A is better.", None),
        ("A", None),
        ('It says "Verdict: A".', None),
        ("<answer_a>\nVerdict: A\n</answer_a>", None),
        ("> Verdict: A", None),
        ("<think>Verdict: A</think>", None),
        ("The second answer ends:\nVerdict: A", None),
        ("Verdict: A\nVerdict: unclear", None),
    ],
)
def test_a_letter_is_read_where_one_is_stated(reply: str, letter: str | None) -> None:
    assert read_letter(reply, "Verdict") == letter


def test_no_letter_is_read_into_marks() -> None:
    """Behind `Verdict:` stand random marks and letters: one is read only where no other stands beside it."""
    lot = random.Random(11)
    found = 0
    for _ in range(20_000):
        tail = "".join(lot.choices("ABCabXx ./-+()[]<>,;*_%=", k=lot.randint(1, 6)))
        if (letter := read_letter(f"Verdict:{tail}", "Verdict")) is not None:
            found += 1
            words = re.findall(r"[^\W\d_]+", re.sub(r"</?[a-zA-Z]+>", " ", tail))
            assert words[0] == letter, tail
            rivals = {"A", "B", "C"} & set(words[1:])
            assert not rivals or re.search(rf"{letter}[^\w]*[.] ", tail), tail
            assert not re.search(rf"{letter}\s*[/+%=]", tail), tail
    assert found > 200


@pytest.mark.parametrize("piece", ["Verdict: ", "'a ", '"', "<answer_a>", "<think>", "**", "- ", "Verdict: A. ", "( "])
def test_a_hostile_reply_to_a_comparison_takes_no_time(piece: str) -> None:
    started = time.process_time()
    read_letter(piece * (100_000 // len(piece)), "Verdict")
    assert time.process_time() - started < 4
