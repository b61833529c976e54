"""The store: what decides a key, what survives a crash, what is refused."""

import errno
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from selfreward.artifacts import Store
from selfreward.artifacts.atomic_files import folder_digest
from selfreward.artifacts.manifest import read_manifest
from selfreward.artifacts.runs import Run, read_run
from selfreward.errors import CorruptArtifact, StoreError
from selfreward.policies import Policy
from selfreward.records import Message
from tests.artifacts.poems import PoemSpec, broken_poem, calls, poem
from tests.support import Silent


@pytest.fixture
def store(tmp_path: Path) -> Store:
    calls.clear()
    return Store(tmp_path / "store", Silent())


def test_a_second_run_makes_nothing(store: Store) -> None:
    first = store.run(poem, PoemSpec())
    calls.clear()
    second = store.run(poem, PoemSpec())
    assert calls == []
    assert (second.key, second.digest) == (first.key, first.digest)
    assert [row.content for row in second.records(Message)] == [f"0:{n}" for n in range(6)]
    assert second.json("about") == {"lines": 6}


def test_execution_and_neutral_settings_are_no_part_of_the_key(store: Store) -> None:
    plain = store.run(poem, PoemSpec())
    assert store.run(poem, PoemSpec(workers=8)).key == plain.key
    assert store.run(poem, PoemSpec(rhyme=None)).key == plain.key
    assert store.run(poem, PoemSpec(rhyme="abba")).key != plain.key
    assert store.run(poem, PoemSpec(lines=5)).key != plain.key
    assert store.run(poem, PoemSpec(), seed=1).key != plain.key


def test_how_rows_are_cut_into_shards_is_not_their_identity(store: Store) -> None:
    twos, threes = store.run(poem, PoemSpec(shard_lines=2)), store.run(poem, PoemSpec(shard_lines=3))
    assert twos.key != threes.key
    assert twos.digest == threes.digest


def test_an_input_counts_by_its_content(store: Store) -> None:
    twos, threes = store.run(poem, PoemSpec(shard_lines=2)), store.run(poem, PoemSpec(shard_lines=3))
    other = store.run(poem, PoemSpec(lines=4))
    assert store.run(poem, PoemSpec(), theme=twos).key == store.run(poem, PoemSpec(), theme=threes).key
    assert store.run(poem, PoemSpec(), theme=other).key != store.run(poem, PoemSpec(), theme=twos).key


def test_a_part_counts_by_itself(store: Store) -> None:
    one, other = (store.run(poem, PoemSpec(), seed=seed) for seed in (0, 1))
    assert one.digest != other.digest
    made = store.run(poem, PoemSpec(), theme=one.part("about"))
    assert store.run(poem, PoemSpec(), theme=other.part("about")).key == made.key
    assert store.run(poem, PoemSpec(), theme=store.run(poem, PoemSpec(lines=4)).part("about")).key != made.key
    assert store.run(poem, PoemSpec(), theme=one).key != made.key
    assert one.part("about", "rows").digest == one.digest, "all parts together are the whole"
    assert one.part("rows").digest == store.run(poem, PoemSpec(shard_lines=3)).part("rows").digest


def test_a_manifest_says_which_part_of_which_artifact_was_read(store: Store) -> None:
    one, other = (store.run(poem, PoemSpec(), seed=seed) for seed in (0, 1))
    part = one.part("about")
    manifest = read_manifest(store.run(poem, PoemSpec(), theme=part).path)
    assert manifest is not None
    entry = manifest.inputs["theme"]
    assert (entry.key, entry.digest, entry.part) == (one.key, part.digest, ("about",))
    assert one.holds(entry) and other.holds(entry), "both have what was read"
    assert not store.run(poem, PoemSpec(lines=4)).holds(entry)


def test_a_part_gives_nothing_that_its_digest_does_not_cover(store: Store) -> None:
    made = store.run(poem, PoemSpec())
    assert made.part("about").json("about") == {"lines": 6}
    assert len(list(made.part("rows").records(Message))) == 6
    with pytest.raises(KeyError):
        made.part("about").records(Message)
    with pytest.raises(KeyError):
        made.part("rows").json("about")
    with pytest.raises(KeyError, match="moral"):
        made.part("moral")


def test_a_part_of_altered_bytes_is_refused(store: Store) -> None:
    theme = store.run(poem, PoemSpec(lines=4))
    part = theme.part("about")
    (theme.path / "about.json").write_text('{"lines": 5}')
    with pytest.raises(CorruptArtifact, match=f"delete the folder {theme.path}"):
        Store(store.root, Silent()).run(poem, PoemSpec(), theme=part)


def test_finished_shards_outlive_a_failure(store: Store) -> None:
    with pytest.raises(ValueError, match="no muse") as caught:
        store.run(broken_poem, PoemSpec())
    assert any("in stage poem" in note for note in caught.value.__notes__)
    artifact = store.run(poem, PoemSpec())
    assert calls == [2, 4]
    assert artifact.digest == Store(store.root.parent / "other", Silent()).run(poem, PoemSpec()).digest


def test_the_keys_of_this_version_do_not_move(store: Store) -> None:
    artifact = store.run(poem, PoemSpec(), seed=7)
    assert artifact.key == "6f9cb9c985469231"
    assert artifact.digest == "fb685400f3824d42"


def test_an_altered_file_is_refused_and_the_folder_to_delete_is_named(store: Store) -> None:
    artifact = store.run(poem, PoemSpec())
    shard = artifact.path / "rows-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptArtifact, match=f"delete the folder {artifact.path}"):
        store.run(poem, PoemSpec())


