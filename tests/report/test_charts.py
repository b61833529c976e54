"""Charts: numbers in, SVG out."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from selfreward.metrics.intervals import Interval
from selfreward.report.charts import Bar, Series, bar_chart, line_chart, line_figure
from selfreward.report.drawing import Point, scale, spread

NAMES = ["M0", "M1"]


def _line(name: str, *values: float, kind: int = 0) -> Series:
    return Series(
        name, kind, tuple(Point(x, Interval(value, value - 0.1, value + 0.1, 9)) for x, value in enumerate(values))
    )


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (0.31, 0.58, [0.3, 0.4, 0.5, 0.6]),
        (-3.0, 12.0, [-5.0, 0.0, 5.0, 10.0, 15.0]),
        (2.5, 2.5, [2.2, 2.4, 2.6, 2.8]),
    ],
)
def test_ticks_are_round_and_enclose_the_data(low, high, ticks):
    assert scale([high, low], 0, 1).ticks == pytest.approx(ticks)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (-1e-12, 1e-12), (1e6, 1e6), (0.1234, 0.1235), (-7.0, 9000.0)])
def test_ticks_always_enclose_with_a_positive_step(low, high):
    ticks = scale([low, high], 0, 1).ticks
    assert ticks[0] <= low + 1e-12
    assert ticks[-1] >= high - 1e-12
    assert 2 <= len(ticks) <= 8
    assert all(a < b for a, b in pairwise(ticks))


def test_labels_keep_their_distance_and_order():
    placed = spread([100.0, 101.0, 99.0, 20.0], gap=15, low=10, high=110)
    assert placed == [95.0, 110.0, 80.0, 20.0]
    assert spread([50.0], gap=15, low=10, high=110) == [50.0]


def test_an_axis_writes_as_many_decimals_as_its_step_needs():
    for top, first in ((1.0, "0.25"), (10.0, "2.5"), (100.0, "25"), (1000.0, "250")):
        svg = line_chart("t", "u", [Series("a", 0, (Point(0, 0.0), Point(1, top)))], NAMES)
        assert f">{first}<" in svg


def test_a_line_chart_is_well_formed_and_says_its_numbers():
    lines = [_line("pass@1", 0.3, 0.5), _line("greedy", 0.31, 0.52, kind=1)]
    svg = line_chart("Q", "u", lines, NAMES)
    root = ElementTree.fromstring(svg)
    told = [title.text for title in root.iter("title")]
    assert told == [
        "Q",
        "pass@1, M0: 0.300 [0.200, 0.400]",
        "pass@1, M1: 0.500 [0.400, 0.600]",
        "greedy, M0: 0.310 [0.210, 0.410]",
        "greedy, M1: 0.520 [0.420, 0.620]",
    ]
    heights = [float(found) for found in re.findall(r'y="([\d.]+)" class="label', svg)]
    assert abs(heights[0] - heights[1]) >= 16.9


def test_a_line_higher_in_value_is_drawn_higher():
    svg = line_chart("t", "u", [Series("a", 0, (Point(0, 1.0), Point(1, 2.0)))], NAMES)
    first, second = re.findall(r"[ML]([\d.]+) ([\d.]+)", re.search(r'<path d="([^"]+)" class="line k0"', svg)[1])
    assert float(second[1]) < float(first[1])
    assert float(second[0]) > float(first[0])


def test_hostile_names_stay_text():
    svg = line_chart("&", "<b>", [_line('<script>"x', 0.1)], ["<i>"])
    assert not {"<script", "<b>", "<i>"} & set(re.findall(r"<\w+>?", svg))
    ElementTree.fromstring(svg)


def test_counts_are_written_as_counts():
    figure = line_figure("t", "rows", [Series("left", 0, (Point(0, 1185), Point(1, 0)))], NAMES)
    assert figure.drawing is not None and "left, M0: 1,185<" in figure.drawing
    assert figure.rows == [("M0", "1,185"), ("M1", "0")]


def test_bars_share_one_scale():
    bars = [Bar("drawn", ((352, 0),), "352"), Bar("kept", ((88, 0), (88, 3)), "176", "176 went")]
    svg = bar_chart("t", bars, full=352)
    widths = [float(found) for found in re.findall(r'width="([\d.]+)"', svg)]
    assert widths == [300.0, 75.0, 75.0]
    assert [">352<" in svg, ">176<" in svg, ">176 went<" in svg] == [True, True, True]
    ElementTree.fromstring(bar_chart("t", [Bar("none", ((0, 0),), "0")], full=0))
