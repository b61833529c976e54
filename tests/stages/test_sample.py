"""Candidates from a mixture of policies: who draws which, what hangs on what, and what a kill leaves."""

import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts import Store
from selfreward.artifacts.output import Table
from selfreward.artifacts.runs import Run, RunView, read_run
from selfreward.backends.base import Answer, TextScore
from selfreward.backends.scripted import ScriptedBackend, ScriptedSpec
from selfreward.commands.gc import collect
from selfreward.commands.verify import check_artifact, check_chain
from selfreward.errors import StageError
from selfreward.loop import run_loop
from selfreward.mixture import turns
from selfreward.records import Candidate, Example, Judgment, Prompt
from selfreward.report.page import render
from selfreward.stages import sample as sampling
from selfreward.stages.sample import sampled_of
from selfreward.stages.update import policy_of
from selfreward.tracking import Tracker, metrics_of_run
from tests.explained import shown
from tests.support import Silent, run_scripted, scripted_config

SMALL = ("data.train_closed=20", "data.train_open=10", "mix.min_rows=1", "sample.shard_prompts=8", "loop.iterations=3")
MIXED = (*SMALL, "sample.from={live:.5,previous:.25,initial:.25}")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_scripted(tmp_path_factory.mktemp("mixed"), *MIXED)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_scripted(tmp_path_factory.mktemp("plain"), *SMALL)


def candidates(view: RunView, iteration: int) -> list[Candidate]:
    return list(view.iterations[iteration]["sample"].records(Candidate))


def of_prompts(view: RunView, iteration: int) -> Iterator[tuple[str, list[Candidate]]]:
    for prompt, group in groupby(candidates(view, iteration), key=lambda one: one.prompt_id):
        yield prompt, list(group)


def policies(view: RunView) -> list[str]:
    """The digests of M0, M1 and so on."""
    trained = (stages["update"].digest for stages in view.iterations if "update" in stages)
    return [candidates(view, 0)[0].policy_digest, *trained]


def digests(view: RunView) -> dict[str, tuple[str, str]]:
    return {name: (artifact.key, artifact.digest) for name, artifact in view.artifacts()}


def test_iteration_0_is_that_of_a_run_without_a_mixture(mixed: RunView, plain: RunView) -> None:
    first, other = (
        {name: (one.key, one.digest) for name, one in view.iterations[0].items()} for view in (mixed, plain)
    )
    assert first == other
    assert mixed.iterations[1]["sample"].key != plain.iterations[1]["sample"].key
    assert "from" not in plain.iterations[1]["sample"].spec


def test_every_prompt_has_its_candidates_in_turns(mixed: RunView) -> None:
    m0, m1, m2, _ = policies(mixed)
    who = {1: {"live": m1, "previous": m0}, 2: {"live": m2, "previous": m1, "initial": m0}}
    shares = {1: {"live": 0.5, "previous": 0.5}, 2: {"live": 0.5, "previous": 0.25, "initial": 0.25}}
    for t in (1, 2):
        asked = [one.id for one in mixed.iterations[t]["prompts"].records(Prompt)]
        order = [who[t][name] for name in turns(shares[t], 4)]
        found = list(of_prompts(mixed, t))
        assert [prompt for prompt, _ in found] == asked
        for _, group in found:
            assert [one.index for one in group] == [0, 1, 2, 3]
            assert [one.policy_digest for one in group] == order
        assert len({one.id for one in candidates(mixed, t)}) == 4 * len(asked)
        inputs = mixed.iterations[t]["sample"].manifest.inputs
        assert {name: one.digest for name, one in inputs.items() if name != "prompts"} == {
            "policy" if name == "live" else name: digest for name, digest in who[t].items()
        }


def test_each_candidate_has_its_log_probability_under_the_policy_that_drew_it(mixed: RunView) -> None:
    asked = {one.id: one for one in mixed.iterations[2]["prompts"].records(Prompt)}
    trained = {one["update"].digest: policy_of(one["update"]) for one in mixed.iterations[:2]}
    for one in candidates(mixed, 2):
        if one.policy_digest not in trained:
            continue
        assert one.policy_key == trained[one.policy_digest].key
        backend = ScriptedBackend(ScriptedSpec(), trained[one.policy_digest])
        (score,) = backend.score([Answer(messages=asked[one.prompt_id].messages, text=one.text)], lambda _: None)
        assert isinstance(score, TextScore)
        assert one.logprob == score.logprob


