"""A stage of judging by a server; as a program, in a process that can be killed."""

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from selfreward.__main__ import compose
from selfreward.artifacts import Artifact, Output, Store
from selfreward.backends import ServerSpec
from selfreward.config import validate
from selfreward.judges.rubric import RubricSpec
from selfreward.records import Candidate, Prompt
from selfreward.spec import Spec
from selfreward.stages.judge import judge
from tests.stages.tables import drawn, open_prompt
from tests.support import Silent

VERSION = 1
SHARD = 250
KEY = "JUDGE_KEY"


class Rows(Spec):
    rows: int


def asked(out: Output, spec: Rows) -> None:
    with out.table(Prompt) as table:
        table.write_all(map(open_prompt, range(spec.rows)))


def answered(out: Output, spec: Rows) -> None:
    with out.table(Candidate) as table:
        for first in range(0, spec.rows, SHARD):
            numbers = range(first, min(first + SHARD, spec.rows))
            table.write([drawn(open_prompt(number), 0, f"Answer {number}.") for number in numbers])


@cache
def rubric() -> RubricSpec:
    """A rubric without worked examples, so that what is asked is short."""
    spec = validate(compose(["judge=rubric", "rubric@judge.rubric=additive_five_point"])).judge
    assert isinstance(spec, RubricSpec)
    return spec.model_copy(update={"rubric": spec.rubric.model_copy(update={"examples": ()})})


def judge_by_server(folder: Path, url: str, rows: int, **settings: Any) -> Artifact:
    """The judgments of so many made-up answers in the store of `folder`."""
    quick = {"key_env": KEY, "backoff": 0.001, "timeout": 2.0, "tries": 4, **settings}
    engine = ServerSpec(model="judge", urls=(url,), **quick)
    store = Store(folder / "store", Silent())
    prompts, candidates = (store.run(stage, Rows(rows=rows)) for stage in (asked, answered))
    inputs = {"policy": engine.endpoint, "prompts": prompts, "candidates": candidates}
    with engine.open(engine.endpoint) as backend:
        return store.run(judge, rubric(), seed=0, backend=backend, **inputs)


def main(arguments: Sequence[str]) -> None:
    folder, url, rows = arguments
    judge_by_server(Path(folder), url, int(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
