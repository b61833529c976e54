"""Why an artifact has to be made, in words."""

import pytest

from selfreward.artifacts.identity import explain_miss
from selfreward.spec import Json

PAIRWISE: dict[str, Json] = {"kind": "pairwise", "method": "sampled", "comparison": {"explain": "word " * 40}}


def wanted(judge: dict[str, Json], seed: int = 0, answers: str = "a") -> dict[str, Json]:
    return {"stage": "judge", "seed": seed, "spec": judge, "inputs": {"answers": answers}}


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (wanted({**PAIRWISE, "method": "probability"}), "judge.method sampled -> probability"),
        (wanted({"kind": "rubric", "method": "expected", "repeats": 3}), "judge.kind pairwise -> rubric"),
        (wanted(PAIRWISE, answers="b"), "new answers"),
        (wanted(PAIRWISE, seed=1), "new seed"),
    ],
    ids=["setting", "another kind", "input", "seed"],
)
def test_what_changed_is_told_and_of_another_kind_that_alone(now: dict[str, Json], told: str) -> None:
    assert explain_miss(now, [wanted(PAIRWISE)]) == told


def test_a_long_value_is_cut() -> None:
    line = explain_miss(wanted({**PAIRWISE, "comparison": {"explain": "other"}}), [wanted(PAIRWISE)])
    assert line.startswith("judge.comparison.explain word word") and line.endswith("... -> other")
    assert len(line) < 100
