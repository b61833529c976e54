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