def test_what_a_policy_draws_does_not_hang_on_who_else_draws(mixed: RunView, plain: RunView, tmp_path: Path) -> None:
    m0, m1, *_ = policies(mixed)
    assert policies(plain)[1] == m1
    alone = run_scripted(tmp_path, *SMALL, "sample.from={initial:1}", "loop.iterations=2")
    for digest, other in ((m1, plain), (m0, alone)):
        for (_, some), (_, all_) in zip(of_prompts(mixed, 1), of_prompts(other, 1), strict=True):
            mine = [one for one in some if one.policy_digest == digest]
            assert [(one.id, one.text, one.seed) for one in mine] == [
                (one.id, one.text, one.seed) for one in all_[: len(mine)]
            ]
    assert {one.seed for one in candidates(mixed, 1) if one.policy_digest == m0}.isdisjoint(
        one.seed for one in candidates(mixed, 1) if one.policy_digest == m1
    )


def test_a_policy_that_does_not_draw_counts_in_no_key(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SMALL, "sample.from={initial:1}", "loop.iterations=2")
    m0, *_ = policies(view)
    assert {one.policy_digest for one in candidates(view, 1)} == {m0}
    assert set(view.iterations[1]["sample"].manifest.inputs) == {"previous", "prompts"}
    assert metrics_of_run(view)[1]["sample/share/previous"] == 1
    row = next(one for one in view.iterations[1]["mix"].records(Example) if one.origin == "self")
    assert "4 candidates of M0 " in shown(view, row.id, 1)


def test_how_a_policy_is_named_is_nothing(tmp_path: Path) -> None:
    settings = (*SMALL, "loop.iterations=2")
    one = run_scripted(tmp_path, *settings, "run=one", "sample.from={live:.5,previous:.5}")
    other = run_scripted(tmp_path, *settings, "run=other", "sample.from={initial:.5,live:.5}")
    assert one.iterations[1]["sample"].key == other.iterations[1]["sample"].key


def test_a_first_part_of_the_candidates_holds_the_shares_and_draws_nothing_anew(tmp_path: Path) -> None:
    settings = (*SMALL, "sample.k=8", "sample.from={live:.5,initial:.5}", "loop.iterations=2")
    whole = run_scripted(tmp_path, *settings, "select.k=8", "run=whole")
    half = run_scripted(tmp_path, *settings, "select.k=4", "run=half")
    assert half.iterations[0]["sample"].key == whole.iterations[0]["sample"].key
    for _, group in of_prompts(half, 1):
        assert set(Counter(one.policy_digest for one in group[:4]).values()) == {2}


def test_the_likelihood_judge_takes_over_only_what_the_judging_policy_drew(mixed: RunView) -> None:
    live = policies(mixed)[2]
    drawn_by = {one.id: one.policy_digest for one in candidates(mixed, 2)}
    told = Counter(
        (drawn_by[one.candidate_ids[0]] == live, one.raw) for one in mixed.iterations[2]["judge"].records(Judgment)
    )
    assert told == {(True, "sampling logprob"): 60, (False, "scored logprob"): 60}


def test_the_page_says_who_drew(mixed: RunView, plain: RunView) -> None:
    page, other = (render(view, None) for view in (mixed, plain))
    assert "live 60, previous 30, initial 30" in page
    assert "live 60" not in other


