"""What iteration 0 of the scripted loop always gave: keys and digests, on any machine.

The draws, the judgments and the training of the scripted policy are exact everywhere. Measure, diagnose and what
decide reports add up floats in an order that the machine chooses, so their content counts with floats rounded to
`DECIMALS`; the key of diagnose is made of the unrounded measurement and is left out.
"""

import hashlib
from typing import Any

from selfreward.artifacts import Artifact
from selfreward.artifacts.atomic_files import canonical
from selfreward.artifacts.parquet import read_table
from selfreward.artifacts.runs import RunView

DECIMALS = 6
ROUNDED = ("measure", "diagnose", "decide")

GOLDEN: dict[str, tuple[str | None, str]] = {
    "measure": ("fb6a615f4d11b8e2", "564eea2d4dceb459"),
    "diagnose": (None, "2e7b5f26f98ff7e8"),
    "evaluate": ("976e100f7859d493", "82eaa5b8b4b97930"),
    "prompts": ("008fdb60fb1fbeff", "10d2295e92bce7c2"),
    "sample": ("8101271d7178981c", "54c5f75617c3c725"),
    "health": ("8a53dbcce3391b5a", "09c476c12cc23122"),
    "judge": ("269a0c6fc47377b0", "a421ce4ce632beec"),
    "gate": ("96d9e7a53e72d425", "157764388b0a3a08"),
    "select": ("ad5f2baac9a7e8b1", "b7c11eca1b6e8e5d"),
    "decide": ("a537c7393d8390f5", "cc5ccb6528498a4c"),
    "mix": ("6f0a8d5e067fff98", "5f85a45a484536fc"),
    "update": ("32ffe052918908f5", "f7421b2751ca3fda"),
}
"""By stage, the key of its artifact (None where it may differ) and the digest of its content."""

CURVE = (("d5b0b784c2dc7573", "864053621c7a58f7"), ("06e85250263d3083", "37007304d1bdb940"))
"""Of `overoptimisation`, which is off in that run, key and digest at iterations 0 and 1."""

REVISED = ("32d80f0ac935e914", "16cb95b2c8972b71")
"""Of `revise`, which is off in that run, key and digest at iteration 0 of the run in `tests/stages/test_revise.py`."""

RED_TEAM = ("94e4d16ee3dcda13", "1c9acaa8909a2dd9")
"""Of `red_team`, which is off there too, the key at iteration 0, and the digest with floats rounded."""
META = ("25d8b438e5cbf758", "20487de5e600a848")
"""Of `meta`, which is off in that run, key and digest at iteration 0 of the run in `tests/stages/test_meta.py`."""

NEW_PROMPTS = ("3ff3e3fe47d08562", "f300ee749223961c")
"""Key and digest of `prompts` at iteration 0 of the run in tests/stages/test_new_prompts.py, which writes new ones."""


def golden_of(view: RunView) -> dict[str, tuple[str | None, str]]:
    """Iteration 0 of a run in the form of `GOLDEN`."""
    return {
        stage: (
            None if stage == "diagnose" else artifact.key,
            rounded_digest(artifact) if stage in ROUNDED else artifact.digest,
        )
        for stage, artifact in view.iterations[0].items()
    }


def rounded_digest(artifact: Artifact) -> str:
    """A digest of the rows and JSON files of an artifact, with floats rounded."""
    tables = {
        table.name: [row for path in table.paths(artifact.path) for row in read_table(path).to_pylist()]
        for table in artifact.manifest.tables
    }
    files = {path.stem: artifact.json(path.stem) for path in artifact.path.glob("*.json") if path.stem != "manifest"}
    return hashlib.sha256(canonical(_rounded({"tables": tables, "files": files}))).hexdigest()[:16]


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, DECIMALS) + 0.0  # so that -0.0 is 0.0
        case dict():
            return {name: _rounded(one) for name, one in value.items()}
        case list():
            return [_rounded(one) for one in value]
        case _:
            return value
