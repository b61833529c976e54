"""The members of a judge on the page of a run: what their scores are told in, and how far they are apart."""

from collections.abc import Sequence

from selfreward.judges.standard import saved_standard
from selfreward.reading.rounds import Round
from selfreward.report.charts import ChartFigure, Series, line_figure, points, policies

_ROUND = 3


def standard_line(first: Round) -> str | None:
    """What the scores of every round are standardised by, which round `first`, the first of a run, has; None of others.

    Of each member the mean and the standard deviation of its raw scores, and how many those are.
    """
    judged = first.stages.get("judge")
    if judged is None or not (judged.path / "standard.json").exists():
        return None
    standard = saved_standard(judged).items()
    return ", ".join(f"{name} {one.mean:.4g} ± {one.deviation:.4g} ({one.scores:,} scores)" for name, one in standard)


def agreement_figures(rounds: Sequence[Round]) -> list[tuple[ChartFigure, str]]:
    """How far the members of the judge are apart over the rounds, with captions; nothing of one judge."""
    judged = [(one.t, one.judged) for one in rounds if one.judged is not None]
    lines = (
        (
            "Disagreement of its members",
            "1 - Kendall's W",
            [(t, one.disagreement) for t, one in judged],
            "Of their rankings of a prompt's answers: 0 where all rank alike, 1 where they cancel each other out.",
        ),
        (
            "Deviation of its members",
            "in units of the score",
            [(t, one.deviation) for t, one in judged],
            "Standard deviation of their scores of an answer. Rising, the policy is where reward models know little.",
        ),
    )
    return [
        (line_figure(title, unit, [Series("round", _ROUND, found)], policies(rounds[-1].t + 1), axis="round"), caption)
        for title, unit, values, caption in lines
        if (found := points(values))
    ]
