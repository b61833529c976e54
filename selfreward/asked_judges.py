"""The judges that a run asks, by the names of their settings, and what each must fit; errors are one line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfreward.backends import AnyBackend
from selfreward.judges.asked_policy import check_engine, check_policy
from selfreward.judges.base import JudgeBase, PolicyJudgeBase


@dataclass(frozen=True)
class AskedJudge:
    """A judge by the name of its setting, its engine, and how many answers to a prompt it is given; None if untold."""

    name: str
    judge: JudgeBase
    engine: AnyBackend
    answers: int | None


def check_judge(asked: AskedJudge, *, brought: Sequence[str], scripted: bool) -> None:
    """Raises ValueError where the engine cannot do what the judge needs, or the two do not fit the run.

    `brought` are the columns that the user's data have beside the prompt.
    """
    name, judge, engine = asked.name, asked.judge, asked.engine
    if isinstance(judge, PolicyJudgeBase):
        check_policy(name, judge, engine)
        if judge.own and name != "judge":
            raise ValueError(
                f"{name}.own={','.join(judge.own)}: only the judge of a run is held against gold, set judge.own instead"
            )
    ways = [f"{name}.{setting}" for setting in judge.ways_without(judge.needs - engine.can)]
    check_engine(f"{name}={judge.called}", judge.needs, engine, setting=name, scripted=scripted, ways=ways)
    if (why := judge.why_lacking(name, brought)) is not None:
        raise ValueError(why)
    if asked.answers is not None and (why := judge.why_unfit(name, asked.answers)) is not None:
        raise ValueError(why)


def check_measured(members: Mapping[str, JudgeBase]) -> None:
    """Raises ValueError for a member of a jury whose weight cannot be learned from gold."""
    for name, member in members.items():
        if (why := member.why_not_gold) is not None:
            raise ValueError(
                f"judge.weights=learned has nothing to learn about judge.members.{name}: {why}; take it out with "
                f"~judge.members.{name}, or set judge.weights to a weight for every member"
            )
