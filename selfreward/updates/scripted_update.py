"""The update of a scripted policy: it moves towards what it is shown, and narrows as what it is shown is narrow."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from selfreward.backends.scripted_policy import ScriptedState, outcome_of, read_state, write_state
from selfreward.policies import Policy
from selfreward.records import Prompt, TrainingRow
from selfreward.row_kinds import ROW_KINDS, RowKind, answers_of
from selfreward.spec import Json
from selfreward.updates.base import StepAdvance, Task, Training, UpdateBase


class ScriptedUpdate(UpdateBase):
    """`rate` is how far one update goes from the old state towards the training set."""

    trains_on: ClassVar[tuple[RowKind, ...]] = ROW_KINDS

    kind: Literal["scripted"] = "scripted"
    rate: float = Field(0.5, gt=0, le=1)
    init: Literal["previous", "initial"] = "previous"

    def engine(self) -> dict[str, Json]:
        """What decides the outcome besides the settings."""
        return {"version": 1}

    def train(self, task: Task, scratch: Path, advance: StepAdvance) -> Training:
        """What training on the rows of `task` saw and did."""
        rows = [row for row in task.rows if not isinstance(row, Prompt)]
        return train_scripted(self, task.policy, rows, task.out)


def train_scripted(spec: ScriptedUpdate, policy: Policy, rows: Sequence[TrainingRow], out: Path) -> Training:
    """What the training saw; writes the new policy to `out`. Of a row, the answer to prefer is shown.

    Skill moves towards the share of outcome 0 among closed examples. `modes` moves towards the effective number
    (exponential of the entropy) of the outcomes shown; an answer that no outcome gives, such as a human one, counts
    as an outcome of its own. Judgments are shown in vain: it judges by what it knows.
    """
    state = read_state(policy.path)
    wanted = [(row, one.text) for row in rows if row.origin != "meta" for one in answers_of(row) if one.wanted]
    shown = [(outcome_of(row.messages[-1].content, text), row, text) for row, text in wanted]
    closed = [outcome == 0 for outcome, row, _ in shown if row.stratum == "closed"]
    skill = sum(closed) / len(closed) if closed else state.skill
    counts = Counter(text if outcome is None else str(outcome) for outcome, _, text in shown)
    shares = [count / len(shown) for count in counts.values()]
    modes = math.exp(-sum(share * math.log(share) for share in shares))
    after = ScriptedState(
        skill=min(max(state.skill + spec.rate * (skill - state.skill), 0.01), 0.99),
        modes=state.modes + spec.rate * (modes - state.modes),
    )
    write_state(out, after)
    return Training(rows_trained=len(rows), skill=after.skill, modes=after.modes)
