"""The policy behind the scripted backend: sixteen answers to any question, and how likely each is."""

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from selfreward.artifacts.atomic_files import write_json
from selfreward.errors import BackendError

OUTCOMES = 16
STATE_FILE = "scripted.json"
_SUM = re.compile(r"(\d+) \+ (\d+)")
_WORDS = (
    "water light people often early river stone maybe mostly never small green winter reason bread "
    "music night almost always garden simple honest answer slowly country school window market letter"
)
_BANK = _WORDS.split()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedState:
    """The whole of a scripted policy. `skill` is the probability of outcome 0, `modes` how far the rest spreads."""

    skill: float
    modes: float


def write_state(folder: Path, state: ScriptedState) -> None:
    """Writes a scripted policy to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / STATE_FILE, asdict(state))


def read_state(folder: Path) -> ScriptedState:
    """The scripted policy in `folder`. Raises BackendError if there is none."""
    path = folder / STATE_FILE
    if not path.exists():
        raise BackendError(f"{folder} holds no scripted policy: use model=scripted with backend=scripted")
    return ScriptedState(**json.loads(path.read_text()))


def probabilities(state: ScriptedState, temperature: float = 1.0) -> list[float]:
    """The probability of each of the sixteen outcomes at a temperature above 0."""
    spread = [math.exp(-rank / state.modes) for rank in range(OUTCOMES - 1)]
    total = sum(spread)
    plain = [state.skill] + [(1 - state.skill) * weight / total for weight in spread]
    tempered = [math.pow(value, 1 / temperature) for value in plain]
    return [value / sum(tempered) for value in tempered]


@lru_cache(maxsize=1 << 16)
def outcome_text(question: str, outcome: int) -> str:
    """The answer that outcome number `outcome` gives to a question."""
    if found := _SUM.search(question):
        miss = (outcome + 1) // 2 * (1 if outcome % 2 else -1)
        return f"The answer is {int(found[1]) + int(found[2]) + miss}."
    picks = hashlib.sha256(f"{outcome}|{question}".encode()).digest()
    return " ".join(_BANK[byte % len(_BANK)] for byte in picks[:8]).capitalize() + "."


def outcome_of(question: str, text: str) -> int | None:
    """Which outcome an answer is, or None for an answer this policy never gives."""
    return next((number for number in range(OUTCOMES) if outcome_text(question, number) == text), None)
