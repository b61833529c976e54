"""The judge that is gold: what the run is held against, and never trains on."""

from pydantic import model_validator

from selfreward.judges import JudgeSpec
from selfreward.judges.base import JudgeBase, PolicyJudgeBase
from selfreward.judges.verifier import VerifierSpec
from selfreward.spec import Spec, identity

GOLD_IS_JUDGE = (
    "overoptimisation.gold is the judge that the run trains on, so it says nothing of that: name another one, as in "
    "judge@overoptimisation.gold=reward_model"
)


class OveroptimisationSpec(Spec):
    """The judge that is `gold`: it stays the same, and nothing is trained on what it says."""

    gold: JudgeSpec = VerifierSpec()

    @model_validator(mode="after")
    def _gold_compares_policies(self) -> "OveroptimisationSpec":
        if isinstance(self.gold, PolicyJudgeBase) and self.gold.policy in ("live", "previous"):
            raise ValueError(
                f"overoptimisation.gold.policy={self.gold.policy} would change from round to round: set it to initial, "
                "external or endpoint"
            )
        if self.gold.seats:
            raise ValueError(
                f"overoptimisation.gold={self.gold.called} votes among the answers of a prompt, which compares no "
                "policies: name one of its judges, as in judge@overoptimisation.gold=reward_model"
            )
        return self


def check_gold(gold: JudgeBase, judge: JudgeBase) -> None:
    """Raises ValueError where `gold` is the judge of the run, or a member of it, as far as settings tell."""
    if any(_same(gold, one) for one in (judge, *judge.seats.values())):
        raise ValueError(GOLD_IS_JUDGE)


def _same(gold: JudgeBase, judge: JudgeBase) -> bool:
    alike = gold.model_copy(update={"max_failed_share": judge.max_failed_share})
    if not isinstance(gold, PolicyJudgeBase) or not isinstance(judge, PolicyJudgeBase):
        return alike == judge
    # The live policy is the initial one before anything is trained.
    placed = gold.path == judge.path and (gold.policy != "endpoint" or gold.engine == judge.engine)
    return placed and type(gold) is type(judge) and identity(alike) == identity(judge)


def why_no_turn(judge: JudgeBase) -> str | None:
    """Why it cannot be measured whether optimising `judge` has turned harmful, and what to set; None where it can."""
    if judge.seats:
        return (
            f"judge={judge.called} votes among the answers of a prompt, so it is not asked about those of policies: "
            "gold alone is measured"
        )
    if isinstance(judge, PolicyJudgeBase) and judge.policy in ("live", "previous"):
        return (
            f"judge.policy={judge.policy} is another policy from round to round, whose scores do not compare: whether "
            "gold falls under rising ones is not measured; judge.policy=initial, or external with a path, measures it"
        )
    return None
