#!/usr/bin/env python
"""Damages shards of unfinished artifacts and compares what the run ends with against a run that was left alone.

    python scripts/damage_test.py --times 400

A finished scripted run is made unfinished: the manifest of one artifact is deleted, mostly with some of its last
shards. Then one or two of its shards are damaged: a bit is flipped, in the rows or in the digest beside them, a file
is cut or emptied, two shards change places, or a shard of another artifact is copied over one, with its digest or
without. Each time the same command has to finish by itself, with the digests of the run that was left alone.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

from quiet import Quiet

from selfreward.__main__ import compose
from selfreward.artifacts import Store
from selfreward.artifacts.parquet import digest_file
from selfreward.artifacts.runs import Run, read_run
from selfreward.config import RunConfig, validate
from selfreward.loop import run_loop
from selfreward.tracking import Tracker

SMALL = [
    "experiment=scripted",
    "loop.iterations=1",
    "sample.shard_prompts=8",
    "measure.shard_prompts=16",
    "evaluate.ladder=[0.4]",
    "data.held_out_closed=30",
]


class Teller(Quiet):
    """Remembers what was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Keeps the line."""
        self.lines.append(line)

    def table(self, *_: object) -> None:
        """Shows nothing."""


def run(folder: Path, config: RunConfig) -> tuple[dict[str, str], list[str]]:
    """The digest of every artifact of a run by the name of its link, and what was told."""
    teller = Teller()
    current = Run(folder / config.run, Store(folder / "store", teller), config.seed)
    run_loop(config, current, Tracker(current.folder, teller))
    return {name: artifact.digest for name, artifact in read_run(current.folder).artifacts()}, teller.lines


def flip(path: Path, luck: random.Random) -> None:
    """One bit."""
    content = bytearray(path.read_bytes())
    content[luck.randrange(len(content))] ^= 1 << luck.randrange(8)
    path.write_bytes(content)


def cut(path: Path, luck: random.Random) -> None:
    """At a random place, or at 0 as after a power cut."""
    path.write_bytes(path.read_bytes()[: luck.choice([0, luck.randrange(path.stat().st_size)])])


def exchange(one: Path, other: Path) -> None:
    """Two files change places."""
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def damage(kind: str, shard: Path, shards: list[Path], foreign: list[Path], luck: random.Random) -> bool:
    """Damages `shard` among the `shards` of its artifact; False where there is no other to do it with."""
    alike = [one for one in shards if one != shard and one.read_bytes() != shard.read_bytes()]
    others = [one for one in foreign if one.read_bytes() != shard.read_bytes()]
    if (kind.startswith("swap") and not alike) or (kind.startswith("copy") and not others):
        return False
    match kind:
        case "flip":
            flip(shard, luck)
        case "flip digest":
            flip(digest_file(shard), luck)
        case "cut":
            cut(shard, luck)
        case "cut digest":
            cut(digest_file(shard), luck)
        case "swap" | "swap with digests":
            other = luck.choice(alike)
            exchange(shard, other)
            if kind != "swap":
                exchange(digest_file(shard), digest_file(other))
        case "copy" | "copy with digest":
            other = luck.choice(others)
            shutil.copyfile(other, shard)
            if kind != "copy":
                shutil.copyfile(digest_file(other), digest_file(shard))
    return True


KINDS = ("flip", "flip", "flip digest", "cut", "cut digest", "swap", "swap with digests", "copy", "copy with digest")


def damage_once(folder: Path, luck: random.Random) -> Counter[str]:
    """Makes an artifact of the run in `folder` unfinished and damages shards of it; how often each kind was done."""
    artifacts = [path.parent for path in sorted((folder / "store").glob("*/*/rows-00000.parquet"))]
    victim = luck.choice(artifacts)
    (victim / "manifest.json").unlink()
    shards = sorted(victim.glob("*.parquet"))
    for last in shards[luck.randint(1, len(shards)) :]:
        last.unlink()
        digest_file(last).unlink()
    shards = sorted(victim.glob("*.parquet"))
    stage = victim.parent
    foreign = [one for one in sorted(stage.glob("*/*.parquet")) if one.parent != victim]
    done: Counter[str] = Counter()
    for shard in luck.sample(shards, min(len(shards), luck.choice([1, 1, 2]))):
        kind = luck.choice(KINDS)
        if not damage(kind, shard, shards, foreign, luck):
            kind = "flip"
            flip(shard, luck)
        done[kind] += 1
    return done


def main() -> int:
    """0 where every run finished by itself and ended the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    luck = random.Random(arguments.seed)
    scratch = Path(tempfile.mkdtemp(prefix="selfreward-damage-"))
    start = partial(run, scratch, validate(compose(SMALL)))
    whole, _ = start()
    done: Counter[str] = Counter()
    told = 0
    for number in range(arguments.times):
        damaged = damage_once(scratch, luck)
        digests, lines = start()
        told += any("is not what was written" in line for line in lines)
        if digests != whole:
            different = sorted(name for name in whole if digests.get(name) != whole[name])
            print(f"time {number}, {dict(damaged)}: {len(different)} artifacts differ: {different}; see {scratch}")
            return 1
        done += damaged
    shutil.rmtree(scratch)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(done.items()))
    print(f"{arguments.times} unfinished artifacts damaged ({kinds}): told {told} times, 0 other rows accepted, every")
    print(f"run finished by itself with the {len(whole)} digests of the run left alone")
    return 0


if __name__ == "__main__":
    sys.exit(main())
