"""The first sentence of a page: every quantity once, gained, lost or not told, and nothing beyond its interval."""

import re
from itertools import product

import pytest

from selfreward.metrics.evaluation import Evaluation, Gains, MatchedStart
from selfreward.metrics.intervals import Interval
from selfreward.report.figures import MINUS
from selfreward.report.outcome import Outcome, sentence

UP, DOWN = Interval(0.1, 0.05, 0.15, 48), Interval(-0.1, -0.15, -0.05, 48)
UNSEEN, FEW = Interval(0.1, -0.02, 0.22, 48), Interval(0.1, 0.05, 0.15, 9)
UP_TOLD, DOWN_TOLD = "+0.100 [+0.050, +0.150]", "-0.100 [-0.150, -0.050]"


def outcome(
    greedy: Interval | None,
    sampled: Interval | None,
    matched: Interval | None,
    distance: Interval | None,
    nll: Interval | None,
    *,
    off_ladder: bool = False,
) -> Outcome:
    beside = MatchedStart(
        temperature=0.5,
        distinct_share=0.5,
        off_ladder=off_ladder,
        pass_at_1=0.5,
        gain=Gains(greedy_accuracy=None, pass_at_1=matched),
    )
    since = Gains(greedy_accuracy=greedy, pass_at_1=sampled)
    return Outcome(3, Evaluation(closed=None, open=None, gold=None, since_start=since, matched=beside), distance, nll)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            outcome(UP, UP, UP, UP, DOWN),
            f"M3 clearly gained greedy accuracy ({UP_TOLD}), pass@1 ({UP_TOLD}), pass@1 at matched diversity "
            f"({UP_TOLD}), variety of open answers (pairwise distance {UP_TOLD}) and likelihood of human answers "
            f"(NLL {DOWN_TOLD}); it shows no clear loss.",
        ),
        (
            outcome(DOWN, DOWN, DOWN, DOWN, UP),
            f"M3 shows no clear gain; it clearly lost greedy accuracy ({DOWN_TOLD}), pass@1 ({DOWN_TOLD}), "
            f"pass@1 at matched diversity ({DOWN_TOLD}), variety of open answers (pairwise distance {DOWN_TOLD}) and "
            f"likelihood of human answers (NLL {UP_TOLD}).",
        ),
        (
            outcome(*[UNSEEN] * 5),
            "M3 shows no clear gain; it shows no clear loss; it could not be told whether greedy accuracy, pass@1, "
            "pass@1 at matched diversity, variety of open answers or likelihood of human answers changed.",
        ),
        (
            outcome(UP, UP, UNSEEN, DOWN, DOWN),
            f"M3 clearly gained greedy accuracy ({UP_TOLD}), pass@1 ({UP_TOLD}) and likelihood of human answers (NLL "
            f"{DOWN_TOLD}); it clearly lost variety of open answers (pairwise distance {DOWN_TOLD}); it could not be "
            "told whether its gain in pass@1 is more than sharpening.",
        ),
        (
            outcome(UNSEEN, UP, UP, FEW, None, off_ladder=True),
            f"M3 clearly gained pass@1 ({UP_TOLD}); it shows no clear loss; it could not be told whether greedy "
            "accuracy, variety of open answers (9 prompts, too few) or likelihood of human answers "
            "(not measured) changed, or whether its gain in pass@1 is more than sharpening (no temperature of M0 is as "
            "varied).",
        ),
        (
            outcome(None, None, None, DOWN, DOWN),
            f"M3 clearly gained likelihood of human answers (NLL {DOWN_TOLD}); it clearly lost variety of open answers "
            f"(pairwise distance {DOWN_TOLD}); it could not be told whether greedy accuracy (not measured), pass@1 "
            "(not measured) or pass@1 at matched diversity (not measured) changed.",
        ),
    ],
    ids=["all gained", "all lost", "none clear", "sharpening", "off the ladder", "no closed question"],
)
def test_the_sentence(found: Outcome, said: str) -> None:
    assert sentence(found, "M3").replace(MINUS, "-") == said


def test_every_quantity_is_told_once_where_its_interval_puts_it() -> None:
    names = (
        r"greedy accuracy",
        r"pass@1(?! at| is)",
        r"pass@1 at matched diversity|more than sharpening",
        r"variety of open answers",
        r"likelihood of human answers",
    )
    for found in product((UP, DOWN, UNSEEN, FEW, None), repeat=5):
        parts = sentence(outcome(*found), "M3").split("; ")
        for name, interval, better in zip(names, found, (UP, UP, UP, UP, DOWN), strict=True):
            worse = DOWN if better is UP else UP
            place = 0 if interval is better else 1 if interval is worse else 2
            assert [len(re.findall(name, part)) for part in parts] == [int(at == place) for at in range(len(parts))]
