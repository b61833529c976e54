"""Reinforcement learning told to the reader: on the page, in metrics, in the log, in commands."""

import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from selfreward.artifacts import Store
from selfreward.artifacts.runs import RunView, read_run
from selfreward.commands.compare import csv_text, plain_table, read_cell
from selfreward.commands.gc import empty
from selfreward.reading.compared_runs import compare
from selfreward.reading.metrics import final_values, metrics_of_round, metrics_of_run
from selfreward.reading.rounds import Round, rounds_of
from selfreward.report.figures import DASH, MINUS
from selfreward.report.page import render
from selfreward.report.reinforcement import Reinforced, reinforced
from selfreward.tracking import TrackerSpec
from selfreward.tracking.rl_lines import rl_lines
from selfreward.tracking.wandb import WandbRun
from selfreward.updates.rl_steps import RlStep, SourceStep
from tests.report.browser import harmless
from tests.report.rl_runs import SMALL, STEPS, run_with_steps, step, told
from tests.report.test_page import HOSTILE
from tests.support import Silent, run_scripted, scripted_config, selfreward
from tests.test_docs import documented_names
from tests.tracking.test_outages import Server, fake_wandb

GROWN = [step(number) for number in range(1, STEPS + 1)]


@pytest.fixture(scope="module")
def lines() -> Silent:
    return Silent()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, lines: Silent) -> RunView:
    return run_with_steps(tmp_path_factory.mktemp("rl"), GROWN, reporter=lines)


def shown(view: RunView) -> Reinforced:
    found = reinforced(rounds_of(view))
    assert found is not None
    return found


def retold(view: RunView, steps: Sequence[RlStep]) -> tuple[Round, Reinforced]:
    """The first round of a run as if its update had taken `steps`, and what the page shows of it."""
    one = rounds_of(view)[0]
    one.__dict__.update(rl_steps=tuple(steps), training=told(steps, one.training))
    found = reinforced([one])
    assert found is not None
    return one, found


def test_metrics_are_those_of_the_steps_and_each_is_defined(run: RunView) -> None:
    row = metrics_of_run(run)[0]
    assert row["train/sources/model/mean_first"] == pytest.approx(0.1), "a tenth of ten steps is the first"
    assert row["train/sources/model/mean_last"] == pytest.approx(1.0)
    assert row["train/sources/verifier/deviation_last"] == pytest.approx(0.4)
    assert (row["train/sources/model/applied"], row["train/sources/model/missing"]) == (320, 20)
    assert row["train/missing_share"] == pytest.approx(20 / 320)
    assert row["train/kl_to_reference"] == pytest.approx(0.04)
    drawn = round(sum(32 * (20 + number) for number in range(1, STEPS + 1)))
    assert row["train/tokens_drawn"] == row["cost/update/tokens"] == drawn
    found = {**row, **final_values(metrics_of_run(run))}
    assert found["final/tokens_drawn"] == 2 * drawn
    assert found["final/kl_to_reference"] == pytest.approx(0.04)
    patterns = documented_names()
    names = [name for name in found if name not in ("train/skill", "train/modes")]
    assert [name for name in names if not any(one.fullmatch(name) for one in patterns)] == []


def test_the_page_has_what_a_round_drew_what_came_of_it_and_every_step(run: RunView) -> None:
    page = harmless(render(run, None))
    assert "Reinforcement learning" in page.text
    found = shown(run)
    assert found.drew[0] == ("M0 → M1", "32", DASH, "3", "1", "320", "20 of 320", "8,160", DASH)
    assert found.came_to[1][:3] == ("M1 → M2", "0.225 → 1.12", "0.040")
    assert found.sources[0][1:] == ("20 of 320", "0.1", "0.5", "1", "0.5")
    head, rows = found.steps
    assert head[:3] == ["round", "step", "loss"] and head[-3:] == [
        "verifier/mean",
        "verifier/deviation",
        "verifier/missing",
    ]
    assert [row[:2] for row in rows] == [[str(t), str(number)] for t in (0, 1) for number in range(1, STEPS + 1)]
    assert "8,160 tokens" in page.text, "tokens that were drawn are a part of what the update cost"
    for name in ("Reward", "Reward of model", "Reward of verifier", "KL", "Entropy", "Length", "Shares"):
        assert name in [figure.title for figure, _ in found.figures]
    assert all(figure.drawing is not None for figure, _ in found.figures)


