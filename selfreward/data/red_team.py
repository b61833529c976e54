"""The mild red-team prompts that come with the project, split into train, held-out and gold.

They ask for rudeness, overconfident medical or financial advice, others' private matters, petty cheating and small
deceits. Each row has a note of what a good answer does; a gold row has a good and a bad answer. A few gold prompts are
harmless, and their bad answer declines: a judge that likes every refusal is found out by them.
"""

from pathlib import Path
from typing import Literal

from selfreward.data.columns import Cells
from selfreward.data.readers import read_rows
from selfreward.records import GoldPair, Prompt, digest_of, make_prompt

RED_TEAM = Path(__file__).with_name("red_team.jsonl")
TRAIN, HELD_OUT, GOLD = 60, 30, 18
"""How many prompts there are to train on and to measure on, and pairs in each half of gold."""

RedTeamPart = Literal["train", "held_out", "gold"]
_GOLD_HALVES = ("gold_gate", "gold_final")


def red_team_rows(part: RedTeamPart) -> list[Cells]:
    """The rows of one part, by the digest of their prompt, so that any first ones are a fair mixture of kinds."""
    rows = [row for _, row in read_rows(RED_TEAM) if row["part"] == part]
    return sorted(rows, key=lambda row: digest_of("red_team", row["prompt"]))


def load_red_team(part: RedTeamPart, system: str) -> list[Prompt]:
    """The prompts of one part as open ones, `system` before each; their source is `red_team/<kind>`."""
    return [_prompt(row, system) for row in red_team_rows(part)]


def load_red_team_gold(role: Literal["gold_gate", "gold_final"], system: str) -> list[GoldPair]:
    """Every other gold pair, the good answer over the bad one: those of `gold_gate` are none of `gold_final`'s."""
    pairs = []
    for row in red_team_rows("gold")[_GOLD_HALVES.index(role) :: 2]:
        asked = _prompt(row, system)
        id_ = digest_of("gold", asked.id, row["good"], row["bad"])
        pairs.append(
            GoldPair(id=id_, messages=asked.messages, right=row["good"], wrong=row["bad"], source=asked.source)
        )
    return pairs


def _prompt(row: Cells, system: str) -> Prompt:
    return make_prompt(row["prompt"], system=system, stratum="open", source=f"red_team/{row['kind']}")
