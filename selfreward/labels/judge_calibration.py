"""Calibrate: what a judge says of the pairs of a file that people labelled, outside of any loop."""

import heapq
from collections.abc import Mapping
from pathlib import Path

from pydantic import PositiveInt

from selfreward.artifacts import Artifact, Output
from selfreward.backends.base import Backend
from selfreward.judge_quality.opinions import save_weights, write_opinions
from selfreward.judge_quality.verdicts import Labelled
from selfreward.judges import AnyJudge
from selfreward.judges.base import means_of
from selfreward.judges.disagreement import Dispute
from selfreward.labels.items import Item, read_items
from selfreward.policies import Judging
from selfreward.records import digest_of
from selfreward.spec import Spec, execution

VERSION = 5


class LabelledSpec(Spec):
    """A file of pairs, which counts by the digest of its bytes; with `limit` no more than so many of them."""

    path: Path = execution(...)
    content: str
    limit: PositiveInt | None = None


def labelled_pairs(out: Output, spec: LabelledSpec) -> None:
    """Table `rows` of Labelled; counts what was left out by reason. Raises DataError for a row that cannot be read."""
    items, left_out = read_items(spec.path)
    out.count(**{f"left_out:{reason}": count for reason, count in left_out.items()}, pairs=len(items))
    out.write_table(Labelled, (item.labelled for item in limited(items, spec.limit)))


def limited(items: list[Item], limit: int | None) -> list[Item]:
    """The `limit` items that come first by the digest of their id and texts, in the order of the file."""
    if limit is None or limit >= len(items):
        return items
    digests = {one.id: digest_of("calibrate", one.id, one.labelled.first, one.labelled.second) for one in items}
    chosen = set(heapq.nsmallest(limit, digests, key=digests.__getitem__))
    return [item for item in items if item.id in chosen]


def calibrate(
    out: Output,
    spec: AnyJudge,
    *,
    seed: int,
    pairs: Artifact,
    policy: Judging | None,
    backend: Backend | None = None,
    engines: Mapping[str, Backend] | None = None,
    **jurors: Judging,
) -> None:
    """Tables `rows` of Verdicts, one for each of `pairs`, `evidence` of Judgment and, of a jury, `disputes` of Dispute.

    Of a jury that learns them `weights.json`, by member; each of its verdicts is by weights learned on the other pairs.
    `policy` judges, with `jurors` as in the stage `judge`. Raises StageError as that does.
    """
    items = list(pairs.records(Labelled))
    judging = spec.build(means_of(policy, backend, engines, jurors))
    with out.progress(2 * len(items), "answers judged") as advance:
        found = write_opinions(out, spec, judging, items, rows="rows", evidence="evidence", seed=seed, advance=advance)
    out.write_table(Dispute, found.disputes, "disputes")
    if found.weights is not None:
        save_weights(out, found.weights)
