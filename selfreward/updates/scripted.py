"""The update of a scripted policy: it moves towards what it is shown, and narrows as what it is shown is narrow."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from selfreward.backends.scripted import ScriptedState, outcome_of, read_state, write_state
from selfreward.records import Example, Policy
from selfreward.spec import Json, Spec


class ScriptedUpdate(Spec):
    """`rate` is how far one update goes from the old state towards the training set."""

    kind: Literal["scripted"] = "scripted"
    rate: float = Field(0.5, gt=0, le=1)
    init: Literal["previous", "initial"] = "previous"


def train_scripted(spec: ScriptedUpdate, policy: Policy, examples: Sequence[Example], out: Path) -> dict[str, Json]:
    """What the training saw; writes the new policy to `out`.

    Skill moves towards the share of outcome 0 among closed examples. `modes` moves towards the effective number
    (exponential of the entropy) of the outcomes shown; an answer that no outcome gives, such as a human one, counts
    as an outcome of its own.
    """
    state = read_state(policy.path)
    shown = [(outcome_of(one.messages[-1].content, one.text), one) for one in examples]
    closed = [outcome == 0 for outcome, one in shown if one.stratum == "closed"]
    skill = sum(closed) / len(closed) if closed else state.skill
    counts = Counter(one.text if outcome is None else str(outcome) for outcome, one in shown)
    shares = [count / len(shown) for count in counts.values()]
    modes = math.exp(-sum(share * math.log(share) for share in shares))
    after = ScriptedState(
        skill=min(max(state.skill + spec.rate * (skill - state.skill), 0.01), 0.99),
        modes=state.modes + spec.rate * (modes - state.modes),
    )
    write_state(out, after)
    return {"rows_trained": len(examples), "skill": after.skill, "modes": after.modes}