def test_a_touched_but_equal_file_is_accepted(store: Store) -> None:
    artifact = store.run(poem, PoemSpec())
    calls.clear()
    os.utime(artifact.path / "rows-00000.parquet", ns=(1, 1))
    assert store.run(poem, PoemSpec()).digest == artifact.digest
    assert calls == []


def test_a_replaced_input_is_refused_even_with_its_old_size_and_time(store: Store) -> None:
    theme = store.run(poem, PoemSpec(lines=4))
    shard = theme.path / "rows-00000.parquet"
    stat = shard.stat()
    shard.write_bytes(bytes(reversed(shard.read_bytes())))
    os.utime(shard, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    fresh = Store(store.root, Silent())
    with pytest.raises(CorruptArtifact, match="not the file that was written"):
        fresh.run(poem, PoemSpec(), theme=fresh.run(poem, PoemSpec(lines=4)))


def test_without_a_manifest_there_is_no_artifact(store: Store) -> None:
    artifact = store.run(poem, PoemSpec())
    (artifact.path / "manifest.json").unlink()
    calls.clear()
    assert store.run(poem, PoemSpec()).digest == artifact.digest
    assert calls == [], "whole shards are taken over"


def test_a_full_disk_is_one_clear_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("selfreward.artifacts.parquet.write_parquet", full)
    with pytest.raises(StoreError, match="No space left on device for poem .* run the same command again"):
        store.run(poem, PoemSpec())
    monkeypatch.undo()
    assert store.run(poem, PoemSpec()).rows() == 6


def test_a_miss_names_the_setting_that_changed(store: Store) -> None:
    store.run(poem, PoemSpec())
    reporter = Silent()
    Store(store.root, reporter).run(poem, PoemSpec(lines=5))
    assert reporter.lines[0].endswith("poem.lines 6 -> 5")


def test_a_miss_is_told_against_what_the_run_had_in_that_place(store: Store, tmp_path: Path) -> None:
    Run(tmp_path / "mine", store, seed=0).stage(0, poem, PoemSpec(lines=4, shard_lines=1))
    Run(tmp_path / "other", store, seed=0).stage(0, poem, PoemSpec(lines=5))
    reporter = Silent()
    Run(tmp_path / "mine", Store(store.root, reporter), seed=0).stage(0, poem, PoemSpec(lines=6, shard_lines=1))
    assert reporter.lines[0].endswith("poem.lines 4 -> 6")


@pytest.mark.parametrize("harm", [b"", b"torn", b"\x00\xff ../..\n0123456789abcdef \n", None])
def test_a_miss_is_explained_whatever_became_of_the_list_of_what_was_made(store: Store, harm: bytes | None) -> None:
    made = store.run(poem, PoemSpec())
    listed = store.root / ".made" / "poem"
    if harm is None:
        listed.unlink()
    else:
        listed.write_bytes(harm)
    assert store.run(poem, PoemSpec()).digest == made.digest
    reporter = Silent()
    fresh = Store(store.root, reporter)
    assert fresh.run(poem, PoemSpec(lines=5)).rows() == 5
    assert reporter.lines[0].endswith("poem.lines 6 -> 5" if harm is None else "first of its kind")
    assert fresh.run(poem, PoemSpec(lines=7)).rows() == 7
    assert "poem.lines 5 -> 7" in reporter.lines[1] or harm == b"torn", "a torn line takes the next one with it"


def test_what_lies_beside_a_model_from_outside_is_not_ours(store: Store, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "of somebody else"}')
    outside = Policy(path=tmp_path / "model", key="d", digest="d")
    assert store.run(poem, PoemSpec(), policy=outside).rows() == 6


def test_two_names_of_one_file_are_two_files_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("{}")
    for folder, names in (("one", ["a.json"]), ("two", ["a.json", "b.json"])):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).symlink_to(tmp_path / "blob")
    digests = [folder_digest(tmp_path / folder, tmp_path / "memory.json") for folder in ("one", "two", "one", "two")]
    assert digests[:2] == digests[2:]
    assert digests[0] != digests[1]


def test_a_run_is_read_in_the_order_of_its_iterations(store: Store, tmp_path: Path) -> None:
    run = Run(tmp_path / "run", store, seed=0)
    made = [run.stage(t, poem, PoemSpec()).key for t in (2, 999, 1000)]
    assert [stages["poem"].key for stages in read_run(run.folder).iterations] == made


def _race(root: Path, ready: "multiprocessing.synchronize.Barrier", results: "multiprocessing.Queue[object]") -> None:
    calls.clear()
    ready.wait()
    artifact = Store(root, Silent()).run(poem, PoemSpec(lines=200, shard_lines=1))
    results.put((artifact.digest, len(calls)))


def test_of_two_processes_one_works_and_the_other_reads(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(2), context.Queue()
    workers = [context.Process(target=_race, args=(tmp_path, ready, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    (one, made_one), (two, made_two) = results.get(timeout=60), results.get(timeout=60)
    for worker in workers:
        worker.join()
    assert one == two
    assert sorted((made_one, made_two)) == [0, 200]


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:

        def stop(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        import selfreward.artifacts.store as module

        module.manifests.write_manifest = stop  # type: ignore[assignment]
        Store(tmp_path, Silent()).run(poem, PoemSpec())
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert Store(tmp_path, Silent()).run(poem, PoemSpec()).rows() == 6
