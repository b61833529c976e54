"""Sharpening told from learning: a policy beside the start model at the temperature of equal diversity.

Training on one's own likeliest answers lowers entropy, and so does sampling the start model at a lower temperature.
What a policy gains over the start model *at the same distinct share* is what sharpening alone does not give.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from selfreward.diversity.estimators import distinct_share, pass_at_k
from selfreward.diversity.statistics import Interval, bootstrap_mean, matched_weight, paired_difference
from selfreward.records import STRATA, Finish, Stratum
from selfreward.spec import Json
from selfreward.thought import answer_tokens

GREEDY = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedAnswer:
    """One answer to a held-out prompt. Temperature 0 is greedy.

    `answer` is the extracted short answer (closed prompts; None where the text commits to none), `right` whether it
    matches a reference; None where there is nothing to compare with. `thought` and `tokens` as in `records.Candidate`.
    """

    prompt_id: str
    stratum: Stratum
    temperature: float
    index: int
    text: str
    answer: str | None
    right: bool | None
    finish: Finish
    tokens: int
    thought: str | None = None


@dataclass(frozen=True, slots=True)
class _Rung:
    """Per-prompt means at one temperature, over prompts in a fixed order."""

    right_P: list[float]
    distinct: float


def summarise(answers: Sequence[EvaluatedAnswer], k: int, temperature: float, seed: int) -> dict[str, Json]:
    """Per stratum: greedy accuracy, pass@1, pass@k (intervals over prompts), distinct share, length, truncation.

    Of closed prompts also the share of answers that commit to nothing, or to several things. Sampled quantities are
    those at `temperature`; distinct share counts extracted answers, or whole texts where there is none to extract.
    """
    summary: dict[str, Json] = {}
    for stratum in STRATA:
        greedy = _by_prompt(answers, stratum, GREEDY)
        sampled = _by_prompt(answers, stratum, temperature)
        if not sampled:
            continue
        drawn = [one for group in sampled.values() for one in group]
        judged = [group for group in sampled.values() if group[0].right is not None]
        summary[stratum] = {
            "prompts": len(sampled),
            "greedy_accuracy": _interval(bootstrap_mean(_right(greedy), seed)),
            "pass_at_1": _interval(bootstrap_mean(_right(sampled), seed)),
            f"pass_at_{k}": _interval(
                bootstrap_mean([pass_at_k(sum(bool(one.right) for one in g), len(g), k) for g in judged], seed)
            ),
            "distinct_share": _distinct(sampled),
            "mean_tokens": fmean(answer_tokens(one.tokens, one.thought, one.text) for one in drawn),
            "truncation_rate": fmean(one.finish == "length" for one in drawn),
            **({"unread_rate": fmean(one.answer is None for one in drawn)} if stratum == "closed" else {}),
        }
    return summary


def compare_with_start(
    answers: Sequence[EvaluatedAnswer],
    start: Sequence[EvaluatedAnswer],
    temperature: float,
    rungs: Sequence[float],
    seed: int,
) -> dict[str, Json]:
    """`since_start` and `matched`: paired differences from the start model as it is, and at equal diversity.

    `rungs` are the temperatures, ascending from greedy, at which `start` was sampled. The start model at equal
    distinct share is read off between two neighbouring rungs, prompt by prompt. Its greedy answer does not depend on
    a temperature, so the greedy difference is the same in both.
    """
    own = _by_prompt(answers, "closed", temperature)
    own_P = _right(own)
    if not own_P:
        return {"since_start": None, "matched": None}
    greedy_P = _right(_by_prompt(answers, "closed", GREEDY))
    start_greedy_P, start_P = (_right(_by_prompt(start, "closed", one)) for one in (GREEDY, temperature))
    greedy = _interval(paired_difference(greedy_P, start_greedy_P, seed))
    ladder = [_rung(start, rung, len(next(iter(own.values())))) for rung in rungs]
    low, high, weight = matched_weight(_distinct(own), [rung.distinct for rung in ladder])
    matched_P = [
        (1 - weight) * cool + weight * hot for cool, hot in zip(ladder[low].right_P, ladder[high].right_P, strict=True)
    ]
    return {
        "since_start": {
            "greedy_accuracy": greedy,
            "pass_at_1": _interval(paired_difference(own_P, start_P, seed)),
        },
        "matched": {
            "temperature": (1 - weight) * rungs[low] + weight * rungs[high],
            "distinct_share": (1 - weight) * ladder[low].distinct + weight * ladder[high].distinct,
            "off_ladder": low == high,
            "pass_at_1": fmean(matched_P),
            "gain": {"greedy_accuracy": greedy, "pass_at_1": _interval(paired_difference(own_P, matched_P, seed))},
        },
    }


def _rung(start: Sequence[EvaluatedAnswer], temperature: float, k: int) -> _Rung:
    groups = _by_prompt(start, "closed", temperature)
    # k greedy answers would all be the same one, so their distinct share is known.
    distinct = 1 / k if temperature == GREEDY else _distinct(groups)
    return _Rung(_right(groups), distinct)


def _by_prompt(
    answers: Sequence[EvaluatedAnswer], stratum: Stratum, temperature: float
) -> dict[str, list[EvaluatedAnswer]]:
    groups: dict[str, list[EvaluatedAnswer]] = defaultdict(list)
    for answer in answers:
        if answer.stratum == stratum and answer.temperature == temperature:
            groups[answer.prompt_id].append(answer)
    return dict(sorted(groups.items()))


def _right(groups: dict[str, list[EvaluatedAnswer]]) -> list[float]:
    """The share of right answers for each prompt that has something to compare with."""
    return [
        fmean(bool(one.right) for one in group) for group in groups.values() if group and group[0].right is not None
    ]


def _distinct(groups: dict[str, list[EvaluatedAnswer]]) -> float:
    shares = [
        distinct_share([one.text if one.answer is None else one.answer for one in group]) for group in groups.values()
    ]
    return fmean(share for share in shares if share is not None)


def _interval(found: Interval | None) -> Json:
    return None if found is None else asdict(found)
