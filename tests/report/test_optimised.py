"""Over-optimisation on the page of a run and in its log: what the stages wrote, and why something is not there."""

from dataclasses import replace
from pathlib import Path

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.monitor.policy_scores import SetScores
from selfreward.reading.rounds import Round, rounds_of
from selfreward.report.optimised import Optimised, optimised
from selfreward.report.page import render
from selfreward.tracking.round_lines import curve_lines
from tests.report.browser import harmless
from tests.report.test_page import HOSTILE
from tests.support import run_scripted

SMALL = ("data.train_closed=24", "data.train_open=8", "mix.min_rows=1", "mix.real_share=0", "loop.iterations=2")
GOLD = ("overoptimisation=default", *SMALL)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_scripted(tmp_path_factory.mktemp("held"), *GOLD, "judge.policy=initial", "model.skill=0.4")


def shown(view: RunView) -> Optimised:
    found = optimised(view, rounds_of(view))
    assert found is not None
    return found


def test_each_policy_stands_there_with_what_the_stage_wrote(held: RunView) -> None:
    page = harmless(render(held, None))
    assert "Over-optimisation" in page.text
    for stages in held.iterations:
        curve = stages["overoptimisation"].json("curve")
        for name in ("proxy", "gold"):
            one = curve[name]
            assert f"{one['value']:.3f}[{one['low']:.3f}, {one['high']:.3f}]".replace("-", "\u2212") in page.text
        assert "30 of 42" in page.text
        assert f"0 of {curve['distance']['answers']}" in page.text
    assert "best: M2 with gold (verifier)" in page.text
    names = [row[0] for row in shown(held).figure.rows]
    assert names == ["M0", "M1", "M2", "best of 1", "best of 2", "best of 3", "best of 4"]
    assert page.tags.count("svg") > 0 and shown(held).figure.drawing is not None


def test_what_the_gate_said_of_each_policy_stands_below(held: RunView) -> None:
    (told,) = shown(held).turning  # of M1: at M0 there is nothing before, and after M2 nothing is trained
    assert told[:2] == ("M1", False)
    assert told[2].startswith("since M0 no fall of gold under a rising proxy is shown: proxy +")


def test_a_run_without_gold_has_no_such_section(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SMALL, "loop.iterations=0")
    assert optimised(view, rounds_of(view)) is None
    assert "Over-optimisation" not in render(view, None)
    assert curve_lines(rounds_of(view)[0]) == []


def test_what_is_missing_says_why(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *GOLD, "judge=jury", "measure.temperature=0.8", "loop.iterations=1")
    found = shown(view)
    assert found.missing[0].startswith("judge: the judge is a jury")
    assert found.missing[1] == (
        "KL: the probe is not drawn as the policy is: set measure.temperature=1 measure.top_p=1"
    )
    assert found.missing[2].startswith("best of n: the judge is a jury")
    assert found.figure.drawing is None
    page = harmless(render(view, None))
    assert "the judge is a jury" in page.text
    (line,) = curve_lines(rounds_of(view)[0])
    assert line.startswith("  over-optimisation: judge (jury) -, gold (verifier) 0.")
    assert "on 30 of 42 held-out prompts; KL to M0 -; best so far M0" in line


def test_sets_have_a_table_of_their_own_and_no_name_gets_out_of_it(
    held: RunView, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = rounds_of(held)
    curve = rounds[0].curve
    assert curve is not None
    sets = {HOSTILE: SetScores(proxy=None, gold=curve.gold)}
    one = Round(0, rounds[0].stages, rounds[0].sources)
    one.__dict__["curve"] = replace(curve, sets=sets)
    monkeypatch.setattr("selfreward.report.page.rounds_of", lambda _: (one, *rounds[1:]))
    page = harmless(render(held, None))
    assert "By held-out set" in page.text and "<script>alert(1)</script>" in page.text


def test_the_log_says_how_a_policy_stands(held: RunView) -> None:
    first, second, last = (curve_lines(one) for one in rounds_of(held))
    assert [len(lines) for lines in (first, second, last)] == [1, 1, 1]
    assert first[0].startswith("  over-optimisation: judge (likelihood) -0.") and "KL to M0 0 nats" in first[0]
    assert last[0].endswith("best so far M2")
