"""What happens to a store whose files are altered, emptied or of somebody else."""

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from selfreward.artifacts import Artifact, Output, Store
from selfreward.artifacts.atomic_files import folder_digest, write_json
from selfreward.artifacts.manifest import read_manifest
from selfreward.errors import CollectedArtifact, CorruptArtifact, StoreError
from selfreward.records import Message
from tests.artifacts import poems
from tests.artifacts.poems import PoemSpec, broken_poem, calls, poem
from tests.support import Silent


@pytest.fixture
def store(tmp_path: Path) -> Store:
    calls.clear()
    return Store(tmp_path / "store", Silent())


def unfinished(store: Store, seed: int | None = None) -> tuple[Path, str]:
    """The folder of a stage that was killed before it committed, and the digest that it should come to."""
    artifact = store.run(poem, PoemSpec(), seed=seed)
    (artifact.path / "manifest.json").unlink()
    calls.clear()
    return artifact.path, artifact.digest


def flip(path: Path, luck: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[luck.randrange(len(content))] ^= 1 << luck.randrange(8)
    path.write_bytes(content)


def cut(path: Path, luck: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: luck.randrange(path.stat().st_size)])


def swap(path: Path, _: random.Random) -> None:
    """With another shard, each with its digest."""
    other = path.with_name("rows-00002.parquet")
    for one, two in ((path, other), (path.with_suffix(".sha256"), other.with_suffix(".sha256"))):
        content = one.read_bytes()
        shutil.copyfile(two, one)
        two.write_bytes(content)


def lose_digest(path: Path, _: random.Random) -> None:
    path.with_suffix(".sha256").unlink()


def link_elsewhere(path: Path, _: random.Random) -> None:
    outside = path.parents[3] / "outside.parquet"
    shutil.copyfile(path, outside)
    path.unlink()
    path.symlink_to(outside)


@pytest.mark.parametrize("damage", [flip, cut, swap, lose_digest, link_elsewhere])
@pytest.mark.parametrize("seed", range(4))
def test_a_shard_that_is_not_what_was_written_is_made_again(
    store: Store, damage: Callable[[Path, random.Random], None], seed: int
) -> None:
    folder, digest = unfinished(store)
    damage(folder / "rows-00001.parquet", random.Random(seed))
    reporter = Silent()
    assert Store(store.root, reporter).run(poem, PoemSpec()).digest == digest
    assert calls == ([2, 4] if damage is swap else [2])
    assert any("rows-00001.parquet or a shard beside it is not what was written" in line for line in reporter.lines)


def test_a_shard_of_another_artifact_is_made_again_though_it_is_whole(store: Store) -> None:
    other, _ = unfinished(store, seed=1)
    folder, digest = unfinished(store)
    for name in ("rows-00001.parquet", "rows-00001.sha256"):
        shutil.copyfile(other / name, folder / name)
    assert store.run(poem, PoemSpec()).digest == digest
    assert calls == [2]


def test_an_empty_shard_after_a_power_cut_needs_nobody(store: Store) -> None:
    with pytest.raises(ValueError, match="no muse"):
        store.run(broken_poem, PoemSpec())
    shard = next((store.root / "poem").glob("*/rows-00000.parquet"))
    shard.write_bytes(b"")
    assert store.run(poem, PoemSpec()).rows() == 6
    assert calls == [0, 2, 4]


def test_files_that_no_stage_wrote_are_no_part_of_an_artifact(store: Store) -> None:
    folder, digest = unfinished(store)
    shutil.copyfile(folder / "rows-00000.parquet", folder / "rows-00009.parquet")
    (folder / "rows-00009.sha256").write_text("0" * 64)
    (folder / "elsewhere").symlink_to(store.root)
    made = store.run(poem, PoemSpec())
    assert made.digest == digest
    assert {entry.path for entry in made.manifest.files} == {"about.json", *(f"rows-0000{n}.parquet" for n in range(3))}
    assert store.root.is_dir()


def test_what_was_concluded_from_an_altered_shard_goes_with_it(store: Store) -> None:
    made = store.run(judged, PoemSpec())
    (made.path / "manifest.json").unlink()
    calls.clear()
    flip(made.path / "evidence-00001.parquet", random.Random(0))
    assert store.run(judged, PoemSpec()).digest == made.digest
    assert calls == [2, 102]


def judged(out: Output, spec: PoemSpec) -> None:
    """A table that is concluded from another, shard by shard."""
    with out.table(Message, "evidence") as evidence, out.table(Message) as rows:
        for start in range(0, spec.lines, 2):
            asked = evidence.shard(lambda start=start: poems.verses(start, start + 2, "asked"))
            rows.shard(lambda start=start, asked=asked: [calls.append(100 + start), *asked][1:])


