"""Another arm on the page of a run: what it shares, what it gained beside the run, and what is refused."""

import re
from pathlib import Path

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts.runs import read_run
from selfreward.commands import report
from selfreward.config import RunConfig, validate
from selfreward.errors import ConfigError
from selfreward.metrics.intervals import Interval
from selfreward.reading.rounds import rounds_of
from selfreward.report import beside
from selfreward.report.beside import arm_of
from selfreward.report.page import render
from tests.report.browser import harmless
from tests.report.test_outcome import DOWN, UNSEEN, UP, outcome
from tests.report.test_page import run_with_config

VERIFIER = ("judge=verifier", "select.threshold=1", "select.top=4", "loop.iterations=2")
SHARED = ("measure", "evaluate", "prompts", "sample")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run_with_config(folder, "run=main")
    run_with_config(folder, "run=right", *VERIFIER)
    return folder


def arm(runs: Path, name: str, of: str = "main") -> str:
    view = read_run(runs / of)
    return arm_of(view, rounds_of(view), read_run(runs / name)).told


def test_the_verifier_arm_shares_the_first_iteration_up_to_its_candidates(runs: Path) -> None:
    main, right = (read_run(runs / name).iterations[0] for name in ("main", "right"))
    assert [main[stage].key for stage in SHARED] == [right[stage].key for stage in SHARED]
    assert main["judge"].key != right["judge"].key


def test_the_verifier_arm_of_the_quick_start_samples_and_measures_as_that_does() -> None:
    main, arm = (validate(compose([f"experiment={name}"])) for name in ("quickstart", "quickstart_verifier"))

    def shared(config: RunConfig) -> list[object]:
        return [config.seed, config.model, config.backend, config.data, *(getattr(config, name) for name in SHARED)]

    assert shared(main) == shared(arm)
    assert (arm.judge.kind, arm.loop.iterations) == ("verifier", 1)


def test_the_page_has_the_policies_of_both_and_says_which_learned_more(runs: Path) -> None:
    html = render(read_run(runs / "main"), None, [read_run(runs / "right")])
    text = " ".join(harmless(html).text.split())
    section = text.partition("Beside right")[2].partition("Health of the")[0]
    assert section.strip().startswith("M2 of right clearly gained pass@1 (+")
    assert re.search(r"In pass@1 at matched diversity M2 of right gained \S+ \[.*\] and M3 of main gained", section)
    assert "judge.kind=verifier" in section and "select.top=4" in section and "run=" not in section
    policies = text.partition("Policies")[2].partition("How good, how varied")[0]
    assert "M3" in policies and "M1right" in policies and "M0right" not in policies
    assert "right/iter-002/evaluate" in text, "where its figures come from"
    assert "<h2>Beside" not in render(read_run(runs / "main"), None)


def test_an_arm_beside_itself_differs_in_nothing(runs: Path) -> None:
    told = arm(runs, "main")
    assert "the difference is +0.000 [+0.000, +0.000]" in told
    assert told.endswith("so which of the two learned more could not be told.")


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (UP, "the difference is +0.100 [+0.050, +0.150] over the same 48 questions, so right learned more."),
        (DOWN, "over the same 48 questions, so main learned more."),
        (UNSEEN, "over the same 48 questions, so which of the two learned more could not be told."),
        (None, "changed."),
    ],
)
def test_an_arm_learned_more_where_the_difference_is_clear(
    runs: Path, monkeypatch: pytest.MonkeyPatch, gap: Interval | None, said: str
) -> None:
    monkeypatch.setattr(beside, "outcome_of", lambda *_: outcome(*[UNSEEN] * 5))
    monkeypatch.setattr(beside, "matched_gap", lambda *_: gap)
    assert arm(runs, "right").endswith(said)


def test_an_arm_more_varied_than_the_start_model_is_not_compared(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "outcome_of", lambda *_: outcome(*[UP] * 5, off_ladder=True))
    told = arm(runs, "right")
    assert told.endswith(
        "No temperature of M0 is as varied as M3 of right: the two are not compared at matched diversity."
    )


def test_an_arm_with_nothing_to_show_says_so(runs: Path) -> None:
    run_with_config(runs, "run=begun", "loop.iterations=0")
    assert arm(runs, "begun") == "No policy of begun but the start model has been evaluated yet."
    assert arm(runs, "right", of="begun").startswith("M2 of right clearly gained")
    assert "In pass@1" not in arm(runs, "right", of="begun")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (["data.held_out_closed=20"], "another held_out source"),
        (["evaluate.temperature=0.7"], "evaluated the start model otherwise than main"),
        (["model.skill=0.5"], "starts from another model"),
    ],
)
def test_an_arm_that_cannot_be_compared_is_refused(runs: Path, settings: list[str], why: str) -> None:
    run_with_config(runs, "run=other", "loop.iterations=0", *settings)
    with pytest.raises(ConfigError, match=f"--beside other.*{why}"):
        report.main(["main", "--runs", str(runs), "--beside", "right", "--beside", "other"])


def test_the_command_takes_several_arms(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_with_config(runs, "run=again", *VERIFIER, "update.rate=0.1")
    assert report.main(["main", "--runs", str(runs), "--beside", "right", "--beside", "again"]) == 0
    written = Path(capsys.readouterr().out.strip()).read_text()
    assert written.count("<h2>Beside ") == 2
