"""Two arms of scripts/controller_evidence.py beside each other at the last policy, question by question."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from selfreward.metrics.intervals import Interval, bootstrap_mean

Row = Mapping[str, Any]
Rows = Mapping[tuple[str, int], Row]
Values = Mapping[str, float]


@dataclass(frozen=True)
class Quantity:
    """What two arms are compared by: one value a question; a change in the direction `harm` beyond `margin` is harm."""

    name: str
    values: Callable[[Row], Values]
    harm: str
    margin: float
    unit: str = ""


@dataclass(frozen=True)
class Difference:
    """One arm minus another at the last policy, by seed and over all seeds, with two 95% intervals."""

    seeds: Mapping[int, float]
    pairs: Interval
    questions: Interval

    @property
    def limits(self) -> tuple[float, float]:
        """The outer limits of both intervals: what is read is what holds by either."""
        return min(self.pairs.low, self.questions.low), max(self.pairs.high, self.questions.high)


def compare(rows: Rows, one: str, other: str, values: Callable[[Row], Values]) -> Difference | None:
    """`one` minus `other`, paired by question within a seed; None without a seed in which both came equally far."""
    by_seed: dict[int, dict[str, float]] = {}
    for seed in shared_seeds(rows, one, other):
        ours, theirs = values(rows[one, seed]), values(rows[other, seed])
        both = sorted(ours.keys() & theirs.keys())
        if both:
            by_seed[seed] = {prompt: ours[prompt] - theirs[prompt] for prompt in both}
    if not by_seed:
        return None
    pairs = bootstrap_mean([value for found in by_seed.values() for value in found.values()], seed=0)
    prompts = sorted(set.intersection(*(set(found) for found in by_seed.values())))
    questions = bootstrap_mean([fmean(found[prompt] for found in by_seed.values()) for prompt in prompts], seed=0)
    if pairs is None or questions is None:
        return None
    return Difference({seed: fmean(found.values()) for seed, found in by_seed.items()}, pairs, questions)


def reading(quantity: Quantity, low: float, high: float) -> str:
    """What limits of a difference say, in words that are the same whichever way it falls."""
    harm, other = quantity.harm, "lower" if quantity.harm == "higher" else "higher"
    by = f"by more than {quantity.margin:.2f}{quantity.unit}"
    # As gain: above 0 is the direction that does no harm.
    least, most = (low, high) if harm == "lower" else (-high, -low)
    if least > 0:
        return other
    if most < -quantity.margin:
        return f"{harm} {by}"
    if least > -quantity.margin:
        return f"{harm}, but not {by}" if most < 0 else f"no difference shown; not {harm} {by}"
    return f"{harm}; open whether {by}" if most < 0 else f"open: {harm} {by} is not excluded"


def shared_seeds(rows: Rows, one: str, other: str) -> list[int]:
    seeds = [seed for seed in seeds_of(rows, one) if (other, seed) in rows]
    return [seed for seed in seeds if last_of(rows[one, seed])["t"] == last_of(rows[other, seed])["t"]]


def _nll(row: Row) -> Values:
    return _open_values(row, "human_nll")


def _recall(row: Row) -> Values:
    return _open_values(row, "recall")


def _diversity(row: Row) -> Values:
    """Diversity of each question's answers over the mean diversity of people's answers, at the row's own length."""
    own, human = _open_values(row, "sem"), _open_values(row, "human_sem")
    both = own.keys() & human.keys()
    level = fmean(human[prompt] for prompt in both) if both else 0.0
    return {prompt: own[prompt] / level for prompt in both} if level else {}


def _right(row: Row) -> Values:
    values: Values = _prompts(row)["closed"]
    return values


# The margins of pass@1 and human NLL were fixed before any row was made; the other two are the detector's own for the
# human level (.10), and half of that for recall, which is a share.
QUANTITIES = (
    Quantity("human NLL", _nll, "higher", 0.05, " nats"),
    Quantity("recall", _recall, "lower", 0.05),
    Quantity("diversity over people's", _diversity, "lower", 0.10),
    Quantity("pass@1", _right, "lower", 0.05),
)


def seeds_of(rows: Rows, arm: str) -> list[int]:
    return sorted(seed for name, seed in rows if name == arm)


def last_of(row: Row) -> Row:
    entry: Row = row["rounds"][-1]
    return entry


def _prompts(row: Row) -> Row:
    entry: Row = row["prompts"][str(last_of(row)["t"])]
    return entry


def _open_values(row: Row, name: str) -> dict[str, float]:
    return {prompt: one[name] for prompt, one in _prompts(row)["open"].items() if one[name] is not None}