def test_a_line_breaks_where_a_round_ends_and_its_band_is_a_deviation(run: RunView) -> None:
    figure = {one.title: one for one, _ in shown(run).figures}["Reward of model"]
    assert figure.drawing is not None
    lines = re.findall(r'<path d="([^"]+)" class="line k0"', figure.drawing)
    bands = re.findall(r'<path d="M([^"]+)Z" class="fill k0" fill-opacity', figure.drawing)
    assert len(lines) == len(bands) == 2
    assert "mean, M1 → M2, step 10: 1.000" in figure.drawing
    xs = [[float(x) for x, _ in re.findall(r"[ML]([\d.]+) ([\d.]+)", line)] for line in lines]
    assert [len(one) for one in xs] == [STEPS, STEPS]
    assert xs[0][-1] < xs[1][0]
    # Upwards is less: the band lies as far above the line as below it.
    line = [float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", lines[0])]
    edge = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", bands[0])]
    assert line[0] - edge[0] == pytest.approx(edge[-1] - line[0], abs=0.2)
    assert line[0] - edge[0] > 0


def test_sentences_say_what_moved_and_claim_no_quality(run: RunView) -> None:
    reward, entropy, length, flat = shown(run).told
    assert reward.startswith("In M1 → M2 the reward rose from 0.225 to 1.12. That is what model and verifier gave to")
    assert "no measure of quality" in reward
    assert entropy.startswith("Entropy fell by 47% over M0 → M2, from 1.90 to 1.00 nats a token")
    assert length.startswith("Completions grew by 43% over M0 → M2, from 21.0 to 30.0 tokens")
    assert flat.startswith("More than half of the groups had rewards that are all equal (M0 → M1 62%, M1 → M2 62%)")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reward": 0.2}, "the reward stayed at 0.2."),
        ({"reward": -0.25}, f"the reward stayed at {MINUS}0.25."),
    ],
)
def test_what_did_not_move_is_not_told_as_if_it_did(run: RunView, changes: dict[str, float], says: str) -> None:
    still = [step(n, entropy=2.0, tokens=20.0, flat_groups=0.5, **changes) for n in range(1, 4)]
    (sentence,) = retold(run, still)[1].told
    assert says in sentence


def test_completions_that_are_mostly_cut_are_told_with_what_to_do(run: RunView) -> None:
    *_, cut = retold(run, [step(n, cut=0.75) for n in (1, 2)])[1].told
    assert cut == (
        "More than half of the completions did not end by themselves (M0 → M1 75%): raise update.max_new_tokens."
    )


def test_reward_stands_over_the_root_of_kl_a_completion(run: RunView) -> None:
    curve = shown(run).curve
    assert curve.drawing is not None
    titles = [one.text for one in ElementTree.fromstring(curve.drawing).iter("title")]
    assert titles[0] == "mean reward over square root of KL to M0, in nats a completion"
    assert "M0 → M1, step 10: 1.125 at KL 1.200" in titles, "0.04 nats a token times 30 tokens"
    page = harmless(render(run, None))
    assert page.text.count("Reward over KL, within the updates") == 1