judged.__module__ = poems.__name__


def empty(artifact: Artifact) -> None:
    """As `selfreward gc` leaves it."""
    manifest = artifact.path / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "collected": True}))
    for shard in artifact.path.glob("rows-*"):
        shard.unlink()


def test_collected_bytes_that_are_needed_are_made_again_and_compared(store: Store) -> None:
    first = store.run(poem, PoemSpec())
    second = store.run(poem, PoemSpec(), theme=first)
    kept = second.manifest
    empty(first)
    empty(second)
    calls.clear()
    reporter = Silent()
    fresh = Store(store.root, reporter)
    theme = fresh.run(poem, PoemSpec(), theme=fresh.run(poem, PoemSpec()))
    assert theme.digest == second.digest, "the chain can still be walked"
    assert calls == [], "and nothing is made for that"
    fresh.run(poem, PoemSpec(lines=2), theme=theme)
    assert calls == [0, 2, 4, 0, 2, 4, 0], "what it was made from first"
    label = f"poem {second.key[:4]}"
    assert f"{label}: `selfreward gc` deleted its bytes, which are needed: made again" in reporter.lines
    assert f"{label}: is what it was (content {second.digest})" in reporter.lines
    again = read_manifest(second.path)
    assert again is not None
    assert (again.made, again.counts, again.collected) == (kept.made, kept.counts, False)


def test_what_is_made_again_otherwise_is_told_and_the_next_run_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty(store.run(poem, PoemSpec()))
    monkeypatch.setattr(poems, "verses", lambda start, end, name: [Message(role="user", content="another machine")])
    fresh = Store(store.root, Silent())
    with pytest.raises(StoreError, match=r"poem .* is not what it was .* Give the same command again"):
        fresh.run(poem, PoemSpec(lines=2), theme=fresh.run(poem, PoemSpec()))
    after = Store(store.root, Silent())
    assert after.run(poem, PoemSpec(lines=2), theme=after.run(poem, PoemSpec())).rows() == 1


def test_a_kill_while_it_is_made_again_loses_nothing_of_what_was_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.run(poem, PoemSpec())
    empty(first)
    monkeypatch.setattr(poems, "verses", lambda *_: 1 / 0)
    fresh = Store(store.root, Silent())
    with pytest.raises(ZeroDivisionError):
        fresh.run(poem, PoemSpec(lines=2), theme=fresh.run(poem, PoemSpec()))
    found = Store(store.root, Silent()).run(poem, PoemSpec())
    assert (found.digest, found.manifest.collected) == (first.digest, True)
    assert found.json("about") == {"lines": 6}


def test_collected_bytes_of_which_nobody_says_how_are_asked_for_by_name(store: Store) -> None:
    empty(store.run(poem, PoemSpec()))
    collected = store.run(poem, PoemSpec())
    with pytest.raises(CollectedArtifact, match="selfreward gc"):
        Store(store.root, Silent()).run(poem, PoemSpec(lines=2), theme=collected)


def test_an_artifact_under_the_key_of_another_is_refused(store: Store) -> None:
    one, other = (store.run(poem, PoemSpec(), seed=seed) for seed in (0, 1))
    shutil.rmtree(one.path)
    shutil.copytree(other.path, one.path)
    with pytest.raises(CorruptArtifact, match=f"is that of poem {other.key}: delete the folder {one.path}"):
        store.run(poem, PoemSpec(), seed=0)


def test_bytes_that_lie_elsewhere_are_refused(store: Store, tmp_path: Path) -> None:
    made = store.run(poem, PoemSpec())
    shutil.move(made.path / "about.json", tmp_path / "about.json")
    (made.path / "about.json").symlink_to(tmp_path / "about.json")
    with pytest.raises(CorruptArtifact, match="outside its place"):
        made.check()


def test_what_a_killed_writer_left_is_deleted_once_it_is_old(tmp_path: Path) -> None:
    old, young = tmp_path / ".memory.json.1.tmp", tmp_path / ".memory.json.2.tmp"
    for path in (old, young):
        path.write_text("{")
    os.utime(old, (time.time() - 7200,) * 2)
    write_json(tmp_path / "memory.json", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name, "memory.json"]


def test_a_memory_of_digests_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    memory = tmp_path / "memory.json"
    digest = folder_digest(tmp_path / "model", memory)
    for content in (b"", b"[1]", b"{\xff"):
        memory.write_bytes(content)
        assert folder_digest(tmp_path / "model", memory) == digest
