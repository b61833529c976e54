"""The loop on the real embedded model, small."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from selfreward.artifacts.runs import read_run
from selfreward.data.wheels import asset_model, cache_folder
from selfreward.errors import AssetError
from selfreward.reading.rounds import rounds_of
from selfreward.records import Candidate, Example, Judgment

pytestmark = pytest.mark.model

SMALL = [
    "run",
    "run=small",
    "data.train_closed=10",
    "data.train_open=4",
    "data.held_out_closed=6",
    "data.held_out_open=2",
    "data.probe_closed=2",
    "data.probe_open=4",
    "data.gold_final=4",
    "evaluate.ladder=[0.4]",
    "loop.iterations=1",
    "mix.min_rows=2",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        asset_model("smollm2-135m-instruct")
    except AssetError as error:
        pytest.skip(f"{error} (looked in {cache_folder()})")
    folder = tmp_path_factory.mktemp("small")
    done = subprocess.run(
        [sys.executable, "-m", "selfreward", *SMALL], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_one_round_measures_judges_mixes_and_trains(folder: Path) -> None:
    view = read_run(folder / "runs/small")
    first, _ = view.iterations
    candidates = list(first["sample"].records(Candidate))
    assert len(candidates) == 14 * 4
    assert all(candidate.logprob < 0 and candidate.tokens > 0 for candidate in candidates)
    assert all(judgment.score is not None and judgment.score < 0 for judgment in first["judge"].records(Judgment))
    origins = {example.origin for example in first["mix"].records(Example)}
    assert origins == {"self", "human"}
    assert len([*(first["update"].path / "model").glob("*.safetensors")]) == 2
    metrics = [json.loads(line) for line in (folder / "runs/small/metrics.jsonl").read_text().splitlines()]
    assert metrics[1]["diversity/open/human_nll"] != metrics[0]["diversity/open/human_nll"]
    evaluation = rounds_of(view)[-1].evaluation
    assert evaluation is not None and evaluation.matched is not None and evaluation.matched.gain.pass_at_1 is not None
    assert evaluation.matched.gain.pass_at_1.n == 6


def test_again_it_ends_at_once_and_loads_no_torch(folder: Path) -> None:
    code = (
        "import sys; from selfreward.__main__ import main; sys.argv = ['selfreward', *sys.argv[1:]]; "
        "print(main(), 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *SMALL], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False False"


def test_every_byte_of_it_verifies(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "selfreward", "verify", "small"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
