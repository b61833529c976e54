"""The judge stage: what was asked and what was concluded, counted, kept, and never asked twice."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts import Artifact
from selfreward.errors import StageError
from selfreward.judges import pairwise
from selfreward.judges.both_orders import comparisons
from selfreward.reading.rounds import Round
from selfreward.records import Candidate, Judgment, PreferencePair
from tests.support import run_scripted, selfreward

SETTINGS = ("judge=pairwise", "select=preference_pairs", "loop.iterations=1")


def judged(folder: Path, *settings: str) -> Artifact:
    return run_scripted(folder, *SETTINGS, *settings).iterations[0]["judge"]


def test_a_judge_that_concludes_keeps_what_it_asked_beside_its_rows(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SETTINGS, "backend.unparsed_share=0.05", "backend.position_bias=0.2")
    stages = view.iterations[0]
    evidence = list(stages["judge"].records(Judgment, "evidence"))
    rows = list(stages["judge"].records(Judgment))
    candidates = list(stages["sample"].records(Candidate))
    assert [one.candidate_ids for one in rows] == [(one.id,) for one in candidates]
    texts = {one.id: (one.prompt_id, one.text) for one in candidates}
    for one in evidence:
        (prompt, first), (also, second) = (texts[name] for name in one.candidate_ids)
        assert prompt == also and first != second
    counts = stages["judge"].manifest.counts
    outcomes = Counter(str(one.outcome) for one in evidence)
    assert {name: counts[name] for name in outcomes} == outcomes
    assert outcomes["unparsed"] > 0
    found = comparisons(evidence)
    assert counts["comparisons"] == len(found) == len(evidence) / 2
    assert counts["flipped"] == sum(one.flipped is True for one in found) > 0
    assert counts["undecided"] == sum(one.preference is None for one in found) > 0
    assert counts["tokens"] == sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in evidence)
    assert "score_variance" not in counts
    found = Round(0, stages, {}).judged
    assert found is not None and found.judgments == len(evidence)


def test_killed_between_evidence_and_rows_it_ends_as_if_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ("sample.shard_prompts=16", "data.gold_gate=0")
    undisturbed = judged(tmp_path / "a", *settings)
    shards = len(list(undisturbed.shards(Judgment)))
    assert shards > 3
    rank, compare, calls = pairwise.rank, pairwise.compare, Counter[str]()

    def dies_at_the_second(*given: Any) -> list[Judgment]:
        calls["rank"] += 1
        if calls["rank"] == 2:
            raise KeyboardInterrupt
        return rank(*given)

    def counts(*given: Any) -> list[Judgment]:
        calls["compare"] += 1
        return compare(*given)

    monkeypatch.setattr(pairwise, "rank", dies_at_the_second)
    monkeypatch.setattr(pairwise, "compare", counts)
    with pytest.raises(KeyboardInterrupt):
        judged(tmp_path / "b", *settings)
    (folder,) = (tmp_path / "b" / "store" / "judge").iterdir()
    assert sorted(path.stem for path in folder.glob("*.parquet")) == [
        "evidence-00000",
        "evidence-00001",
        "rows-00000",
    ]
    resumed = judged(tmp_path / "b", *settings)
    assert resumed.digest == undisturbed.digest
    assert resumed.manifest.counts == undisturbed.manifest.counts
    assert calls["compare"] == shards


def test_too_many_failures_stop_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = pairwise.compare

    def fails(*given: Any) -> list[Judgment]:
        return [replace(one, outcome="failed", score=None, verdict=None, raw="engine") for one in compare(*given)]

    monkeypatch.setattr(pairwise, "compare", fails)
    told = r"of \d+ judgments failed \(engine\), max_failed_share allows 5%: .* raise judge\.max_failed_share"
    with pytest.raises(StageError, match=told):
        judged(tmp_path)


def test_explain_shows_what_was_asked_and_in_which_order(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "judge=constitution", "select=preference_pairs", "loop.iterations=1")
    pair = next(iter(view.iterations[0]["select"].records(PreferencePair, "pairs")))
    done = selfreward("explain", view.name, pair.id, "--runs", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "shown as number 2 of 2 (order [1, 0])" in done.stdout
    assert "principle helpful_honest_harmless@2:" in done.stdout
    assert "bt=" in done.stdout
