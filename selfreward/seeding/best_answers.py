"""Best answers: examples that teach a policy to answer, of rankings by people (instruction fine-tuning, IFT)."""

from selfreward.artifacts import Artifact, Output
from selfreward.records import Example, digest_of
from selfreward.seeding.rankings import Ranking
from selfreward.spec import Spec

VERSION = 1


class BestAnswersSpec(Spec):
    """Nothing can be set: the best answer to each prompt."""


def best_answers(out: Output, spec: BestAnswersSpec, *, rankings: Artifact) -> None:
    """Table `rows` of Example: the best answer of each ranking, and no verdict.

    Source: the baseline of Self-Rewarding Language Models (2401.10020), trained on IFT data alone, which draws the
    verdicts that the seeded policy learns.
    """
    out.write_table(Example, map(to_answer, rankings.records(Ranking)))


def to_answer(ranking: Ranking) -> Example:
    """To give the best answer; the first of several."""
    best = max(ranking.answers, key=lambda answer: answer.place)
    return Example(
        id=digest_of("ift", ranking.prompt.id, best.id),
        prompt_id=ranking.prompt.id,
        messages=ranking.prompt.messages,
        text=best.text,
        origin=ranking.origin,
        stratum=ranking.prompt.stratum,
        tokens=best.tokens,
        candidate_id=best.id if ranking.origin == "self" else None,
        iteration=0,
        thought=best.thought,
    )
