"""The questions and pairs that come with the project: its own everyday ones, and TruthfulQA and PIQA from wheels.

They are split by what they ask, so that no question is ever in two parts, and adding or losing others never moves one.
"""

import re
from pathlib import Path
from typing import Literal

from selfreward.data.columns import Cells
from selfreward.data.readers import read_rows
from selfreward.data.roles import HumanPair
from selfreward.data.wheels import asset_data
from selfreward.errors import DataError
from selfreward.records import GoldPair, Prompt, digest_of, make_prompt

EVERYDAY = Path(__file__).with_name("everyday.jsonl")

Split = Literal["train", "held_out"]
QuestionPart = Literal["pool", "train", "probe", "final"]
PairPart = Literal["gate", "final"]

# The share of the range of digests that falls to each part.
_QUESTIONS = {"pool": (0.0, 0.45), "train": (0.45, 0.65), "probe": (0.65, 0.80), "final": (0.80, 1.0)}
_PAIRS = {"gate": (0.0, 0.5), "final": (0.5, 1.0)}

_OPTIONS = re.compile(r"A\. (?P<A>.*?)\nB\. (?P<B>.*)", re.DOTALL)


def everyday_rows() -> list[Cells]:
    """Every everyday question, in the order of the file; questions about the same fact share their `item`."""
    return [row for _, row in read_rows(EVERYDAY)]


def split_of(row: Cells) -> Split:
    """The split that the row's item falls into: one third of all items are held out."""
    return "held_out" if int(_item_digest(row), 16) % 3 == 0 else "train"


def load_everyday(split: Split, system: str) -> list[Prompt]:
    """The everyday questions of one split as closed prompts, `system` before each.

    No item is in both splits. The order follows the items' digests, so any first part is a fair mixture of kinds.
    """
    rows = [row for row in everyday_rows() if split_of(row) == split]
    return [
        make_prompt(
            row["question"],
            system=system,
            stratum="closed",
            source=f"everyday/{row['kind']}",
            references=tuple(row["answers"]),
            match=row["match"],
        )
        for row in sorted(rows, key=lambda row: (_item_digest(row), row["question"]))
    ]


def load_truthfulqa(part: QuestionPart, system: str = "") -> list[Prompt]:
    """The TruthfulQA questions of `part` with the correct answers of people, in the order of their digests.

    A repeated question is kept once; an empty `system` adds no turn. Raises AssetError where the data has not been
    fetched, and DataError where a line is not a question with answers.
    """
    kept: dict[str, Prompt] = {}
    for where, row in read_rows(asset_data("truthfulqa")):
        question, answers = row.get("question"), row.get("answer")
        if not isinstance(question, str) or not isinstance(answers, list):
            raise DataError(f"{where}: no question with a list of answers: run `selfreward assets --verify`")
        key = _question_digest(question)
        if key in kept or not _falls_to(_QUESTIONS[part], key):
            continue
        # A few of the answers in the file are empty.
        distinct = tuple(dict.fromkeys(text for answer in answers if (text := str(answer).strip())))
        kept[key] = make_prompt(
            question.strip(), system=system, stratum="open", source="truthfulqa", references=distinct
        )
    return [kept[key] for key in sorted(kept)]


def load_piqa(part: PairPart, system: str = "") -> list[GoldPair]:
    """The PIQA pairs of `part`, in the order of their goals' digests; `system` and errors as in `load_truthfulqa`."""
    kept: dict[tuple[str, str], GoldPair] = {}
    for where, row in read_rows(asset_data("piqa")):
        goal = str(row.get("question", "")).strip()
        key = _question_digest(goal)
        if _falls_to(_PAIRS[part], key):
            options, letter = _OPTIONS.fullmatch(str(row.get("options"))), str(row.get("answer"))[:2]
            if options is None or letter not in ("A.", "B."):
                raise DataError(f"{where}: no options A and B with an answer: run `selfreward assets --verify`")
            first, second = options["A"].strip(), options["B"].strip()
            right, wrong = (first, second) if letter == "A." else (second, first)
            messages = make_prompt(goal, system=system, stratum="open", source="piqa").messages
            id_ = digest_of("gold", "piqa", [(turn.role, turn.content) for turn in messages], right, wrong)
            kept[key, id_] = GoldPair(id=id_, messages=messages, right=right, wrong=wrong, source="piqa")
    return [kept[key] for key in sorted(kept)]


def load_piqa_pairs(count: int, system: str = "") -> list[HumanPair]:
    """The last `count` PIQA pairs of the part `gate`, whose first ones are gold: the right answer over the wrong one.

    Errors as in `load_truthfulqa`.
    """
    gold = load_piqa("gate", system)[::-1][:count]
    asked = [make_prompt(one.messages, system=system, stratum="open", source="piqa") for one in gold]
    return [
        HumanPair(prompt=prompt, chosen=one.right, rejected=one.wrong, margin=None)
        for prompt, one in zip(asked, gold, strict=True)
    ]


def _item_digest(row: Cells) -> str:
    return digest_of("everyday", row["kind"], row["item"])


def _question_digest(question: str) -> str:
    """The digest of the words of `question`: case, spacing and punctuation make no other question."""
    return digest_of("question", " ".join(re.findall(r"\w+", question.casefold())))


def _falls_to(share: tuple[float, float], digest: str) -> bool:
    place: float = int(digest, 16) / 16 ** len(digest)
    return share[0] <= place < share[1]
