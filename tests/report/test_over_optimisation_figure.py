"""Gold and proxy over the square root of KL: numbers in, one drawing with two panels out."""

import re
from xml.etree import ElementTree

import pytest

from selfreward.metrics.best_of_n import BestOfN
from selfreward.metrics.intervals import Interval
from selfreward.report.charts import ChartFigure
from selfreward.report.figures import MINUS
from selfreward.report.over_optimisation_figure import OptimisedPolicy, over_optimisation_figure


def around(value: float) -> Interval:
    return Interval(value, value - 0.1, value + 0.1, 450)


def policy(name: str, kl: float | None, proxy: float, gold: float | None) -> OptimisedPolicy:
    return OptimisedPolicy(name=name, kl=kl, proxy=around(proxy), gold=None if gold is None else around(gold))


RUN = [policy("M0", -0.01, 0.0, 0.4), policy("M1", 1.0, 1.0, 0.6), policy("M2", 4.0, 2.0, 0.5)]
BEST_OF = [BestOfN(n=n, kl=kl, proxy=around(n / 4), gold=around(0.4 + n / 50)) for n, kl in ((1, 0.0), (4, 0.64))]


def drawn(*policies: OptimisedPolicy, best_of: list[BestOfN] = BEST_OF, best: str | None = None) -> ChartFigure:
    return over_optimisation_figure(policies, best_of, proxy="mean reward", gold="share right", best=best)


def test_each_policy_stands_at_the_root_of_its_kl_in_both_panels() -> None:
    svg = drawn(*RUN).drawing
    assert svg is not None
    told = [title.text for title in ElementTree.fromstring(svg).iter("title")]
    assert f"M0: 0.400 [0.300, 0.500] at KL {MINUS}0.01" in told
    assert "M2: 0.500 [0.400, 0.600] at KL 4.00" in told
    assert "M2: 2.000 [1.900, 2.100] at KL 4.00" in told
    assert "best of 4: 0.480 [0.380, 0.580] at KL 0.64" in told
    runs = [
        re.findall(r"[ML]([\d.]+) ([\d.]+)", line) for line in re.findall(r'<path d="([^"]+)" class="line k0"', svg)
    ]
    golds, proxies = ([(float(x), float(y)) for x, y in line] for line in runs)
    assert [x for x, _ in golds] == [x for x, _ in proxies]
    assert golds[1][0] - golds[0][0] == pytest.approx(golds[2][0] - golds[1][0], abs=0.2)
    # Gold turns, the proxy does not; upwards is less.
    assert golds[1][1] < golds[2][1] < golds[0][1]
    assert proxies[2][1] < proxies[1][1] < proxies[0][1]


def test_the_best_policy_is_flagged_in_both_panels_and_the_table_says_all() -> None:
    figure = drawn(*RUN, best="M1")
    assert figure.drawing is not None and figure.drawing.count(">best<") == 2
    assert figure.head == ("policy", "KL", "mean reward", "share right")
    assert [row[:2] for row in figure.rows] == [
        ("M0", f"{MINUS}0.01"),
        ("M1", "1.00"),
        ("M2", "4.00"),
        ("best of 1", "0.00"),
        ("best of 4", "0.64"),
    ]


def test_what_was_not_measured_is_left_out_of_the_drawing_and_not_of_the_table() -> None:
    figure = drawn(RUN[0], policy("M1", None, 1, 0.6), policy("M2", 4, 2, None), best_of=[], best="M1")
    assert figure.drawing is not None and "M1:" not in figure.drawing
    assert ">best<" not in figure.drawing and "best of n" not in figure.drawing
    assert figure.drawing.count("M2:") == 1
    assert [row[0] for row in figure.rows] == ["M0", "M1", "M2"]
    none = drawn(policy("M0", None, 0, 0.4), best_of=[])
    assert none.drawing is None
    assert none.missing == "No policy has KL to the initial policy, a proxy score and gold."


def test_hostile_names_stay_text() -> None:
    figure = over_optimisation_figure([policy('<script>"', 1, 0, 1)], [], proxy="<b>", gold="<i>")
    assert figure.drawing is not None
    ElementTree.fromstring(figure.drawing)
    assert not {"<script", "<b>", "<i>"} & set(re.findall(r"<\w+>?", figure.drawing))
