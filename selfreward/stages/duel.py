"""Duel: whose held-out answers a judge that never changes finds better, this policy's or an earlier one's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, model_validator

from selfreward.artifacts import Artifact, Output, Part, derive_seed
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import Backend
from selfreward.judge_quality.accuracy import tie_share
from selfreward.judge_quality.bias import flip_rate, parse_rate, position_preference
from selfreward.judge_quality.estimate import Measures
from selfreward.judge_quality.measures import rounded
from selfreward.judge_quality.opinions import write_opinions
from selfreward.judge_quality.verdicts import Labelled, Verdicts, judged
from selfreward.judge_quality.winrate import length_controlled_win_rate, win_rate
from selfreward.judges.base import Means, PolicyJudgeBase
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.judges.reward_model import RewardModelSpec
from selfreward.policies import Judging
from selfreward.records import Prompt
from selfreward.spec import Spec
from selfreward.stages.evaluate import greedy_answers

VERSION = 5
_GOLD = "lc_win_rate"


class DuelSpec(Spec):
    """The judge of duels: the initial policy, an external one or a reward model, so that rounds can be compared."""

    judge: Annotated[PairwiseSpec | RewardModelSpec, Field(discriminator="kind")]

    @model_validator(mode="after")
    def _judge_never_changes(self) -> "DuelSpec":
        if isinstance(self.judge, PolicyJudgeBase) and self.judge.policy in ("live", "previous"):
            raise ValueError(
                f"duel.judge.policy={self.judge.policy} would change from round to round: set it to initial, external "
                "or endpoint"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """How a policy did against another on `prompts` held-out prompts; on `identical` of them both answer the same."""

    prompts: int
    identical: int
    measures: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """How a policy did against the start model, and against the policy before it."""

    start: Met
    previous: Met


@dataclass(frozen=True, slots=True, kw_only=True)
class DuelFigures:
    """What the gate reads of it: the win rate at equal length against the start model, rounded."""

    measures: Measures


def duel(
    out: Output,
    spec: DuelSpec,
    *,
    seed: int,
    backend: Backend | None = None,
    policy: Judging,
    held_out: Artifact,
    evaluated: Artifact,
    start: Artifact,
    previous: Artifact,
) -> None:
    """`duel.json` is a Duel: how this policy's greedy answers do against those of the start model and the last policy.

    `policy` judges. What it said stands in tables `start` and `previous`, of Verdicts whose first answer is this
    policy's, and what it was asked in `..._evidence`. Identical answers are ties that nobody is asked about. Where the
    policy before is the start model, nothing is asked twice. `figures.json`, a DuelFigures, is the part for the gate.
    """
    judging = spec.judge.build(Means(policy=policy, backend=backend))
    prompts, own = {one.id: one for one in held_out.records(Prompt)}, greedy_answers(evaluated)
    met: dict[str, Met] = {}
    for name, opponent in {"start": start, "previous": previous}.items():
        if name == "previous" and opponent.digest == start.digest:
            met[name] = met["start"]
            continue
        items = [_meeting(prompts[of], own[of].text, other.text) for of, other in greedy_answers(opponent).items()]
        different = [one for one in items if one.first != one.second]
        with out.progress(2 * len(different), "answers compared") as advance:
            said = write_opinions(
                out,
                spec.judge,
                judging,
                different,
                rows=name,
                evidence=f"{name}_evidence",
                seed=derive_seed(seed, name),
                advance=advance,
            ).said
        met[name] = _result(items, different, said, seed)
    save_report(out, "duel", Duel(start=met["start"], previous=met["previous"]))
    save_report(out, "figures", DuelFigures(measures=rounded({_GOLD: met["start"].measures[_GOLD]})))


def _meeting(prompt: Prompt, own: str, other: str) -> Labelled:
    return Labelled(id=prompt.id, messages=prompt.messages, first=own, second=other, verdicts=(), source=prompt.source)


def _result(items: Sequence[Labelled], different: Sequence[Labelled], said: Sequence[Verdicts], seed: int) -> Met:
    preferences = {one.id: one.preference for one in said}
    prompts = [one.id for one in items]
    # The same answer twice is a tie, whatever a judge would make of it.
    preference_P = [preferences.get(one.id, 0.5) for one in items]
    longer_P = [len(one.first) - len(one.second) for one in items]
    pairs = judged(different, said)
    measures = {
        "win_rate": win_rate(preference_P, prompts, seed),
        "lc_win_rate": length_controlled_win_rate(preference_P, longer_P, prompts, seed),
        "tie_share": tie_share(pairs),
        "flip_rate": flip_rate(pairs),
        "position_preference": position_preference(pairs, seed),
        "parse_rate": parse_rate(pairs),
    }
    return Met(prompts=len(items), identical=len(items) - len(different), measures=measures)


def duel_of(fought: Artifact) -> Duel:
    """The report of a duel."""
    return load_report(fought, "duel", Duel)


def duel_figures(part: Part) -> Measures:
    """The part `figures` of it."""
    return load_report(part, "figures", DuelFigures).measures
