"""The health of the distribution on the page: exact numbers, honest words, drawings that can be read."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.metrics.matched_probe import Mode
from selfreward.monitor.detector import State
from selfreward.monitor.findings import Finding
from selfreward.reading.monitor_standing import blind_spots, headline, standing
from selfreward.reading.rounds import decisions_of, rounds_of, verdicts_of
from selfreward.report.charts import Flag, Series, line_chart
from selfreward.report.drawing import Point
from selfreward.report.health_figures import action_flags, in_margins, state_flags
from selfreward.report.page import render
from selfreward.report.survival import expected, still_given, survival
from selfreward.report.verdict import judge_run
from selfreward.report.waterfall import falls_of
from selfreward.stages.decide import Decision
from selfreward.stages.diagnose import Verdict
from tests.report.browser import Page, harmless
from tests.support import run_scripted
from tests.verdicts import Told, decision, finding, verdict

FEW = ("data.train_closed=24", "data.train_open=12", "data.human=40", "loop.iterations=4")


@pytest.fixture(scope="module")
def alarming(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """A world that loses human mass, until there is nobody left to ask for more."""
    return run_scripted(tmp_path_factory.mktemp("run"), *FEW, "monitor=act")


def test_the_page_writes_every_drop_with_its_limits(alarming: RunView) -> None:
    html = render(alarming, None)
    text = harmless(html).text
    assert "Health of the distribution" in text
    for stages in alarming.iterations:
        for found in stages["diagnose"].json("diagnosis")["findings"].values():
            written = f"{found['drop']:.3f}[{found['low']:.3f}, {found['high']:.3f}]".replace("-", "\u2212")
            assert written in text
    assert "Never measured: nll, recall." in text
    for title in ("What could have been seen", "Which meanings survive", "Who narrows", "Real share", "Human rows"):
        assert title in text
    for figure in html.split("<figure")[1:]:
        assert "<figcaption>" in figure.split("</figure>")[0]


def test_alarms_and_actions_are_marked_where_they_were(alarming: RunView) -> None:
    rounds = rounds_of(alarming)
    states = [stages["diagnose"].json("diagnosis")["state"] for stages in alarming.iterations]
    severe = [t for t, state in enumerate(states) if state == "SEVERE"]
    assert [flag.x for flag in state_flags(verdicts_of(rounds))] == severe != []
    marked = {flag.x: flag.letters for flag in action_flags(decisions_of(rounds))}
    decisions = [stages["decide"].json("decision")["course"] for stages in alarming.iterations[:-1]]
    assert marked.keys() == {one["round"] for one in decisions if one["action"] != "hold"} != set()
    assert any(letters.startswith("R") for letters in marked.values())


def test_letters_of_states_and_actions() -> None:
    states: tuple[State, ...] = ("OK", "ALARM", "SEVERE", "INVALID", "INCONCLUSIVE")
    flags = state_flags([(t, verdict(state)) for t, state in enumerate(states)])
    assert [(one.x, one.letters) for one in flags] == [(1, "A"), (2, "S"), (3, "?"), (4, "?")]
    rulings = [
        decision(action="raise"),
        decision(action="decay"),
        decision(action="escalate", rung=3, state="BUDGET_EXHAUSTED"),
        decision(action="stop"),
        decision(state="BUDGET_EXHAUSTED"),
        decision(),
    ]
    found = action_flags(list(enumerate(rulings)))
    assert [one.letters for one in found] == ["+", "\u2212", "R3", "stop", "dry"]


def test_the_verdict_names_the_alarm_and_what_could_not_be_seen(alarming: RunView) -> None:
    judged = judge_run(alarming, rounds_of(alarming), None)
    said = "The monitor stands at SEVERE, first at M2: contraction together with lost human mass."
    assert judged.headline.endswith(said)
    told = judged.findings
    assert "M4 is SEVERE: sem moved by " in told["The monitor"]
    assert "that is sharpening, and raises no alarm" in told["The monitor"]
    assert told["Its blind spots"].startswith("Cannot see, at 80% power, a drop of sem below ")


def _seen(t: int, state: State, *findings: Finding, **changed: Any) -> tuple[int, Verdict]:
    return t, verdict(state, *findings, **changed)


def test_contraction_with_kept_human_mass_is_no_collapse() -> None:
    kept = (_seen(2, "WARN", finding("sem", 0.3, hit=True), finding("nll", -0.2), finding("recall", 0.01)),)
    assert headline(kept) == ""
    said = "no loss of human mass beyond a margin was seen (nll, recall): that is convergence"
    assert said in " ".join(standing(kept))
    unknown = (_seen(2, "WARN", finding("sem", 0.3, hit=True)),)
    assert "whether human mass was lost was not measured" in " ".join(standing(unknown))
    lost = (_seen(2, "WARN", finding("sem", 0.01), finding("nll", 0.3, hit=True)),)
    assert "Human mass was lost, but neither meaning nor entropy" in " ".join(standing(lost))
    gap = finding("human", 0.3, hit=True)
    below = (_seen(2, "WARN", finding("sem", 0.01), gap),)
    assert "less varied than people's own, and neither meaning nor entropy" in " ".join(standing(below))
    both = _seen(2, "WARN", finding("sem", 0.3, hit=True), finding("nll", 0.0), gap, counted=("sem", "nll"))
    assert "was seen (nll): that is convergence" in " ".join(standing((both,))), "the start policy had that gap"


def test_an_alarm_that_is_over_is_still_told() -> None:
    course = (_seen(2, "ALARM", alarms=1), _seen(3, "ALARM"), _seen(4, "OK"))
    assert headline(course) == "The monitor raised ALARM at M2; M4 is OK."
    assert standing(course)[-1] == "An alarm stood at M2, M3."
    assert "Fresh evidence" not in " ".join(standing(course[:2])), "a held alarm is no fresh one"
    assert headline((_seen(1, "INVALID"),)) == "The monitor could not judge M1."
    assert (headline(()), standing(()), blind_spots(())) == ("", [], "")


def test_what_a_family_shows_falls_with_the_square_root_of_the_prompts() -> None:
    found = finding("sem", 0.0)
    assert in_margins(found, 64) == pytest.approx(0.8)
    assert in_margins(found, 256) == pytest.approx(0.4)


def _told(t: int, ratio: float | None, ruled: Decision | None = None) -> Told:
    return Told(t, verdict=verdict("OK", sem_ratios=(ratio,)), decision=ruled)


def test_the_parts_of_a_fall_add_up() -> None:
    course = [
        _told(0, 1.0, decision(selection_ratio=0.9, real_share=0.3)),
        _told(1, 0.8, decision()),
        _told(2, None, decision()),
        _told(3, 0.5),
    ]
    first, second = falls_of(course[:2]) + falls_of([course[1], _told(2, 0.6)])
    assert first.by_selection == pytest.approx(-0.1)
    assert first.by_the_rest == pytest.approx(-0.1)
    assert (second.by_selection, second.by_the_rest) == (None, pytest.approx(-0.2))
    assert [one.t for one in falls_of(course)] == [0], "nothing is said of a policy that was not measured"


def test_rare_meanings_are_expected_to_be_missed() -> None:
    common, rare = (Mode(prompt_id="p", mass=mass, answers=8, hits=hits) for mass, hits in ((0.5, 7), (1 / 32, 0)))
    assert expected([common]) == pytest.approx(1 - 0.5**8)
    assert expected([rare]) == pytest.approx(1 - (31 / 32) ** 8)
    assert still_given([common, rare]) == 0.5
    measured: Any = SimpleNamespace(records=lambda *_: [common, rare])
    few, _ = survival(RunView(Path("r"), {}, ({"measure": measured},)))
    assert few.missing.startswith("No group has the 8 meanings") and few.rows[0][0] == "25-50%"


def test_a_band_and_a_flag_are_drawn_where_they_belong() -> None:
    series = [Series("sem", 0, (Point(0, 0.0), Point(1, 0.4)))]
    plain = line_chart("t", "u", series, ["M0", "M1"])
    flags = [Flag(1, "S", "<b>")]
    drawn = line_chart("t", "u", series, ["M0", "M1"], band=(0.0, 0.1), flags=flags)
    band = next(one for one in ElementTree.fromstring(drawn).iter("rect") if one.get("class") == "band")
    assert float(band.get("height", 0)) == pytest.approx((270 - 30 - 34) / 4)
    assert "band" not in plain and "flag" not in plain
    assert ">S<" in drawn and "M1: &lt;b&gt;" in drawn


def test_a_run_that_the_monitor_stopped_says_so(tmp_path: Path) -> None:
    stops = ("loop.iterations=6", "monitor=act", "monitor.max_rung=1", "monitor.allow_stop=true")
    view = run_scripted(tmp_path, *FEW[:3], *stops)
    assert len(view.iterations) < 7
    text = Page(render(view, None)).text
    assert " stopped by the monitor: " in text and "go back to round " in text
