"""Links of a run that two processes are at."""

from pathlib import Path

import pytest

from selfreward.artifacts.runs import link_to


def test_a_link_is_set_though_another_process_sweeps_the_folder_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, swept = Path.replace, []

    def sweep_first(scratch: Path, link: Path) -> Path:
        if not swept:
            swept.append(scratch)
            scratch.unlink()
        return replace(scratch, link)

    monkeypatch.setattr(Path, "replace", sweep_first)
    target, link = tmp_path / "store" / "a", tmp_path / "run" / "iter-000" / "evaluate"
    link_to(target, link)
    assert swept
    assert [one.name for one in link.parent.iterdir()] == ["evaluate"]
    assert link.parent / link.readlink() == link.parent / "../../store/a"


def test_a_link_leads_out_of_a_folder_of_runs_that_is_itself_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk" / "deep" / "runs").mkdir(parents=True)
    (tmp_path / "runs").symlink_to(tmp_path / "disk" / "deep" / "runs")
    model, link = tmp_path / "models" / "start", tmp_path / "runs" / "one" / "best"
    model.mkdir(parents=True)
    link_to(model, link)
    assert link.resolve(strict=True) == model