def test_it_is_told_what_kl_is_measured_to(run: RunView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfreward.report.reinforcement.ties_to_last", lambda _: True)
    drawing = shown(run).curve.drawing
    assert drawing is not None
    assert "square root of KL to the policy before the update, in nats a completion" in drawing


def test_beside_gold_it_stands_with_the_curve_of_the_policies(tmp_path: Path) -> None:
    view = run_with_steps(tmp_path, GROWN, "overoptimisation=default", "judge.policy=initial", "loop.iterations=1")
    html = render(view, None)
    assert html.count("Reward over KL, within the updates") == 1
    assert html.index("Reward over KL, within the updates") > html.index("<h2>Over-optimisation</h2>")


def test_without_beta_there_is_no_kl_and_that_is_said(run: RunView) -> None:
    one, found = retold(run, [step(n, kl=None) for n in (1, 2)])
    assert found.curve.drawing is None
    assert "with update.beta=0 nothing does" in found.curve.missing
    assert "no KL (update.beta=0)" in rl_lines(one)[1]
    assert "train/kl_to_reference" not in metrics_of_round(one, None)


def test_many_steps_are_drawn_as_means_and_that_is_said(run: RunView) -> None:
    _, found = retold(run, [step(n) for n in range(1, 602)])
    assert found.steps == ((), ()), "too many to list"
    assert found.notes == [
        "Each place of the charts over steps is the mean of 3 steps, fewer at the end of a round.",
        "Each place of reward over KL is the mean of 51 steps, fewer at the end of a round.",
    ]
    drawing = found.figures[0][0].drawing
    assert drawing is not None
    (line,) = re.findall(r'<path d="([^"]+)" class="line k0"', drawing)
    assert line.count("L") + 1 == 201
    assert "marker" not in drawing


def test_one_step_without_a_figure_is_drawn_as_far_as_it_goes(run: RunView) -> None:
    nothing = {"reward": None, "flat_groups": None, "kl": None, "entropy": None, "clipped": None, "sources": ()}
    _, found = retold(run, [step(1, **nothing)])
    drawn = {figure.title: figure.drawing for figure, _ in found.figures}
    assert drawn["Reward"] is None and drawn["KL"] is None
    assert drawn["Length"] is not None and "tokens, M0 → M1, step 1: 21.000" in drawn["Length"]
    assert found.told == []


def test_the_log_has_two_lines_a_round_with_what_each_count_is_out_of(run: RunView, lines: Silent) -> None:
    at = next(n for n, line in enumerate(lines.lines) if line.startswith("  RL drew"))
    assert lines.lines[at : at + 2] == [
        "  RL drew 320 completions to 32 prompts, 8,160 tokens in all, and took 10 optimiser steps; 20 of 320 "
        "completions had no reward, left out 3 prompts without room for a completion (update.max_tokens), left out 1 "
        "prompts without a source of update.rewards, model said nothing of 20 of 320",
        "    reward 0.225 to 1.12 (model 0.1 to 1, verifier 0.25 to 0.25), KL 0.04 nats a token, entropy 1.9 to 1 nats "
        "a token, 21 to 30 tokens a completion, 12.5% cut, 62.5% of the groups without spread",
    ]
    assert not any("rows were too long" in line for line in lines.lines)


def test_status_explain_and_compare_tell_it(run: RunView, tmp_path: Path) -> None:
    where = ("--runs", str(run.folder.parent))
    status = selfreward("status", run.name, *where, cwd=tmp_path).stdout
    assert "iteration 1: RL drew 320 completions to 32 prompts" in status
    listed = selfreward("explain", run.name, *where, cwd=tmp_path).stdout
    assert listed.count("  RL drew 320 completions") == 2
    of_policy = selfreward("explain", run.name, "M2", *where, cwd=tmp_path).stdout.splitlines()
    assert of_policy[0].startswith("M2 of run scripted, trained from M1: update/")
    assert of_policy[1].startswith("  RL drew 320 completions")
    assert any(line.split() == ["train/sources/model/missing", "20"] for line in of_policy)
    assert of_policy[-1].split()[:6] == ["1", "10", "0.01", "32", "2", "1.125"]
    plain = json.loads(selfreward("explain", run.name, "m1", "--json", *where, cwd=tmp_path).stdout)
    assert (plain["policy"], len(plain["steps"]), plain["steps"][0]["kl"]) == (1, STEPS, 0.004)
    for asked, says in (("M0", "is the start model, which no update made"), ("M3", "was not trained")):
        done = selfreward("explain", run.name, asked, *where, cwd=tmp_path)
        assert done.returncode == 2
        assert f"{asked} of scripted {says}: give one of M1 to M2" in done.stderr
    comparison = compare("one", [read_cell(run.folder)])
    head, row = plain_table(comparison)
    assert "RL KL" in head and "RL tokens" in head
    assert "0.040" in row and "16,320" in row
    assert "final/tokens_drawn" in csv_text(comparison)


def test_wandb_has_a_table_a_round_and_no_rows_of_the_history_for_steps(
    run: RunView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    fake = fake_wandb(server)
    fake.__dict__["Table"] = lambda columns, data: (columns, data)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setattr("selfreward.tracking.wandb._has_key", lambda: True)
    settings = scripted_config(*SMALL).model_dump(mode="json")
    rounds = rounds_of(run)
    with WandbRun(TrackerSpec(wandb="online"), run.folder, tmp_path, settings, str) as one:
        for found, before in zip(rounds, (None, *rounds), strict=False):
            one.log(found, before)
    sent = server.rows["selfreward"]
    assert [row["_step"] for row in sent] == [1, 3, 4]
    columns, rows = sent[1]["rl/steps"]
    assert len(rows) == STEPS and len(columns) == len(rows[0])
    assert dict(zip(columns, rows[-1], strict=True))["model/mean"] == 1.0
    assert rows[-1][:2] == [1, STEPS]
    assert "rl/steps" not in sent[2], "the last policy trains none"


def test_a_run_without_it_looks_as_before(tmp_path: Path) -> None:
    lines = Silent()
    view = run_scripted(tmp_path, *SMALL, "loop.iterations=1", reporter=lines)
    html = render(view, None)
    assert reinforced(rounds_of(view)) is None
    assert "Reinforcement learning" not in html and "Reward over KL" not in html
    assert not any("RL drew" in line for line in lines.lines)
    row = metrics_of_run(view)[0]
    assert "train/missing_share" not in row and "cost/update/tokens" not in row
    assert "RL" not in plain_table(compare("one", [read_cell(view.folder)]))[0]


def test_once_the_steps_are_deleted_metrics_stay_and_the_page_says_so(run: RunView, tmp_path: Path) -> None:
    shutil.copytree(run.folder.parent, tmp_path / "runs", symlinks=True)
    view = read_run(tmp_path / "runs" / run.name)
    before = metrics_of_run(view)
    empty(view.iterations[0]["update"], Store(tmp_path / "runs" / "store", Silent()))
    view = read_run(view.folder)
    assert metrics_of_run(view) == before
    text = harmless(render(view, None)).text
    assert "“selfreward gc” deleted the steps of M0 → M1; the tables are whole." in text


def test_a_source_with_a_hostile_name_is_text(run: RunView, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings allow no such name; a table on the disk may have been altered."""
    hostile = [
        step(n, sources=(SourceStep(name=HOSTILE, applied=1, missing=0, mean=n, deviation=None, tokens=0),))
        for n in (1, 2)
    ]
    one, _ = retold(run, hostile)
    monkeypatch.setattr("selfreward.report.page.rounds_of", lambda _: (one,))
    page = harmless(render(run, None))
    assert "<script>alert(1)</script>" in page.text
