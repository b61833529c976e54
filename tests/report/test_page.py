"""The page: whole, safe, exact, and written for any state of a run."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts.runs import RunView, read_run
from selfreward.backends import scripted
from selfreward.commands import report
from selfreward.config import validate
from selfreward.errors import ConfigError, StoreError
from selfreward.metrics.evaluation import Evaluation, Gains, MatchedStart
from selfreward.metrics.intervals import Interval
from selfreward.reading.control import control_settings, drops_tiers, find_control, picks_at_random
from selfreward.reading.rounds import Cost, rounds_of
from selfreward.report.drawing import mark
from selfreward.report.figures import change
from selfreward.report.page import render
from selfreward.report.pages import visible
from selfreward.report.round_tables import cost, selection_bars
from selfreward.report.verdict import judge_run, sharpening
from tests.report.browser import Page, harmless
from tests.support import run_scripted, scripted_config

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>\u202egnp.exe\x07</style>'

ORDER = ["measure", "diagnose", "evaluate", "sample", "judge", "select", "decide", "mix", "update"]


def write_config(folder: Path, *overrides: str) -> None:
    config = scripted_config(*overrides)
    (folder / config.run).mkdir(parents=True, exist_ok=True)
    (folder / config.run / "config.json").write_text(json.dumps(config.model_dump(mode="json")))


def run_with_config(folder: Path, *overrides: str) -> RunView:
    overrides = (f"store.runs={folder}", *overrides)
    write_config(folder, *overrides)
    return run_scripted(folder, *overrides)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    faults = ("backend.cut_share=0.05", "select.threshold=-3.0")
    run_with_config(folder, "run=main", *faults)
    run_with_config(folder, "run=lot", "select=random_pick", *faults)
    return folder


def test_the_page_is_one_file_that_loads_and_runs_nothing(runs):
    html = render(read_run(runs / "main"), read_run(runs / "lot"))
    harmless(html)
    assert "http" not in html.replace("http-equiv", "")
    assert html == render(read_run(runs / "main"), read_run(runs / "lot")), "the same run gives the same page"


def test_the_page_writes_what_the_stages_committed(runs):
    view = read_run(runs / "main")
    text = Page(render(view, read_run(runs / "lot"))).text
    for stages in view.iterations:
        metrics = stages["evaluate"].json("metrics")
        for name in ("greedy_accuracy", "pass_at_1", "pass_at_k"):
            found = metrics["closed"][name]
            assert f"{found['value']:.3f}[{found['low']:.3f}, {found['high']:.3f}]" in text
        if metrics.get("matched"):
            assert f"{metrics['matched']['pass_at_1']:.3f}" in text
    for stages in view.iterations[:-1]:
        selection, mixing = stages["select"].json("selection"), stages["mix"].json("mixing")
        left_out = {name: number for name, number in selection.items() if name in ("cut", "duplicate", "passed_over")}
        for name, number in (*left_out.items(), ("below_threshold", selection.get("below_threshold", 0))):
            assert number == 0 or f"\u2212{number:,} {name.replace('_', ' ')}" in text
        assert f"{mixing['self_rows']:,} own, then {mixing['human_rows']:,} human" in text
        assert f"{mixing['real_share_tokens']:.3f}" in text
    assert all(artifact.key in text and artifact.digest in text for _, artifact in view.artifacts())


def test_each_held_out_set_has_its_rows_and_its_answers(tmp_path, runs):
    view = run_with_config(tmp_path, "data.held_out_shifted=12", "loop.iterations=1")
    html = render(view, None)
    text = harmless(html).text
    sets = rounds_of(view)[1].evaluation_by_set
    for name, one in sets.items():
        assert f'<th scope="row">{name}</th><td>M1</td>' in html
        assert f"closed: one right answer, {name}" in text
        for found in (one.since_pass_1, one.since_greedy):
            assert f"{change(found.value)}[{change(found.low)}, {change(found.high)}]" in text
    assert "shifted: greedy accuracy did not clearly change, +0.000 [+0.000, +0.000]; pass@1" in text
    assert "Set by set" not in render(read_run(runs / "main"), None)


def test_a_funnel_ends_at_the_rows_that_were_selected(runs):
    for step in rounds_of(read_run(runs / "main"))[:-1]:
        bars = selection_bars(step.selection, step.drawn)
        assert bars[-1].parts[0][0] == step.selection.by_name["selected"]
        beside = selection_bars(replace(step.selection, human_prompts=4), 1000)
        assert beside[0].note == "the first of each prompt, none of 4 human prompts"


def test_what_a_row_took_is_written_without_an_exponent():
    written = [cost(Cost(seconds, None), of_row=True) for seconds in (0.00123, 0.0994, 0.0996, 300.0)]
    assert written == ["1.2 ms", "99 ms", "0.10 s", "5.0 min"]


def test_hostile_text_stays_text(tmp_path, monkeypatch):
    plain = scripted.outcome_text
    monkeypatch.setattr(scripted, "outcome_text", lambda question, outcome: plain(question, outcome) + HOSTILE)
    view = run_with_config(tmp_path, "loop.iterations=1")
    config = json.loads((view.folder / "config.json").read_text())
    (view.folder / "config.json").write_text(json.dumps({**config, HOSTILE: HOSTILE}))
    html = render(view, None)
    page = harmless(html)
    assert "⟨U+202E⟩gnp.exe⟨U+0007⟩" in page.text
    assert "<script>alert(1)</script>" in page.text
    assert page.tags.count("style") == html.count("</style>") == 1


def test_only_markup_passes_through_a_mark():
    built = mark("text", "<i>", mark("title", "&"), fill_='"><i onclick=x>')
    assert built == '<text fill="&#34;&gt;&lt;i onclick=x&gt;">&lt;i&gt;<title>&amp;</title></text>'
    assert visible("a\nb\tc\u2066\u200b\x00\ud800") == "a\nb\tc⟨U+2066⟩⟨U+200B⟩⟨U+0000⟩⟨U+D800⟩"
    assert visible("naïve 日本 می‌خواهم 👩‍🔬") == "naïve 日本 می‌خواهم 👩‍🔬"


@pytest.mark.parametrize("stage", ORDER)
@pytest.mark.parametrize("iteration", [0, 1])
def test_an_unfinished_run_has_a_page_too(runs, stage, iteration):
    whole = read_run(runs / "main")
    last = {name: whole.iterations[iteration][name] for name in ORDER[: ORDER.index(stage)]}
    cut = replace(whole, iterations=(*whole.iterations[:iteration], last))
    text = Page(render(cut, None)).text
    assert f"Unfinished: {iteration} of 3 updates" in text
    assert "None" not in re.sub(r"commit.*", "", text.split("Where this comes from")[0])


def test_a_run_with_nothing_in_it_has_a_page(tmp_path):
    text = Page(render(RunView(tmp_path / "empty", {}, ()), None)).text
    assert "Nothing has been evaluated yet." in text


def test_a_run_without_closed_or_open_prompts_has_a_page(tmp_path):
    closed = ("train_open", "held_out_open", "probe_open")
    view = run_with_config(tmp_path, "run=closed", "loop.iterations=1", *(f"data.{name}=0" for name in closed))
    assert "variety of open answers (not measured)" in Page(render(view, None)).text
    open_ = ("train_closed", "held_out_closed", "probe_closed", "gold_final")
    view = run_with_config(tmp_path, "run=open", "loop.iterations=1", *(f"data.{name}=0" for name in open_))
    assert "whether greedy accuracy (not measured), pass@1 (not measured)" in Page(render(view, None)).text


def test_few_prompts_are_said_to_be_few(tmp_path):
    view = run_with_config(tmp_path, "loop.iterations=1", "data.held_out_closed=4", "data.probe_open=4")
    verdict = judge_run(view, rounds_of(view), None)
    assert "greedy accuracy (4 prompts, too few)" in verdict.headline
    assert "4 held-out questions: far too few for any claim." in verdict.findings["How sure"]


def _evaluation(
    since: tuple[float, float, float], gain: tuple[float, float, float], *, off: bool = False
) -> Evaluation:
    moved, kept = (Interval(*values, 200) for values in (since, gain))
    matched = MatchedStart(
        temperature=0.5, distinct_share=0.5, off_ladder=off, pass_at_1=0.5,
        gain=Gains(greedy_accuracy=None, pass_at_1=kept),
    )  # fmt: skip
    since_start = Gains(greedy_accuracy=None, pass_at_1=moved)
    return Evaluation(closed=None, open=None, gold=None, since_start=since_start, matched=matched)


@pytest.mark.parametrize(
    ("since", "gain", "said"),
    [
        ((0.30, 0.20, 0.40), (0.01, -0.03, 0.05), "most of this is sharpening"),
        ((0.30, 0.20, 0.40), (0.10, -0.02, 0.22), "sharpening may be all of it"),
        ((0.30, 0.20, 0.40), (0.10, 0.04, 0.16), "at the same diversity it does better than M0"),
        ((0.30, 0.20, 0.40), (-0.10, -0.16, -0.04), "at the same diversity M0 does better"),
        ((0.01, -0.05, 0.07), (0.00, -0.05, 0.05), "at the same diversity no clear difference from M0 is left"),
        ((-0.30, -0.40, -0.20), (0.0, -0.05, 0.05), "at the same diversity no clear difference from M0 is left"),
    ],
)
def test_the_verdict_claims_what_the_intervals_allow(since, gain, said):
    assert sharpening(_evaluation(since, gain)) == said
    assert "cannot be told apart" in sharpening(_evaluation(since, gain, off=True))


def test_a_control_is_found_by_its_settings(runs, tmp_path):
    found = find_control(read_run(runs / "main"))
    assert found is not None
    assert found.name == "lot"
    assert find_control(read_run(runs / "lot")) is None
    alone = run_with_config(tmp_path, "run=alone", "loop.iterations=0")
    assert judge_run(alone, rounds_of(alone), None).headline.startswith("Only the start model has been evaluated")
    assert find_control(alone) is None
    assert "select=random_pick run=alone-control" in Page(render(alone, None)).text
    broken = tmp_path / "broken/iter-000/measure/manifest.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    write_config(tmp_path, "run=broken", "select=random_pick", "seed=7")
    assert find_control(alone) is None, "what is wrong with another run is no matter of this one"


def test_a_control_can_be_made_of_a_run_with_tiers():
    pairs = ("experiment=scripted", "select=preference_pairs", "select.length_tier=0.3")
    config = validate(compose([*pairs])).model_dump(mode="json")
    control = validate(compose([*pairs, *control_settings(config).split()])).model_dump(mode="json")
    assert picks_at_random(control) and not drops_tiers(config)
    assert drops_tiers(scripted_config("select.length_tier=0.3").model_dump(mode="json"))


def test_the_command_writes_the_page_and_prints_its_path(runs, capsys):
    assert report.main(["main", "--runs", str(runs)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == runs / "main" / "report.html"
    assert "Against the control" in path.read_text()
    assert report.main(["main", "--runs", str(runs), "--control", "lot"]) == 0


def test_a_wrong_control_is_refused(runs):
    with pytest.raises(ConfigError, match="no control run"):
        report.main(["lot", "--runs", str(runs), "--control", "main"])
    with pytest.raises(StoreError, match="there is no run"):
        report.main(["main", "--runs", str(runs), "--control", "nobody"])
    run_with_config(runs, "run=other", "select=random_pick", "data.train_open=20", "loop.iterations=0")
    with pytest.raises(ConfigError, match="another train source"):
        report.main(["main", "--runs", str(runs), "--control", "other"])
