"""A reply apart from its thought: every marker, what is no marker, and hostile text."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from selfreward.thought import answer_of, estimated_answer_tokens, split_thought

CHANNELS = (
    "<|channel|>analysis<|message|>The user asks.<|end|><|start|>assistant<|channel|>commentary<|message|>So."
    "<|end|><|start|>assistant<|channel|>final<|message|>"
)
COMMENTARY = (
    "<|channel|>commentary to=functions.look <|constrain|>json<|message|>{}<|call|>"
    "<|start|>assistant<|channel|>final<|message|>"
)


@pytest.mark.parametrize(
    ("thought", "answer"),
    [
        ("<think>\n\n</think>\n\n", "Paris"),
        ("<think>\nIt is Paris.\n</think>\n\n", "Paris"),
        ("\n <think>It is Paris.</think>", "Paris."),
        ("<THINK>It is Paris.</Think>\n", "Paris"),
        ("<thinking>Hm.</thinking>\n", "Paris"),
        ("<thought>Hm.</thought>\n", "Paris"),
        ("<reasoning>Hm.</reasoning>\n", "Paris\nor so"),
        ("[THINK]Hm.[/THINK]", "Paris"),
        ("<seed:think>Hm.</seed:think>", "Paris"),
        ("<|START_THINKING|>Hm.<|END_THINKING|>", "Paris"),
        ("<|channel>thought\nHm.<channel|>", "Paris"),
        ("<|START_THINKING|>Hm.<|END_THINKING|>\n<|START_RESPONSE|>", "Paris"),
        (CHANNELS, "Paris"),
        (f"<|start|>assistant{CHANNELS}", "Paris"),
        (COMMENTARY, "Paris"),
        ("<|channel|>final<|message|>", "Paris"),
        ("analysisThe user asks for a capital.assistantfinal", "Paris"),
        ("analysisHm.assistantcommentarySo.assistantfinal\n", "Paris"),
        ("commentaryHm.assistantfinal", "Paris"),
        # The prompt opened the thought.
        ("It is Paris.\n</think>\n\n", "Paris"),
        ("It is Paris.</THINK>", "Paris"),
        ("Hm.[/THINK]", "Paris"),
        ("Hm.<|END_THINKING|><|START_RESPONSE|>", "Paris"),
        ("Hm.<|end|><|start|>assistant<|channel|>final<|message|>", "Paris"),
        ("It is </think> that ends it.</think>\n", "Paris"),
        ("</think>", "Paris"),
        # Several thoughts one after the other, and one that mentions markers.
        ("<think>Hm.</think>\n<think>Well.</think>\n", "Paris"),
        ("<think>Hm.</think>\n<reasoning>Well.</reasoning>", "Paris"),
        ("Hm.</think><think>Well.</think>", "Paris"),
        ("<think>I could write <think> here.</think>", "Paris"),
        ("<think>They want <think> and </think> explained.</think>", "Paris"),
        ("<think>Is </thinking> a marker?</think>", "Paris"),
        ("<think>İstanbul, no.</think>", "Paris"),
    ],
)
def test_the_answer_stands_behind_the_thought(thought: str, answer: str) -> None:
    assert split_thought(thought + answer) == (thought, answer)
    assert answer_of(f"{thought}{answer}\n") == answer


@pytest.mark.parametrize(
    "text",
    [
        "<think>",
        "<think>\nIt is Par",
        "  <Thinking>It is </think> Paris",
        "[THINK]It is Paris.",
        "<seed:think>It is",
        "<|START_THINKING|>It is",
        "<|channel|>analysis<|message|>The user asks",
        "<|channel|>analysis<|message|>The user asks.<|end|><|start|>assistant<|channel|>commentary<|message|>So",
        "<think>Hm.</think>\n<think>It is",
        "<think>It is Paris.</think>\n",
    ],
)
def test_a_thought_that_never_ends_leaves_no_answer(text: str) -> None:
    assert split_thought(text) == (text, "")
    assert answer_of(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "Paris",
        "  Paris \n",
        "The tag <think> is used by reasoning models.",
        "Models write <think> and </think> around a thought.",
        "`<think>` opens a thought",
        'It says "<reasoning>" first.',
        "I think </thinkers> are",
        "[think] slowly",
        "<thinks>Paris",
        "analysis of the sums",
        "The analysis: assistantfinal",
        "I use [THINK]a[/THINK] here",
    ],
)
def test_words_that_are_no_thought_stay_in_the_answer(text: str) -> None:
    assert split_thought(text) == (None, text)
    assert answer_of(text) == text


def test_a_marker_in_the_answer_ends_no_thought() -> None:
    answer = "Models write <think> and </think> around it."
    assert split_thought(f"<think>Explain.</think>{answer}") == ("<think>Explain.</think>", answer)


@pytest.mark.parametrize(
    ("thought", "answer"),
    [
        ("It is Paris.</think>\n", "Paris"),
        ("<think>\nIt is Paris.</think>\n", "Paris"),
        ("They mention <think>. Well.</think>", "The tag <think> opens a thought."),
        ("They want <think> and </think> explained. Well.</think>", "Paris"),
        ("Hm.<|end|><|start|>assistant<|channel|>final<|message|>", "Paris"),
        ("Hm.[/THINK]", "Paris"),
        ("It is Paris", ""),
        ("\n", ""),
    ],
)
def test_a_prompt_that_opened_a_thought(thought: str, answer: str) -> None:
    assert split_thought(thought + answer, open=True) == (thought, answer)


def test_no_reply_has_no_thought() -> None:
    assert split_thought("", open=True) == (None, "")


def test_tokens_go_to_the_answer_by_its_share_of_the_characters() -> None:
    assert estimated_answer_tokens(10, None, "Paris") == 10
    assert estimated_answer_tokens(12, "<think>It is P.</think>", "P") == 12 - round(12 * 23 / 24)
    assert estimated_answer_tokens(30, "<think>a</think>", "P" * 32) == 20
    assert estimated_answer_tokens(7, "<think>It is", "") == 0
    assert estimated_answer_tokens(0, None, "") == 0


PIECES = [
    *("<think>", "</think>", "<THINKING>", "</thinking>", "<thought>", "</reasoning>", "[THINK]", "[/THINK]"),
    *("<seed:think>", "</seed:think>", "<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|channel|>"),
    *("<|channel|>analysis", "<|channel|>final<|message|>", "<|start|>assistant", "analysis", "assistantfinal"),
    *(" ", "\n", "\x1f", "\xa0", "\u3000", "Paris", "<", "</", "İ"),
]


@example(text="</think>\x1f", open=False)
@example(text="<thinking>a</thinking>\u3000\xa0Paris", open=False)
@given(text=st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join), open=st.booleans())
def test_thought_and_answer_are_the_reply_to_the_letter(text: str, open: bool) -> None:
    thought, answer = split_thought(text, open=open)
    assert (thought or "") + answer == text
    assert thought != ""
    assert not answer[:1].isspace() or thought is None


@pytest.mark.parametrize("open", [False, True])
@pytest.mark.parametrize(
    "piece", [*PIECES, "<think></think>", "a</think><think><think></think>", "<think> </thinking>", "b</think><think>"]
)
def test_work_grows_with_length_alone(piece: str, open: bool) -> None:
    """Twice the text is at most twice the lines of Python, each of which searches on from where it is."""
    once, twice = (_lines_run(piece * (size // len(piece)), open) for size in (50_000, 100_000))
    assert twice <= 2.1 * once + 20


def _lines_run(text: str, open: bool) -> int:
    lines = 0

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        lines += event == "line" and frame.f_code.co_filename.endswith("thought.py")
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        split_thought(text, open=open)
    finally:
        sys.settrace(before)
    return lines
