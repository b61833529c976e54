"""One process of `test_kernels.py`: three scripted runs in a folder, with the OpenBLAS kernel of its environment.

    OPENBLAS_CORETYPE=Haswell python -m tests.kernel FOLDER

It prints JSON: `kernel`, the one that numpy really uses (null where numpy is built on something else), `golden`, and
`runs`: by name, for each artifact its key and digest.
"""

import json
import sys
from pathlib import Path

import numpy  # noqa: F401 - its OpenBLAS is what is asked about
from threadpoolctl import threadpool_info

from selfreward.artifacts.runs import RunView
from tests.golden import golden_of
from tests.support import run_scripted

ACTING = ("run=acting", "monitor=act", "overoptimisation=default", "loop.iterations=4", "data.held_out_open=4")
COMPARED = (
    "run=compared",
    "judge=pairwise",
    "judge.method=probability",
    "duel=pairwise",
    "overoptimisation=default",
    "select=preference_pairs",
    "loop.iterations=1",
    "model.skill=0.1",
    "mix.min_rows=1",
    "data.train_closed=16",
    "data.train_open=8",
    "data.held_out_open=40",
    "data.gold_gate=200",
)


def main(folder: Path) -> None:
    kernel = next((one["architecture"] for one in threadpool_info() if one["internal_api"] == "openblas"), None)
    plain, *others = (run_scripted(folder, *settings) for settings in (("loop.iterations=2",), ACTING, COMPARED))
    runs = {view.name: _artifacts(view) for view in (plain, *others)}
    print(json.dumps({"kernel": kernel, "golden": golden_of(plain), "runs": runs}))


def _artifacts(view: RunView) -> dict[str, tuple[str, str]]:
    return {name: (artifact.key, artifact.digest) for name, artifact in view.artifacts()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
