"""Rows of public layouts, all written for the tests, and what each gives."""

from typing import Any


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
