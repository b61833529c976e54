"""What moves a meta-judge besides the quality of the judgments: their score, their length, which was shown first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from selfreward.judge_quality.estimate import Measure, share_of
from selfreward.judges.both_orders import comparisons, preference_of
from selfreward.records import Judgment

META_MEASURES = ("prefers_score", "prefers_first", "prefers_longer")
"""Those that the gate has a rule for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A judgment as it was compared: its score, and its length in characters."""

    score: float
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two judgments of an answer to the prompt `prompt_id`, compared in both orders.

    `preference` for the first and `flipped` are as in BothOrders. `shown` has the preference of each order for the
    judgment that it showed first, None without a verdict.
    """

    prompt_id: str
    first: Given
    second: Given
    preference: float | None
    flipped: bool | None
    shown: tuple[float | None, ...]


def compared_of(prompt_id: str, evidence: Sequence[Judgment], given: Mapping[str, Given]) -> list[Compared]:
    """The comparisons in `evidence`, all of judgments of one answer; `given` are those, by id."""
    shown: dict[tuple[str, ...], list[float | None]] = {}
    for one in evidence:
        said = preference_of(one)
        straight = one.order == (0, 1)
        shown.setdefault(one.candidate_ids, []).append(said if said is None or straight else 1 - said)
    return [
        Compared(
            prompt_id=prompt_id,
            first=given[one.first_id],
            second=given[one.second_id],
            preference=one.preference,
            flipped=one.flipped,
            shown=tuple(shown[one.first_id, one.second_id]),
        )
        for one in comparisons(evidence)
    ]


def meta_measures(compared: Sequence[Compared]) -> dict[str, Measure]:
    """Shares with their intervals over prompts; a judgment is preferred where both orders agree on it.

    `prefers_score` is how often the judgment with the higher score is preferred, of the comparisons that prefer one and
    in which scores differ; `prefers_longer` the same of the longer one. `prefers_first` is how often a single reply
    prefers what it was shown first, of those that prefer one. `flip_rate` and `parse_rate` are as in `bias`.

    Source: Wu et al. 2024 (2407.19594), which report that their meta-judge comes to prefer the higher score.
    """
    prompts = [one.prompt_id for one in compared]
    replies = [(one.prompt_id, said) for one in compared for said in one.shown]
    firsts = [None if said is None or said == 0.5 else float(said > 0.5) for _, said in replies]
    asked = [prompt for prompt, _ in replies]
    flips = [None if one.flipped is None else float(one.flipped) for one in compared]
    return {
        "prefers_score": _prefers(compared, lambda one: one.score, "the judgment with the higher score"),
        "prefers_first": share_of(firsts, asked, "no reply prefers one of two judgments"),
        "prefers_longer": _prefers(compared, lambda one: one.length, "the longer judgment"),
        "flip_rate": share_of(flips, prompts, "no comparison has a verdict in both orders"),
        "parse_rate": share_of([float(said is not None) for _, said in replies], asked, "nothing was compared"),
    }


def _prefers(compared: Sequence[Compared], more: Callable[[Given], float], what: str) -> Measure:
    found = [_more(one, more) for one in compared]
    return share_of(found, [one.prompt_id for one in compared], f"no comparison could prefer {what} and decided")


def _more(one: Compared, more: Callable[[Given], float]) -> float | None:
    """Whether the judgment that has more is preferred; None where both have as much, or neither is preferred."""
    first, second = more(one.first), more(one.second)
    if one.preference is None or one.preference == 0.5 or first == second:
        return None
    return float((one.preference > 0.5) == (first > second))
