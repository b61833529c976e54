"""Faults around a run: each ends with status 2 and one line that says what to do, and without a traceback."""

import errno
import fcntl
import json
import os
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfreward.artifacts.atomic_files import locked, write_atomically
from selfreward.errors import StoreError, of_system
from tests.support import selfreward
from tests.test_cli import SCRIPTED
from tests.test_mistakes import one_line


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    assert selfreward(*SCRIPTED, "loop.iterations=1", cwd=folder).returncode == 0
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path, symlinks=True, dirs_exist_ok=True)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Lets nobody write a larger file, as a file system with such a limit does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [100, 3000, 9000])
def test_a_file_that_the_disk_does_not_take_is_told_and_the_same_command_goes_on(size: int, tmp_path: Path) -> None:
    with files_of_at_most(size):
        done = selfreward(*SCRIPTED, "loop.iterations=0", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "File too large" in done.stderr.splitlines()[-1]
    assert "store.runs=FOLDER and run the same command again" in done.stderr.splitlines()[-1]
    assert selfreward(*SCRIPTED, "loop.iterations=0", cwd=tmp_path).returncode == 0


def test_weights_that_the_disk_does_not_take_are_told(tmp_path: Path) -> None:
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    with files_of_at_most(1000), pytest.raises(SafetensorError) as error:
        save_file({"weight": np.zeros(1000)}, tmp_path / "model.safetensors")
    told = of_system(error.value, "update 1234 in runs/store/update/1234")
    assert str(told).startswith("File too large for update 1234 in runs/store/update/1234: choose a disk that takes")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EMFILE])
def test_whatever_the_system_refuses_while_a_stage_writes_is_one_line(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number), "rows-00000.tmp")

    monkeypatch.setattr("selfreward.artifacts.parquet.write_parquet", refused)
    done = selfreward(*SCRIPTED, "loop.iterations=0", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"selfreward: {os.strerror(number)} for source ")
    assert last.endswith("and run the same command again")


def test_a_want_of_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")

    monkeypatch.setattr("selfreward.artifacts.parquet.write_parquet", refused)
    done = selfreward(*SCRIPTED, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("selfreward: Cannot allocate memory for source ")


def test_a_file_system_without_locks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    done = selfreward(*SCRIPTED, cwd=tmp_path)
    assert done.returncode == 2
    assert "has no locks (No locks available)" in done.stderr.splitlines()[-1]
    assert "store.runs=FOLDER" in done.stderr.splitlines()[-1]
    with pytest.raises(StoreError), locked(tmp_path / "lock", on_wait=lambda: None):
        pass


def test_a_sweep_on_a_file_system_without_locks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    done = selfreward("run", "-m", *SCRIPTED[1:], "run=s", "seed=0,1", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert sum("has no locks (No locks available)" in line for line in done.stderr.splitlines()) == 1


def _manifest(folder: Path, stage: str, of: str = "iter-000") -> Path:
    return folder / "runs/scripted" / of / stage / "manifest.json"


@pytest.mark.parametrize("content", ['{"stage": "sam', "[]", '{"stage": "sample", "new_field": 1}'])
def test_a_torn_or_newer_manifest_of_another_artifact_is_no_matter(copied: Path, content: str) -> None:
    _manifest(copied, "sample").write_text(content)
    other = selfreward(*SCRIPTED, "loop.iterations=1", "run=other", "sample.top_p=0.5", cwd=copied)
    assert other.returncode == 0, other.stderr
    line = one_line(selfreward("verify", "scripted", cwd=copied))
    assert "delete the folder" in line or "update selfreward" in line


def test_what_a_run_shows_is_what_it_was_made_with(copied: Path) -> None:
    assert selfreward("verify", "scripted", cwd=copied).returncode == 0
    changes = {
        "counts": lambda one: one["counts"].update(completion_tokens=1),
        "seconds": lambda one: one.update(seconds=0.0),
        "rows": lambda one: one["tables"][0].update(rows=7),
        "spec": lambda one: one["identity"]["spec"].update(temperature=0.1),
        "input": lambda one: one["identity"]["inputs"].update(prompts="0" * 16),
        "stage": lambda one: one.update(stage="judge"),
    }
    path = _manifest(copied, "sample")
    whole = path.read_text()
    for change, make in changes.items():
        manifest = json.loads(whole)
        make(manifest)
        path.write_text(json.dumps(manifest))
        done = selfreward("verify", "scripted", cwd=copied)
        assert done.returncode == 2, change
        assert "delete the folder" in done.stderr.splitlines()[-1], change
    manifest = json.loads(whole)
    del manifest["record"]
    path.write_text(json.dumps(manifest))
    done = selfreward("verify", "scripted", cwd=copied)
    assert done.returncode == 0


def test_bytes_outside_of_the_store_do_not_pass(copied: Path) -> None:
    rows = (copied / "runs/scripted/iter-000/sample").resolve() / "rows-00000.parquet"
    elsewhere = copied / "elsewhere.parquet"
    shutil.copy2(rows, elsewhere)
    rows.unlink()
    rows.symlink_to(elsewhere)
    done = selfreward("verify", "scripted", cwd=copied)
    assert done.returncode == 2
    assert "rows-00000.parquet" in done.stderr
    rows.unlink()
    shutil.copy2(elsewhere, rows)
    folder = rows.parent
    folder.rename(copied / "moved")
    folder.symlink_to(copied / "moved")
    done = selfreward("verify", "scripted", cwd=copied)
    assert done.returncode == 2
    assert done.returncode == 2


def test_a_run_whose_store_is_gone_keeps_its_good_page(copied: Path) -> None:
    assert selfreward("report", "scripted", cwd=copied).returncode == 0
    assert selfreward("compare", "scripted", cwd=copied).returncode == 0
    pages = {name: (copied / "runs/scripted" / name).read_bytes() for name in ("report.html", "comparison.html")}
    (copied / "runs/store").rename(copied / "away")
    for command in ("report", "compare"):
        line = one_line(selfreward(command, "scripted", cwd=copied))
        assert "bring the store back" in line
    for name, page in pages.items():
        assert (copied / "runs/scripted" / name).read_bytes() == page


def test_a_torn_file_beside_a_run_is_told_or_taken_anew(copied: Path) -> None:
    (copied / "runs/store/.digests.json").write_text("{")
    assert selfreward(*SCRIPTED, "loop.iterations=1", cwd=copied).returncode == 0
    (copied / "runs/scripted/config.json").write_text("{")
    for command in ("report", "status", "gc"):
        done = selfreward(command, "scripted", cwd=copied)
        assert done.returncode == 2
        assert "config.json cannot be read" in done.stderr.splitlines()[-1]
    other = selfreward(*SCRIPTED, "loop.iterations=1", "run=other", cwd=copied)
    assert other.returncode == 0, other.stderr
    assert selfreward("report", "other", cwd=copied).returncode == 0, "another run is no matter"


def test_what_a_killed_process_left_half_written_goes_with_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "digests.json"
    old, new = tmp_path / ".digests.json.41.tmp", tmp_path / ".digests.json.42.tmp"
    for scratch in (old, new):
        scratch.write_text("{")
    os.utime(old, (0, 0))
    write_atomically(path, b"{}")
    assert sorted(tmp_path.iterdir()) == [new, path], "a process may be writing the other one"