def test_metrics_the_log_and_explain_say_who_drew(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, *MIXED, reporter=reporter)
    prefix = "sample/share/"
    by = [
        {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
        for row in metrics_of_run(view)
    ]
    assert by == [
        {"live": 1},
        {"live": 0.5, "previous": 0.5},
        {"live": 0.5, "previous": 0.25, "initial": 0.25},
        {},
    ]
    assert "  drawn by live 50.0%, previous 25.0%, initial 25.0%" in reporter.lines
    assert sum(line.startswith("  drawn by") for line in reporter.lines) == 2
    m0, m1, m2, _ = policies(view)
    lines = shown(view, candidates(view, 2)[0].id).split("\n")
    head = next(line for line in lines if line.startswith("Iteration 2: 4 candidates of"))
    assert [head.index(f"M{number} (key") for number in (2, 1, 0)] == sorted(
        head.index(f"M{n} (key") for n in (2, 1, 0)
    )
    drawn_by = [line.rpartition("policy ")[2] for line in lines if "     log-probability" in line]
    assert drawn_by == [f"M2 {m2}", f"M1 {m1}", f"M0 {m0}", f"M2 {m2}"]


def test_the_artifact_is_whole_and_holds_each_row_once(mixed: RunView) -> None:
    check_chain(mixed)
    for stages in mixed.iterations[:3]:
        check_artifact(stages["sample"])
        names = {path.name for path in stages["sample"].path.iterdir()}
        assert all(name.startswith(("rows-", "manifest")) for name in names), names
    assert sampled_of(mixed.iterations[2]["sample"]).by == {"live": 60, "previous": 30, "initial": 30}


class Killed(BaseException):
    """What no code of the package catches."""


def run_until(folder: Path, *settings: str) -> RunView:
    config = scripted_config(*settings)
    run = Run(folder / config.run, Store(folder / "store", Silent()), config.seed)
    with pytest.raises(Killed):
        run_loop(config, run, Tracker(run.folder, Silent()))
    return read_run(run.folder)


@pytest.mark.parametrize("call", [6, 10, 13, 14, 16, 19, 22, 24])
def test_a_kill_amid_drawing_loses_one_shard_and_changes_nothing(
    call: int, mixed: RunView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls 1 to 4 are those of iteration 0, 5 to 12 of two policies, 13 to 24 of three."""
    draw, calls = sampling.draw_candidates, []

    def counted(*arguments: Any, **named: Any) -> list[Candidate]:
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return draw(*arguments, **named)

    monkeypatch.setattr(sampling, "draw_candidates", counted)
    run_until(tmp_path, *MIXED)
    again = run_scripted(tmp_path, *MIXED)
    assert len(calls) == 25, "24 shards and the one that was lost"
    assert digests(again) == digests(mixed)
    assert not list((tmp_path / "store/sample").glob("*/drawn_*"))


def test_a_kill_when_all_is_drawn_draws_nothing_anew_and_leaves_nothing_behind(
    mixed: RunView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, calls, whole = sampling.draw_candidates, [], Table.delete

    def killed(table: Table[Candidate]) -> None:
        next(table._folder.glob("drawn_*-00001.parquet")).unlink()
        raise Killed

    monkeypatch.setattr(Table, "delete", killed)
    run_until(tmp_path, *MIXED)
    assert list((tmp_path / "store/sample").glob("*/drawn_*"))
    monkeypatch.setattr(Table, "delete", whole)
    monkeypatch.setattr(sampling, "draw_candidates", lambda *a, **named: (calls.append(1), draw(*a, **named))[1])
    again = run_scripted(tmp_path, *MIXED)
    assert len(calls) == 12, "those of iteration 2"
    assert digests(again) == digests(mixed)
    assert not list((tmp_path / "store/sample").glob("*/drawn_*"))


def test_one_model_at_a_time_is_held_and_each_draws_for_all_prompts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    close, draw = ScriptedBackend.close, sampling.draw_candidates

    def closed(backend: ScriptedBackend) -> None:
        log.append(f"freed {backend._policy.digest}")
        close(backend)

    def drawn(backend: ScriptedBackend, *arguments: Any, **named: Any) -> list[Candidate]:
        log.append(f"drew {backend._policy.digest}")
        return draw(backend, *arguments, **named)

    monkeypatch.setattr(ScriptedBackend, "close", closed)
    monkeypatch.setattr(sampling, "draw_candidates", drawn)
    view = run_scripted(tmp_path, *MIXED)
    m0, m1, m2, _ = policies(view)
    last = max(at for at, line in enumerate(log) if line == f"drew {m0}")
    first = log.index(f"drew {m2}")
    told = [line for line, _ in groupby(log[first : last + 2])]
    assert [line for line in told if line.startswith("drew")] == [f"drew {m2}", f"drew {m1}", f"drew {m0}"]
    for policy in (m2, m1, m0):
        assert told[told.index(f"drew {policy}") + 1] == f"freed {policy}"


def test_a_policy_that_is_gone_is_told_before_anything_is_drawn(tmp_path: Path) -> None:
    config = scripted_config(*MIXED)
    run = Run(tmp_path / config.run, Store(tmp_path / "store", Silent()), config.seed)

    class Deletes(Tracker):
        def iteration(self, t: int) -> None:
            if t == 1:
                shutil.rmtree((run.folder / "iter-000/update").resolve() / "model")

    with pytest.raises(StageError, match=r"^the previous policy, which is to draw, is gone: .*/model\."):
        run_loop(config, run, Deletes(run.folder, Silent()))
    folders = [path for path in (tmp_path / "store/sample").iterdir() if not (path / "manifest.json").exists()]
    assert [list(path.iterdir()) for path in folders] == [[]]


@pytest.mark.parametrize(
    ("setting", "kept"),
    [
        ("sample.from=null", [2]),
        ("sample.from={live:.5,previous:.5}", [1, 2]),
        ("sample.from={live:.5,initial:.5}", [2]),
        ("judge.policy=previous", [1, 2]),
    ],
)
def test_gc_keeps_what_a_run_that_goes_on_draws_from_or_judges_with(
    setting: str, kept: list[int], tmp_path: Path
) -> None:
    settings = (*SMALL, setting, f"store.runs={tmp_path}")
    config = scripted_config(*settings)
    view = run_scripted(tmp_path, *settings)
    (view.folder / "config.json").write_text(config.model_dump_json())
    collect([view.folder], Store(tmp_path / "store", Silent()), lambda _: None)
    updates = [stages["update"] for stages in read_run(view.folder).iterations if "update" in stages]
    assert [t for t, one in enumerate(updates) if not one.manifest.collected] == kept
    reporter = Silent()
    run_scripted(tmp_path, *settings, "loop.iterations=4", reporter=reporter)
    assert not any("made again" in line for line in reporter.lines)
