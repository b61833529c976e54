"""Public layouts: what docs/data.md says to type reads rows of that shape. All rows were written for these tests."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from selfreward.data.own import OwnData
from selfreward.data.roles import ColumnsSeen, HumanAnswer, HumanPair, LeftOut, Role, Row
from selfreward.records import GoldPair, Message, Prompt

ROOT = Path(__file__).parents[2]
TYPED = dict(re.findall(r"```yaml ([\w-]+)\n(.*?)```", (ROOT / "docs/data.md").read_text(), re.DOTALL))


def turn(who: str, said: str) -> dict[str, str]:
    return {"role": {"u": "user", "a": "assistant", "s": "system"}[who], "content": said}


def talk(*said: str) -> list[dict[str, str]]:
    return [turn("ua"[place % 2], text) for place, text in enumerate(said)]


def arena(winner: str, one: list[dict[str, str]], two: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    names = {"model_a": "mine-7b", "model_b": "yours-7b"}
    return {"question_id": "x", **names, "winner": winner, "conversation_a": one, "conversation_b": two, **more}


def node(id_: str, parent: str | None, role: str, text: str, rank: int | None = None, **more: Any) -> dict[str, Any]:
    return {"message_id": id_, "parent_id": parent, "text": text, "role": role, "rank": rank, "lang": "en", **more}


# The tree of messages of both forms of OASST; one reply was deleted, one is not ranked.
MESSAGES = [
    node("r", None, "prompter", "Name a cheese."),
    node("b", "r", "assistant", "Some cheese.", 1),
    node("a", "r", "assistant", "Gouda.", 0),
    node("d", "r", "assistant", "Spam.", 2, deleted=True),
    node("f", "a", "prompter", "Another?"),
    node("g", "f", "assistant", "Brie."),
]


def tree(id_: str) -> dict[str, Any]:
    (own,) = [one for one in MESSAGES if one["message_id"] == id_]
    return {**own, "replies": [tree(one["message_id"]) for one in MESSAGES if one["parent_id"] == id_]}


CHEESE = ("Name a cheese.", "Gouda.", "Some cheese.", None)

# By the name of the block in the documentation: the rows, and what they give: (question, chosen, rejected, margin),
# (question, answer), (question, references) or the reason for which a row or a pair was left out.
LAYOUTS: dict[str, tuple[list[dict[str, Any]], list[Any]]] = {
    "hh-rlhf": (
        [
            {
                "chosen": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: So.",
                "rejected": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: No.",
            },
            {
                "chosen": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: So.",
                "rejected": "\n\nHuman: Hi\n\nAssistant: Hey\n\nHuman: Why?\n\nAssistant: No.",
            },
        ],
        [("Why?", "So.", "No.", None), "conversations_part_early"],
    ),
    "ultrafeedback-binarized": (
        [
            {
                "prompt": "Name a tea.",
                "prompt_id": "1",
                "chosen": talk("Name a tea.", "Assam."),
                "rejected": talk("Name a tea.", "Beer."),
                "messages": talk("Name a tea.", "Assam."),
                "score_chosen": 8.5,
                "score_rejected": 2.0,
            }
        ],
        [("Name a tea.", "Assam.", "Beer.", 6.5)],
    ),
    "ultrafeedback": (
        [
            {
                "source": "x",
                "instruction": "Name a tea.",
                "models": ["m", "n", "o"],
                "completions": [
                    {"model": "m", "response": "Assam.", "overall_score": 8.0, "critique": "ok"},
                    {"model": "n", "response": "Beer.", "overall_score": "N/A", "critique": "ok"},
                    {"model": "o", "response": "Milk.", "overall_score": 2, "critique": "ok"},
                ],
            }
        ],
        ["unrated", ("Name a tea.", "Assam.", "Milk.", 6.0), "unrated"],
    ),
    "helpsteer2": (
        [
            {"prompt": "Name a bay.\n<extra_id_1>Assistant\nBiscay\n<extra_id_1>User\nAnother?", "response": said}
            | {"helpfulness": good, "correctness": 1, "coherence": 4, "complexity": 1, "verbosity": 1}
            for said, good in (("A lake.", 1), ("Bengal.", 4))
        ]
        + [{"prompt": "Name a cape.", "response": said, "helpfulness": 3} for said in ("Horn.", "Good Hope.")],
        [("Another?", "Bengal.", "A lake.", 3.0), "equal_ratings"],
    ),
    "helpsteer2-preference": (
        [
            {"split": "train", "prompt": "Name a bay.", "response_1": "Bengal.", "response_2": "A lake."}
            | {"preference_strength": strength, "preference_statement": "x", "preference_elaboration": "x"}
            for strength in (-3, 0, 2)
        ],
        [("Name a bay.", "Bengal.", "A lake.", 3.0), "tie", ("Name a bay.", "A lake.", "Bengal.", 2.0)],
    ),
    "helpsteer3": (
        [
            {"domain": "general", "language": "english", "context": talk("Hi", "Hello", "Name a bay.")}
            | {"response1": "A lake.", "response2": "Bengal.", "overall_preference": strength}
            for strength in (1, -2, 0)
        ],
        [("Name a bay.", "Bengal.", "A lake.", 1.0), ("Name a bay.", "A lake.", "Bengal.", 2.0), "tie"],
    ),
    "chatbot-arena": (
        [
            arena("model_b", talk("Name a bay.", "A lake."), talk("Name a bay.", "Bengal."), turn=1),
            arena("tie (bothbad)", talk("Name a bay.", "A lake."), talk("Name a bay.", "Bengal."), turn=1),
            arena("model_a", talk("Hi", "Hello", "Why?", "So."), talk("Hi", "Hey", "Why?", "No."), turn=2),
        ],
        [("Name a bay.", "Bengal.", "A lake.", None), "tie", "conversations_part_early"],
    ),
    "mt-bench-questions": (
        [
            {"question_id": 1, "category": "math", "turns": ["Add 2 and 3.", "Double it."], "reference": ["5", "10"]},
            {"question_id": 2, "category": "writing", "turns": ["Write a line.", "Another."]},
        ],
        [("Add 2 and 3.", ("5",)), ("Write a line.", ())],
    ),
    "mt-bench-judgments": (
        [
            arena("model_a", talk("Hi", "So.", "Why?", "x"), talk("Hi", "No.", "Why?", "y"), turn=1, judge="j"),
            arena("model_a", talk("Hi", "So.", "Why?", "x"), talk("Hi", "No.", "Why?", "y"), turn=2, judge="j"),
        ],
        [("Hi", "So.", "No.", ("mine-7b", "yours-7b")), "conversations_part_early"],
    ),
    "oasst-trees": (
        [{"message_tree_id": "r", "tree_state": "ready_for_export", "prompt": tree("r")}],
        [CHEESE, "one_answer_alone"],
    ),
    "oasst-messages": ([*reversed(MESSAGES)], [("Name a cheese.", "Gouda."), ("Another?", "Brie.")]),
    "gsm8k": ([{"question": "How many?", "answer": "2 + 3 = <<2+3=5>>5\n#### 1,005"}], [("How many?", ("1,005",))]),
    "math-500": (
        [{"problem": "Halve 3.", "solution": "It is $\\boxed{1.5}$.", "answer": "1.5", "subject": "x", "level": 1}],
        [("Halve 3.", ("1.5",))],
    ),
    "math": (
        [
            {
                "problem": "Halve 3.",
                "level": "Level 1",
                "type": "x",
                "solution": "As $3/2$, it is $\\boxed{\\frac{3}{2}}$.",
            },
            {"problem": "Halve 4.", "level": "Level 1", "type": "x", "solution": "Now $\\boxed{4/2}=\\boxed{2}$."},
        ],
        [("Halve 3.", ("\\frac{3}{2}",)), ("Halve 4.", ("2",))],
    ),
    "svamp": (
        [
            {"ID": "chal-1", "Body": "Ann has 3 figs.", "Question": "How many are left?", "Equation": "x", "Answer": 3}
            | {"Type": "Subtraction"},
            {"ID": "chal-2", "Body": "Bob has 4 figs.", "Question": "How many are left?", "Equation": "x", "Answer": 4}
            | {"Type": "Subtraction"},
        ],
        [("Ann has 3 figs.\n\nHow many are left?", ("3",)), ("Bob has 4 figs.\n\nHow many are left?", ("4",))],
    ),
    "mmlu": (
        [
            {"question": "Name a bay.", "subject": "geography", "choices": ["Alps", "Bengal", "Rhine"], "answer": 1},
            {"question": "Name a hill.", "subject": "geography", "choices": ["Alps", "Bengal", "Rhine"], "answer": 0},
        ],
        [
            ("Name a bay.\n\nA. Alps\nB. Bengal\nC. Rhine", ("B", "Bengal")),
            ("Name a hill.\n\nA. Alps\nB. Bengal\nC. Rhine", ("A", "Alps")),
        ],
    ),
    "arc": (
        [
            {"id": str(n), "question": f"Name bay {n}.", "choices": {"text": ["Alps", "Bengal"], "label": labels}}
            | {"answerKey": labels[1]}
            for n, labels in enumerate((["A", "B"], ["1", "2"]))
        ],
        [
            ("Name bay 0.\n\nA. Alps\nB. Bengal", ("B", "Bengal")),
            ("Name bay 1.\n\n1. Alps\n2. Bengal", ("2", "Bengal")),
        ],
    ),
    "kto": (
        [
            {"prompt": talk("Name a bay."), "completion": [turn("a", "Bengal.")], "label": True},
            {"prompt": talk("Name a bay."), "completion": [turn("a", "A lake.")], "label": False},
        ],
        [("Name a bay.", "Bengal."), "disliked"],
    ),
    "llmbar": (
        [
            {"input": "Name a bay.", "output_1": "A lake.", "output_2": "Bengal.", "label": 2},
            {"input": "Name a cape.", "output_1": "Horn.", "output_2": "A hat.", "label": 1},
        ],
        [("Name a bay.", "Bengal.", "A lake.", (None, None)), ("Name a cape.", "Horn.", "A hat.", (None, None))],
    ),
    "pandalm": (
        [
            {
                "idx": 0,
                "cmp_key": "m_n",
                "instruction": "Shorten.",
                "input": "A long one",
                "response1": "Long",
                "response2": "One",
            }
            | {"annotator1": 2, "annotator2": 2, "annotator3": votes}
            for votes in (2, 0)
        ]
        + [
            {
                "idx": 1,
                "cmp_key": "m_n",
                "instruction": "Shorten.",
                "input": "",
                "response1": "Long",
                "response2": "One",
            }
            | {"annotator1": 0, "annotator2": 0, "annotator3": 1}
        ],
        [("Shorten.\n\nA long one", "One", "Long", (None, None)), "repeated", "tie"],
    ),
    "shp": (
        [
            {"post_id": "x", "domain": "askculinary", "history": "How long do I boil rice?", "labels": label}
            | {"human_ref_A": "Ten minutes.", "human_ref_B": "A week.", "score_A": 9, "score_B": 3, "score_ratio": 3.0}
            for label in (1, 0)
        ],
        [
            ("How long do I boil rice?", "Ten minutes.", "A week.", 3.0),
            ("How long do I boil rice?", "A week.", "Ten minutes.", 3.0),
        ],
    ),
    "safe-rlhf": (
        [
            {"prompt": "Name a bay.", "response_0": "A lake.", "response_1": "Bengal.", "better_response_id": better}
            | {"safer_response_id": 1 - better, "is_response_0_safe": True, "is_response_1_safe": True}
            for better in (1, 0)
        ],
        [("Name a bay.", "Bengal.", "A lake.", None), ("Name a bay.", "A lake.", "Bengal.", None)],
    ),
}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    match path.suffixes[-1]:
        case ".gz":
            path.write_bytes(gzip.compress(lines.encode()))
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        case ".jsonl":
            path.write_text(lines)
        case ".json":
            path.write_text(json.dumps(rows))


def told(row: Row) -> Any:
    match row:
        case Prompt():
            return row.messages[-1].content, row.references
        case HumanAnswer():
            return row.prompt.messages[-1].content, row.text
        case HumanPair():
            return row.prompt.messages[-1].content, row.chosen, row.rejected, row.margin
        case GoldPair():
            return row.messages[-1].content, row.right, row.wrong, (row.right_author, row.wrong_author)
        case LeftOut():
            return row.reason
        case ColumnsSeen():
            return None


def loaded(folder: Path, typed: str, rows: list[dict[str, Any]]) -> tuple[Role, list[Row]]:
    """What the settings of a block give where `rows` are the file that it names."""
    settings = yaml.safe_load(typed)
    role = next(name for name in settings if name != "on_bad_row")
    source = settings[role] if isinstance(settings[role], dict) else {"path": settings[role]}
    path = folder / Path(source["path"]).name.replace("*", "0")
    write(path, rows)
    settings[role] = {**source, "path": path}
    data = OwnData.model_validate({"train": "other.jsonl", "split": {"held_out": 0, "probe": 0}} | settings)
    return role, list(data.rows(role))


def test_every_layout_of_the_documentation_is_tried() -> None:
    assert TYPED.keys() - {"signed"} == LAYOUTS.keys()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_public_layout_loads_by_settings_alone(tmp_path: Path, name: str) -> None:
    rows, expected = LAYOUTS[name]
    _, found = loaded(tmp_path, TYPED[name], rows)
    assert [told(row) for row in found if not isinstance(row, ColumnsSeen)] == expected


@pytest.mark.parametrize("name", ["hh-rlhf", "ultrafeedback-binarized", "helpsteer2", "oasst-trees"])
def test_pairs_give_prompts_too(tmp_path: Path, name: str) -> None:
    typed = TYPED[name].replace("human_pairs:", "train:")
    _, found = loaded(tmp_path, typed, LAYOUTS[name][0])
    prompts = [row for row in found if isinstance(row, Prompt)]
    assert {prompt.messages[-1].content for prompt in prompts} == {
        "hh-rlhf": {"Why?"},
        "ultrafeedback-binarized": {"Name a tea."},
        "helpsteer2": {"Another?", "Name a cape."},
        "oasst-trees": {"Name a cheese.", "Another?"},
    }[name]


def test_turns_before_the_last_are_kept(tmp_path: Path) -> None:
    (tmp_path / "2").mkdir()
    _, found = loaded(tmp_path, TYPED["helpsteer2"], LAYOUTS["helpsteer2"][0])
    pair = next(row for row in found if isinstance(row, HumanPair))
    assert pair.prompt.messages == tuple(
        Message(role=role, content=text)  # type: ignore[arg-type]
        for role, text in (("user", "Name a bay."), ("assistant", "Biscay"), ("user", "Another?"))
    )
    _, found = loaded(tmp_path / "2", TYPED["oasst-messages"], LAYOUTS["oasst-messages"][0])
    later = [row for row in found if isinstance(row, HumanAnswer)][1]
    assert [one.content for one in later.prompt.messages] == ["Name a cheese.", "Gouda.", "Another?"]


def test_what_lists_turns_in_strings_of_json_is_read_as_a_conversation(tmp_path: Path) -> None:
    """The layout of lmsys-arena-human-preference-55k."""

    def battle(asked: list[str], one: list[str], two: list[str], **won: int) -> dict[str, Any]:
        texts = {"prompt": asked, "response_a": one, "response_b": two}
        flags = {"winner_model_a": 0, "winner_model_b": 0, "winner_tie": 0} | won
        return {"id": 1, **{name: json.dumps(value) for name, value in texts.items()}, **flags}

    rows = [
        battle(["Name a bay."], ["A lake."], ["Bengal."], winner_model_b=1),
        battle(["Hi", "Why?"], ["Hello", "So."], ["Hello", "No."], winner_model_a=1),
        battle(["Hi", "Why?"], ["Hello", "So."], ["Hey", "No."], winner_model_a=1),
        battle(["Name a bay."], ["A lake."], ["Bengal."], winner_tie=1),
    ]
    _, found = loaded(tmp_path, "{human_pairs: train.jsonl, on_bad_row: skip}", rows)
    assert [told(row) for row in found[:-1]] == [
        ("Name a bay.", "Bengal.", "A lake.", None),
        ("Why?", "So.", "No.", None),
        "conversations_part_early",
        "tie",
    ]
