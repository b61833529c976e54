"""A run whose judgments are judged: what is trained on, for how long, what is told, and what the gate ends."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from selfreward.__main__ import compose
from selfreward.artifacts import Store
from selfreward.artifacts.runs import RunView
from selfreward.backends.scripted_judge import MetaTask, judge_task
from selfreward.commands.explain import explanation_lines, listing_lines
from selfreward.commands.verify import check_chain, check_links
from selfreward.config import RunConfig, validate
from selfreward.errors import ConfigError, StarvedLoop
from selfreward.meta_judging import meta_of_round
from selfreward.policies import Policy
from selfreward.reading.chain import explain
from selfreward.reading.judge_changes import judge_change
from selfreward.reading.rounds import rounds_of
from selfreward.records import Candidate, PreferencePair
from selfreward.report.metas import metas
from selfreward.report.page import render
from selfreward.selection.mixing import MetaMixing
from selfreward.stages.gate import gate_of
from selfreward.stages.meta import MetaSpec, meta_of
from selfreward.stages.mix import mixing_of
from selfreward.stages.reward import reward
from selfreward.tracking import metrics_of_run
from selfreward.updates.reward import RewardSpec
from tests.stages.tables import artifact
from tests.support import Silent, run_scripted
from tests.test_docs import documented_names
from tests.tiny import make_pair

JUDGED = ("experiment=scripted", "judge=rubric", "judge.repeats=4", "select=preference_pairs", "meta=default")
SETTINGS = (
    *JUDGED[1:],
    *("loop.iterations=3", "data.train_closed=40", "data.train_open=8", "data.human_pairs=80", "mix.data=accumulate"),
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunView, Silent]:
    reporter = Silent()
    return run_scripted(tmp_path_factory.mktemp("run"), *SETTINGS, reporter=reporter), reporter


def mixed(view: RunView, t: int) -> MetaMixing:
    found = mixing_of(view.iterations[t]["mix"])
    assert isinstance(found, MetaMixing)
    return found


def pairs_in(view: RunView, t: int) -> list[PreferencePair]:
    return list(view.iterations[t]["mix"].records(PreferencePair, "pairs"))


def test_judgments_are_trained_on_in_the_first_rounds_within_their_share(ran: tuple[RunView, Silent]) -> None:
    view, _ = ran
    assert ["meta" in stages for stages in view.iterations] == [True, True, False, False]
    new = []
    for t in range(3):
        rows, told = pairs_in(view, t), mixed(view, t)
        of_judgments = [one for one in rows if one.origin == "meta"]
        assert told.meta_rows == len(of_judgments)
        assert told.self_rows == sum(one.origin == "self" for one in rows)
        assert told.real_share_rows == pytest.approx(told.human_rows / len(rows))
        assert told.real_share_rows == pytest.approx(0.2, abs=0.02)
        assert 0 < told.meta_rows / (told.meta_rows + told.self_rows) <= 0.15
        new.append(told.meta_rows_new)
        made = meta_of(view.iterations[t]["meta"]).answers["pair"] if t < 2 else 0
        assert told.meta_rows_new + told.meta_rows_over == made
    assert new[0] > 0 and new[1] > 0 and new[2] == 0
    assert [mixed(view, t).meta_rows for t in range(3)] == [new[0], sum(new[:2]), sum(new[:2])], "what stays is counted"
    assert {one.iteration for one in pairs_in(view, 2) if one.origin == "meta"} == {0, 1}
    check_links(view)
    check_chain(view)


def test_the_widest_margins_are_kept(ran: tuple[RunView, Silent]) -> None:
    view, _ = ran
    made = list(view.iterations[0]["meta"].records(PreferencePair, "pairs"))
    kept = {one.id for one in pairs_in(view, 0) if one.origin == "meta"}
    margins = [[one.margin or 0.0 for one in made if (one.id in kept) == taken] for taken in (True, False)]
    assert min(margins[0]) >= max(margins[1])


def test_another_share_asks_nobody_again(ran: tuple[RunView, Silent]) -> None:
    view, _ = ran
    reporter = Silent()
    other = run_scripted(view.folder.parent, *SETTINGS, "meta.max_share=0.05", "loop.iterations=1", reporter=reporter)
    made = [line.split()[0] for line in reporter.lines if not line.startswith(" ")]
    assert made[0] == "mix" and not {"judge", "meta", "gate"} & set(made)
    told = mixed(other, 0)
    assert 0 < told.meta_rows / (told.meta_rows + told.self_rows) <= 0.05


def test_it_is_told_in_lines_metrics_and_on_the_page(ran: tuple[RunView, Silent]) -> None:
    view, reporter = ran
    told = "\n".join(reporter.lines)
    assert re.search(r"judgments compared: of \d+ different answers pair \d+", told)
    assert re.search(r"prefers score 0\.\d+ \(0\.\d+ to 0\.\d+, n \d+\), prefers first 0\.5 \(", told)
    assert re.search(r"\d+ pairs of judgments beside them, \d+ of this round; \d+ more were over meta\.max_share", told)
    assert re.search(
        r"judge since the round before, on the same gold answers: accuracy change .*kendall 0\.\d+ \(", told
    )
    rows = metrics_of_run(view)
    assert rows[0]["meta/answers/pair"] == meta_of(view.iterations[0]["meta"]).answers["pair"]
    assert "meta/prefers_score_low" in rows[1] and "meta/prefers_score" not in rows[2]
    assert "meta/judge/kendall" not in rows[0] and "meta/judge/kendall" in rows[1] and "meta/judge/kendall" in rows[2]
    assert rows[1]["mix/meta_rows"] == mixed(view, 1).meta_rows
    emitted = {name for row in rows for name in row if name.startswith(("meta/", "mix/meta"))}
    assert emitted
    assert [name for name in emitted if not any(one.fullmatch(name) for one in documented_names())] == []
    page = render(view, None)
    assert "Judgments judged" in page and "of judgments" in page
    shown = metas(rounds_of(view))
    assert shown is not None
    assert [len(shown.made), len(shown.moves), len(shown.judges)] == [2, 2, 2]


def test_the_judge_before_and_after_scored_the_same_gold(ran: tuple[RunView, Silent]) -> None:
    view, _ = ran
    rounds = rounds_of(view)
    assert judge_change(rounds[0], None) is None
    assert judge_change(rounds[3], rounds[2]) is None, "no judgments were judged in round 2"
    changed = judge_change(rounds[1], rounds[0])
    assert changed is not None
    means = [one.health.measures["mean_score"].value for one in rounds[:2] if one.health is not None]
    assert changed.measures["mean_score_change"].value == pytest.approx((means[1] or 0) - (means[0] or 0))
    tau = changed.measures["kendall"].interval
    assert tau is not None and 0.2 < tau.low < tau.value < tau.high < 1
    same = judge_change(replace(rounds[1], stages=rounds[0].stages), rounds[0])
    assert same is not None
    assert (same.measures["kendall"].value, same.measures["accuracy_change"].value) == (1.0, 0.0)


def test_explain_leads_from_a_pair_of_judgments_to_the_answer(ran: tuple[RunView, Silent]) -> None:
    view, _ = ran
    row = next(one for one in pairs_in(view, 0) if one.origin == "meta")
    text = "\n".join(explanation_lines(explain(view, row.id, 0)))
    assert "meta: a judgment of the policy over another" in text
    assert row.chosen.split("\n")[0] in text and str(row.chosen_id) in text
    assert f"store/meta/{view.iterations[0]['meta'].key}" in text
    drawn = next(one for one in view.iterations[0]["sample"].records(Candidate) if one.id == row.chosen_id)
    assert row.id in "\n".join(explanation_lines(explain(view, drawn.id, 0)))
    assert any(f"{row.id}  meta " in line for line in listing_lines(view, 0))


LIKES = ("backend.score_liking=1", "loop.iterations=2", "mix.data=replace", "data.train_closed=64")


def test_a_meta_judge_that_likes_high_scores_is_reported_and_ended_by_the_gate(tmp_path: Path) -> None:
    reporter = Silent()
    view = run_scripted(tmp_path, *SETTINGS, *LIKES, reporter=reporter)
    first = meta_of(view.iterations[0]["meta"])
    liked = first.measures["prefers_score"].interval
    assert liked is not None and liked.value == 1.0 and liked.low > 0.8
    gap = first.measures["score_gap"].interval
    assert gap is not None and gap.low > 0
    assert ["meta" in stages for stages in view.iterations] == [True, False, False]
    gated = gate_of(view.iterations[0]["gate"])
    assert [one.action for one in gated.findings if one.name == "meta_prefers_score"] == ["end"]
    assert (mixed(view, 0).meta_rows, mixed(view, 1).meta_rows) == (0, 0)
    assert {one.origin for t in (0, 1) for one in pairs_in(view, t)} == {"self", "human"}
    assert sum("judgments are not trained on: from this round on" in line for line in reporter.lines) == 1
    assert any(re.search(r"gate end: meta_prefers_score 1 \(.*lies wholly above 0\.8", line) for line in reporter.lines)


def test_the_gate_may_stop_the_run_for_it(tmp_path: Path) -> None:
    reporter = Silent()
    stopped = run_scripted(tmp_path, *SETTINGS, *LIKES, "gate.meta_prefers_score.action=stop", reporter=reporter)
    assert "mix" not in stopped.iterations[0]
    assert any(line.startswith("stopped by the gate of the judge: meta_prefers_score") for line in reporter.lines)


def test_a_reward_model_learns_nothing_of_judgments(tmp_path: Path) -> None:
    rows = [replace(make_pair(number), origin="meta") for number in range(60)]
    pairs = artifact(tmp_path, "pairs", {"pairs": (PreferencePair, rows)})
    policy = Policy(path=tmp_path, key="d", digest="d")
    with pytest.raises(StarvedLoop, match="0 "):
        Store(tmp_path, Silent()).run(reward, RewardSpec(), seed=0, policy=policy, pairs=pairs)


class Named:
    """Policies by the name of their setting."""

    def named(self, spec: Any) -> str:
        return f"named {spec.policy}"

    def inputs(self, spec: Any, policy: Any) -> dict[str, Any]:
        return {"policy": policy, "backend": None}


def test_a_meta_judge_that_is_the_live_policy_is_frozen_with_the_judge() -> None:
    def asked(*settings: str, t: int = 0, before: Any = None) -> Any:
        config = validate(compose([*JUDGED, *settings]))
        stage: Callable[..., Any] = lambda stage, spec, policy, backend: policy  # noqa: E731
        judges: Any = Named()
        return meta_of_round(config.meta, config.judge, t, before, judges, "trusted", stage)  # type: ignore[arg-type]

    assert asked() == "trusted"
    assert asked("meta.judge.policy=initial") == "named initial"
    assert asked("judge.policy=initial") == "named live"
    assert asked(t=1) is None, "ended in the round before"
    assert asked(t=1, before="made") == "trusted"
    assert asked(t=2, before="made") is None, "meta.rounds=2"
    assert asked("meta=none") is None


def test_the_settings_have_one_default() -> None:
    config = validate(compose([*JUDGED]))
    assert config.meta is not None
    assert config.meta == MetaSpec(judge=config.meta.judge)
    assert config.gate == type(config.gate)()
    assert validate(compose([])).meta is None


def test_without_it_no_key_changes() -> None:
    def keys(config: RunConfig) -> str:
        from selfreward.spec import identity

        return json.dumps([identity(config.gate), identity(config.mix), identity(config.backend)])

    found = keys(validate(compose([*JUDGED])))
    assert "meta" not in found and "liking" not in found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["judge.method=expected", "judge.repeats=1"], r"judge=rubric and judge\.method=expected, which writes no"),
        (["judge.repeats=1"], r"judge\.repeats=1 has nothing to compare: set judge\.repeats to 2 or more"),
        (
            ["judge.policy=external", "judge.path=/m"],
            r"judge\.policy=external, whose judgments are not the policy's own",
        ),
        (["select=best_of_k"], r"select=best_of_k with update=scripted trains on none: set select=pref"),
        (["select=unpaired"], r"select=unpaired with update=scripted trains on none: set select=preference_pairs"),
        (["meta.judge.budget=2"], r"meta\.judge\.budget=2 leaves some of judge\.repeats=4 .*to 3 or more, or null"),
        (["meta.max_share=1"], r"meta\.max_share=1"),
        (["meta.max_share=0"], r"meta\.max_share=0"),
        (["meta.answers=0"], r"meta\.answers=0"),
        (["meta.rounds=0"], r"meta\.rounds=0"),
        (["meta.judge.policy=external"], r"meta\.judge\.policy=external .* needs meta\.judge\.path="),
        (["meta.judge.own=[me]"], r"meta\.judge\.own=me: .*set judge\.own instead"),
        (
            ["gate.accuracy={action: end, below: 0.5, above: null}"],
            r"gate\.accuracy\.action=end .*set observe, warn, freeze",
        ),
        (["gate.over_optimised=end"], r"gate\.over_optimised=end .*set observe, warn, freeze or stop"),
        (
            ["gate.meta_prefers_score.action=freeze"],
            r"meta_prefers_score\.action=freeze .*set observe, warn, end or stop",
        ),
        (["gate.meta_prefers_first.action=end"], r"action=end without a bound"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_change(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        validate(composed(settings))
    assert "\n" not in str(caught.value)


def composed(settings: list[str]) -> dict[str, Any]:
    """The configuration of a judged run with `settings`, groups apart composed once: that is what takes its time."""
    groups = [one for one in settings if one.startswith("select=")]
    values = json.loads(_composed(*groups))
    for name, _, value in (one.partition("=") for one in settings if one not in groups):
        *places, last = name.split(".")
        inner = values
        for place in places:
            inner = inner[place]
        inner[last] = yaml.safe_load(value)
    return values


@cache
def _composed(*groups: str) -> str:
    return json.dumps(compose([*JUDGED, *groups]))


@pytest.mark.parametrize("judge", ["likelihood", "pairwise"])
def test_a_judge_that_writes_no_judgments_is_refused(judge: str) -> None:
    with pytest.raises(ConfigError, match=rf"meta with judge={judge}, which writes no judgments .*set judge=rubric"):
        validate(compose(["experiment=scripted", f"judge={judge}", "select=preference_pairs", "meta=default"]))


def test_margins_in_two_units_are_refused() -> None:
    settings = ["judge=rubric", "judge.repeats=2", "select=preference_pairs", "meta=default", "update=dpo"]
    assert validate(compose(settings)).meta is not None
    with pytest.raises(ConfigError, match=r"update\.margin_weight=0\.5 with meta: .*set update\.margin_weight=0"):
        validate(compose([*settings, "update.margin_weight=0.5"]))


REQUEST = '<question>\nWhat is 1 + 2?\n</question>\n\n<answer>\nThe answer is 3.\n</answer>\n\nfrom 0 to 5, "Score: N"'


@pytest.mark.parametrize(
    ("first", "second", "merit", "lead"),
    [
        ("Good.\nScore: 4", "Poor.\nScore: 2", 1, 1),
        ("Score: 5", "Score: 4", -1, 1),
        ("3", "3", 0, 0),
        ("no", "1", -1, -1),
    ],
)
def test_the_scripted_meta_judge_knows_the_score_that_is_deserved(
    first: str, second: str, merit: int, lead: int
) -> None:
    task = judge_task(
        f"<request>\n{REQUEST}\n</request>\n\n<judgment_a>\n{first}\n</judgment_a>\n\n<judgment_b>\n{second}\n</judgment_b>\n"
        '\nEnd with "Verdict: X", where X is A, B or C.'
    )
    assert isinstance(task, MetaTask)
    assert (task.judged.question, task.judged.answer, task.label) == ("What is 1 + 2?", "The answer is 3.", "Verdict")
    assert (task.merit(right=True), task.lead()) == (merit, lead)
