"""A stage that writes poems in shards, for tests of the store."""

from functools import partial

from selfreward.artifacts import Artifact, Output, Part
from selfreward.policies import Policy
from selfreward.records import Message
from selfreward.spec import Spec, execution, neutral

VERSION = 1


class PoemSpec(Spec):
    """Settings of the stage under test."""

    lines: int = 6
    shard_lines: int = 2
    workers: int = execution(1)
    rhyme: str | None = neutral(None)


calls: list[int] = []


def verses(start: int, end: int, name: str) -> list[Message]:
    calls.append(start)
    return [Message(role="user", content=f"{name}:{n}") for n in range(start, end)]


def poem(
    out: Output, spec: PoemSpec, *, seed: int = 0, theme: Artifact | None = None, policy: Policy | None = None
) -> None:
    """Writes `spec.lines` rows in shards."""
    words = "" if theme is None else f"{theme.json('about')['lines']}"
    if theme is not None and not isinstance(theme, Part):
        words = " ".join(row.content for row in theme.records(Message))
    with out.table(Message) as table:
        for start in range(0, spec.lines, spec.shard_lines):
            end = min(start + spec.shard_lines, spec.lines)
            table.shard(partial(verses, start, end, f"{words}{seed}"))
    out.write_json("about", {"lines": spec.lines})


def broken_poem(out: Output, spec: PoemSpec) -> None:
    """Writes one shard and fails."""
    with out.table(Message) as table:
        table.write([Message(role="user", content="0:0"), Message(role="user", content="0:1")])
        raise ValueError("no muse")


broken_poem.__name__ = "poem"
