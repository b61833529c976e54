"""What the candidates of a round are like as text: how many think, and how many have other tokens when read back."""

from collections.abc import Mapping

from selfreward.artifacts import Artifact
from selfreward.reading.monitor_metrics import Metric

_COUNTS = {"thoughts": "thought_share", "thoughts_cut": "thought_cut_share", "respelled": "respelled_share"}
"""Counts of the sample stage, and what their share of all candidates is called."""


def drawn_metrics(sampled: Artifact | None) -> dict[str, Metric]:
    """Each count and its share, as `sample/...`; nothing where nothing was sampled."""
    if sampled is None:
        return {}
    counts = {name: int(sampled.manifest.counts[name]) for name in _COUNTS}
    shares = {share: counts[name] / sampled.rows() for name, share in _COUNTS.items()}
    return {f"sample/{name}": value for name, value in {**counts, **shares}.items()}


def drawn_lines(row: Mapping[str, Metric]) -> list[str]:
    """How many candidates think, were cut in their thought, or do not give back their tokens; nothing if none."""
    lines = []
    if thinking := row.get("sample/thoughts"):
        cut = row["sample/thoughts_cut"]
        raise_it = " (raise sample.max_new_tokens)" if cut else ""
        lines.append(
            f"  {thinking} of {row['yield/drawn']} candidates think before they answer; {cut} of {thinking} were cut "
            f"before an answer{raise_it}"
        )
    if respelled := row.get("sample/respelled"):
        lines.append(
            f"  {respelled} of {row['yield/drawn']} candidates have other tokens when their text is read back, and are "
            "scored and trained by those"
        )
    return lines
