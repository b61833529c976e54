"""The result of a run that is held against gold: a link to the best policy, which nothing deletes."""

from pathlib import Path

import pytest

from selfreward.artifacts.runs import read_run
from selfreward.backends.scripted_policy import STATE_FILE, read_state
from selfreward.commands.gc import main as gc_main
from selfreward.commands.status import main as status_main
from selfreward.reading.best import best_of
from tests.support import selfreward

SMALL = ("data.train_closed=32", "data.train_open=8", "mix.min_rows=1", "measure.k=4", "evaluate.ladder=[0.4]")
FALLS = ("model.skill=0.1", "update.rate=1", "data.held_out_closed=60")
RISES = ("model.skill=0.4", "data.held_out_closed=40")
COMMAND = ("run", "experiment=scripted", "overoptimisation=default", "judge.policy=initial", "mix.real_share=0", *SMALL)


def said(*settings: str, cwd: Path) -> str:
    done = selfreward(*COMMAND, *settings, cwd=cwd)
    assert done.returncode == 0, done.stderr
    (line,) = [one for one in (done.stdout + done.stderr).splitlines() if one.startswith("best: ")]
    return line


def best(folder: Path) -> str:
    return (folder / "runs/scripted/best").resolve().relative_to((folder / "runs").resolve()).as_posix()


def test_the_link_leads_to_the_best_policy_and_an_extension_leads_it_on(tmp_path: Path) -> None:
    line = said(*RISES, "loop.iterations=1", cwd=tmp_path)
    assert (
        line.startswith("best: M1 with gold (verifier) 0.") and "on 40 prompts; it was chosen among 2 policies" in line
    )
    assert line.endswith("read what it reaches off other gold; runs/scripted/best leads to it")
    one = best(tmp_path)
    assert one.startswith("store/update/") and (tmp_path / "runs/scripted/best" / STATE_FILE).exists()
    assert said(*RISES, "loop.iterations=1", cwd=tmp_path) == line
    assert said(*RISES, "loop.iterations=2", cwd=tmp_path).startswith("best: M2 ")
    assert best(tmp_path) != one
    assert read_state(tmp_path / "runs/scripted/best").skill > 0.4


def test_a_judge_that_changes_is_told_before_anything_is_drawn(tmp_path: Path) -> None:
    command = [one for one in COMMAND if not one.startswith("judge.policy")]
    first, *_ = selfreward(*command, *RISES, "loop.iterations=0", cwd=tmp_path).stderr.splitlines()[1:]
    assert first.startswith("overoptimisation: judge.policy=live is another policy from round to round")
    assert "judge.policy=initial, or external with a path, measures it" in first


def test_a_start_model_that_is_best_is_linked(tmp_path: Path) -> None:
    assert said(*FALLS, "loop.iterations=3", cwd=tmp_path).startswith("best: M0, the start model, with gold (verifier)")
    assert best(tmp_path).startswith("store/.models/")
    assert read_state(tmp_path / "runs/scripted/best").skill == 0.1


def test_another_run_of_the_name_does_not_keep_the_link(tmp_path: Path) -> None:
    said(*RISES, "loop.iterations=1", cwd=tmp_path)
    without = [one for one in COMMAND if not one.startswith("overoptimisation")]
    assert selfreward(*without, *RISES, "loop.iterations=1", cwd=tmp_path).returncode == 0
    assert not (tmp_path / "runs/scripted/best").is_symlink()


def test_a_starved_run_has_a_best_policy_too(tmp_path: Path) -> None:
    done = selfreward(*COMMAND, *RISES, "mix.min_rows=5000", cwd=tmp_path)
    assert done.returncode == 3
    assert (tmp_path / "runs/scripted/best").exists()


@pytest.mark.parametrize("keeps", ["last", "all"])
def test_the_best_policy_outlives_the_deletion_of_weights(
    keeps: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Learns for two rounds; then its gold is spoilt, so that the best is neither the last policy nor the first.
    settings = (*RISES, "model.skill=0.45", "loop.iterations=4", f"store.keep_policies={keeps}")
    monkeypatch.setattr("selfreward.monitor.policy_scores.best_policy", lambda gold_TP: min(2, len(gold_TP) - 1))
    assert said(*settings, cwd=tmp_path).startswith("best: M2 ")
    monkeypatch.chdir(tmp_path)
    if keeps == "all":
        assert gc_main(["scripted"]) == 0
    view = read_run(Path("runs/scripted"))
    collected = [stages["update"].manifest.collected for stages in view.iterations[:-1]]
    assert collected == [True, False, True, False]
    assert (tmp_path / "runs/scripted/best" / STATE_FILE).exists()
    capsys.readouterr()
    assert status_main(["scripted"]) == 0
    found = best_of(view)
    assert found is not None and found.told in capsys.readouterr().out
