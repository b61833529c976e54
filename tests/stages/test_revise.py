"""The stage revise: planted outcomes are found exactly, a kill changes nothing, and everybody reads its candidates."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.runs import Run, RunView, read_run
from selfreward.backends.base import Conversation, NotScored, Reply, Sampling
from selfreward.backends.scripted_reviser import ReviserFaults
from selfreward.commands.run import run
from selfreward.commands.verify import check_chain, check_links
from selfreward.config import validate
from selfreward.errors import ConfigError, StageError
from selfreward.judges.reviser import ReviseSpec
from selfreward.loop import run_loop
from selfreward.policies import Policy
from selfreward.records import Candidate, Example, Judgment, PreferencePair, Prompt
from selfreward.report.page import render
from selfreward.revisions import OUTCOMES, RevisedCandidate, Revision
from selfreward.selection.fates import Fate
from selfreward.stages import revise as revising
from selfreward.stages.revise import REVISER, STEPS, revise, revising_of
from selfreward.tracking import Tracker, metrics_of_run
from tests.backends.fake_server import Act, FakeServer, says
from tests.explained import shown
from tests.golden import REVISED
from tests.judges.made import ESSAY, no_room_for_essays, refuse_essays, reply
from tests.stages.tables import artifact, drawn, open_prompt
from tests.support import Silent, run_scripted, scripted_config, selfreward
from tests.test_judging_by_server import settings_of

SMALL = ("data.train_closed=24", "data.train_open=8", "data.human=60", "sample.shard_prompts=8", "loop.iterations=1")
FAULTY = (
    "revise=default",
    "revise.per_prompt=3",
    "revise.rounds=2",
    "backend.revising.unchanged=0.1",
    "backend.revising.empty=0.1",
    "backend.revising.refused=0.1",
    "backend.revising.cut=0.1",
    "backend.revising.escaped=0.1",
    "backend.revising.in_critique=0.5",
)
POLICY = Policy(path=Path("p"), key="digest", digest="digest")
REFUSAL = "I'm sorry, but I can't help with that."
_TASK = re.compile(r"<answer>\n(.*)\n</answer>.*between <(critique|revision)> and", re.DOTALL)


@cache
def spec_of(*overrides: str) -> ReviseSpec:
    spec = validate(compose(["revise=default", "revise.constitution.examples=[]", *overrides])).revise
    assert spec is not None
    return spec


@dataclass
class Planted:
    """A reviser that does with an answer what the answer's first words say: `critique cut` ends in the critique."""

    asked: list[Conversation] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    identity: Mapping[str, str] = field(default_factory=lambda: {"kind": "planted"})
    used: Mapping[str, int] = field(default_factory=dict)

    def generate_each(
        self, prompts: Sequence[Conversation], sampling: Sampling, seed: int, advance: Any
    ) -> list[Sequence[Reply]]:
        self.asked += prompts
        self.seeds.append(seed)
        return [[self._says(one[-1].content)] for one in prompts]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) + 1 for text in texts]

    def _says(self, message: str) -> Reply:
        found = _TASK.search(message)
        assert found is not None
        plan, part = found[1].split(".")[0], found[2]
        fault = plan.removeprefix("critique ")
        if part == "critique" and fault == plan:
            return reply("<critique>It could be better.</critique>")
        match fault:
            case "unchanged":
                return reply(f"<{part}>\n{found[1]}\n</{part}>")
            case "empty":
                return reply(f"<{part}> </{part}>")
            case "refused":
                return reply(REFUSAL)
            case "cut":
                return reply(f"<{part}>On and", "length")
            case "escaped":
                return reply(f"<{part}>Done.</{part}> Now do this:")
            case "failed":
                return NotScored(outcome="failed", reason="no connection")
            case _:
                return reply(f"<{part}>{found[1]}!</{part}>")


def revised(folder: Path, answers: Sequence[str], *overrides: str, reviser: Planted | None = None) -> Artifact:
    """What the stage makes of two prompts with these answers each."""
    prompts = [open_prompt(number) for number in (1, 2)]
    rows = [drawn(prompt, index, text) for prompt in prompts for index, text in enumerate(answers)]
    reviser = reviser or Planted()
    return Store(folder, Silent()).run(
        revise,
        spec_of("sample.k=20", f"revise.per_prompt={len(answers)}", *overrides),
        seed=5,
        backend=reviser,
        engines={REVISER: reviser},
        policy=POLICY,
        candidates=artifact(folder, f"candidates {len(answers)}", {"rows": (Candidate, rows)}),
        prompts=artifact(folder, "prompts", {"rows": (Prompt, prompts)}),
    )


PLANS = [*OUTCOMES, *(f"critique {name}" for name in OUTCOMES if name not in ("revised", "unchanged"))]


def test_planted_outcomes_are_found_exactly_and_the_counts_add_up(tmp_path: Path) -> None:
    made = revised(tmp_path, PLANS, "revise.max_failed_share=1")
    steps, rows = list(made.records(Revision, STEPS)), list(made.records(RevisedCandidate))
    assert [one.answer for one in steps] == PLANS * 2
    assert [one.outcome for one in steps] == [plan.split()[-1] for plan in PLANS] * 2
    assert [one.critique is None for one in steps] == [plan.startswith("critique") for plan in PLANS] * 2
    assert [one.revision_reply is None for one in steps] == [plan.startswith("critique") for plan in PLANS] * 2
    found = revising_of(made)
    assert found.attempts == sum(found.outcomes.values()) == len(PLANS) * 2 == found.answers
    assert found.outcomes == Counter(plan.split()[-1] for plan in PLANS * 2)
    assert found.in_critique == sum(plan.startswith("critique") for plan in PLANS) * 2
    assert found.revised == len(rows) - len(PLANS) * 2 == 2
    assert made.tokens == sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in steps) > 0


def test_a_revision_is_a_candidate_beside_its_original(tmp_path: Path) -> None:
    made = revised(tmp_path, ["revised. One", "unchanged", "revised. Two"], "revise.rounds=3")
    rows = list(made.records(RevisedCandidate))
    drawn_, revisions = ([one for one in rows if (one.revises is not None) == side] for side in (False, True))
    assert [one.index for one in rows] == [0, 0, 1, 2, 2] * 2
    originals = {one.id: one for one in drawn_}
    steps = list(made.records(Revision, STEPS))
    assert [one.round for one in steps] == [0, 1, 2] * 6
    for one in revisions:
        original = originals[one.revises or ""]
        chain = [step for step in steps if step.original_id == original.id]
        assert [step.answer for step in chain] == [original.text, f"{original.text}!", f"{original.text}!!"]
        assert (one.text, one.index, one.prompt_id) == (f"{original.text}!!!", original.index, original.prompt_id)
        assert (one.logprob, one.thought, one.finish) == (None, None, "stop")
        assert one.tokens == len(one.text.split()) + 1
        assert (one.policy_key, one.policy_digest, one.seed) == ("digest", "digest", chain[-1].revision_seed)
    assert len({one.id for one in rows}) == len(rows)
    names = spec_of().constitution.names()
    assert {one.principle for one in steps} <= set(names.values())
    assert len({one.principle for one in steps}) > 4
    assert len({(one.critique_seed, one.revision_seed) for one in steps}) == 3, "one pair of seeds a round and shard"


def test_only_the_first_answers_are_revised_and_by_the_principle_that_is_named(tmp_path: Path) -> None:
    reviser = Planted()
    made = revised(tmp_path, ["revised", "revised. Too", "revised. Three"], "revise.per_prompt=2", reviser=reviser)
    steps = list(made.records(Revision, STEPS))
    assert [one.index for one in steps] == [0, 1] * 2
    by = spec_of().constitution
    requests = {by.names()[one.id]: (one.critique, one.revision) for one in by.principles}
    for one, asked in zip([*steps, *steps], reviser.asked, strict=True):
        message = asked[-1].content
        request = requests[one.principle]["<critique>\n" in message]
        assert f"<request>\n{request}\n</request>" in message
        assert f"<answer>\n{one.answer}\n</answer>" in message


def test_failed_attempts_stop_the_stage_and_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        StageError, match=r"2 of 6 attempts to revise failed \(no connection\).*raise revise\.max_failed_share"
    ):
        revised(tmp_path, ["revised", "failed", "unchanged"], "revise.max_failed_share=0.3")
    assert (
        revising_of(revised(tmp_path, ["revised", "failed", "unchanged"], "revise.max_failed_share=0.4")).attempts == 6
    )


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_scripted(tmp_path_factory.mktemp("faulty"), *SMALL, *FAULTY, "select=revisions")


def test_the_scripted_reviser_does_what_is_planted_and_every_reader_has_its_candidates(faulty: RunView) -> None:
    stages = faulty.iterations[0]
    steps, rows = list(stages["revise"].records(Revision, STEPS)), list(stages["revise"].records(RevisedCandidate))
    sampled = list(stages["sample"].records(Candidate))
    assert [one.id for one in rows if one.revises is None] == [one.id for one in sampled]
    found = revising_of(stages["revise"])
    assert found.attempts == len(steps) == 32 * 3 * 2
    assert all(found.outcomes[name] for name in OUTCOMES if name != "failed")
    judged = [one.candidate_ids[0] for one in stages["judge"].records(Judgment)]
    assert judged == [one.id for one in rows]
    assert sorted(judged) == sorted(one.candidate_id for one in stages["select"].records(Fate, "fates"))
    told = {one.candidate_ids[0]: one.raw for one in stages["judge"].records(Judgment)}
    for one in rows:
        assert told[one.id] == ("sampling logprob" if one.revises is None else "scored logprob")
    own = [one for one in stages["mix"].records(Example) if one.origin == "self"]
    revisions = {one.id: one for one in rows if one.revises is not None}
    assert own and {one.candidate_id for one in own} <= revisions.keys()
    assert all(revisions[one.candidate_id or ""].text == one.text for one in own)
    check_links(faulty)
    check_chain(faulty)


def test_the_scripted_reviser_gives_what_it_always_gave(faulty: RunView) -> None:
    made = faulty.iterations[0]["revise"]
    assert (made.key, made.digest) == REVISED


def test_outcomes_are_told_with_their_denominators(faulty: RunView) -> None:
    row = metrics_of_run(faulty)[0]
    found = revising_of(faulty.iterations[0]["revise"])
    assert row["revise/attempts"] == 192 and row["revise/answers"] == 96
    assert {name: row[f"revise/{name}"] for name in OUTCOMES} == found.outcomes
    assert sum(row[f"revise/{name}_share"] for name in OUTCOMES) == pytest.approx(1)
    assert row["revise/answers_revised_share"] == found.revised / 96
    silent = Silent()
    Tracker(faulty.folder, silent)
    (faulty.folder / "metrics.jsonl").unlink()
    Tracker(faulty.folder, silent).iteration(0)
    line = next(line for line in silent.lines if "revised" in line)
    assert f"revised {found.revised} of 96 answers; of 192 attempts" in line
    assert all(f"{name} {number}" in line for name, number in found.outcomes.items() if number)


def test_explain_shows_the_chain_from_the_original_to_the_row(faulty: RunView) -> None:
    row = next(one for one in faulty.iterations[0]["mix"].records(Example) if one.origin == "self")
    for asked in (row.id, row.candidate_id or ""):
        told = shown(faulty, asked)
        assert " revised selected" in told
        assert re.search(
            r"revision 1: revised, principle helpful_honest_harmless@2:\w{16}/\w+, seeds \d+ and \d+", told
        )
        assert "│ The answer may be wrong: work it out again." in told
        assert "only revisions are trained on" in told
        assert "store/revise/" in told
    attempt = next(one for one in faulty.iterations[0]["revise"].records(Revision, STEPS) if one.outcome == "escaped")
    assert "revision 1: escaped" in shown(faulty, attempt.original_id)


def test_the_page_shows_original_critique_and_revision_escaped(faulty: RunView) -> None:
    page = render(faulty, None)
    section = page[page.index("What was revised") : page.index("The same prompts, policy by policy")]
    for title in ("original", "critique", "revision"):
        assert f'<p class="who">{title}</p>' in section
    assert "&lt;question&gt;" in section and "<question>" not in section
    assert "work it out again" not in render(faulty, None, texts=False)


class Killed(BaseException):
    """What no code of the package catches."""


@pytest.mark.parametrize("name", ["revise_answers", "_with_revisions"])
def test_killed_in_the_middle_it_ends_as_if_left_alone(
    name: str, faulty: RunView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = getattr(revising, name), []

    def dies(*given: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise Killed
        return whole(*given)

    settings = (*SMALL, *FAULTY, "select=revisions")
    config = scripted_config(*settings)
    monkeypatch.setattr(revising, name, dies)
    run = Run(tmp_path / config.run, Store(tmp_path / "store", Silent()), config.seed)
    with pytest.raises(Killed):
        run_loop(config, run, Tracker(run.folder, Silent()))
    again = run_scripted(tmp_path, *settings)
    assert len(calls) == 4 + 1, "four shards, and the one that was lost"
    assert {name: one.digest for name, one in again.artifacts()} == {
        name: one.digest for name, one in faulty.artifacts()
    }


def test_pairs_set_each_revision_over_its_original(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SMALL, "revise=default", "revise.per_prompt=4", "select=revision_pairs")
    stages = view.iterations[0]
    rows = {one.id: one for one in stages["revise"].records(RevisedCandidate)}
    pairs = [one for one in stages["mix"].records(PreferencePair, "pairs") if one.origin == "self"]
    assert pairs
    for one in pairs:
        assert rows[one.chosen_id or ""].revises == one.rejected_id
        assert (one.chosen, one.rejected) == (rows[one.chosen_id or ""].text, rows[one.rejected_id or ""].text)


def test_a_policy_that_stays_revises_in_every_round_and_the_others_change_nothing(tmp_path: Path) -> None:
    settings = [one for one in SMALL if "iterations" not in one]
    first, previous = (
        run_scripted(
            tmp_path,
            *settings,
            "loop.iterations=2",
            "mix.min_rows=1",
            "revise=default",
            "select=revisions",
            f"revise.policy={one}",
            f"run={one}",
        )
        for one in ("initial", "live")
    )
    start = first.iterations[0]["sample"].manifest.inputs["policy"].digest
    assert [stages["revise"].manifest.inputs["policy"].digest for stages in first.iterations[:2]] == [start] * 2
    assert previous.iterations[1]["revise"].manifest.inputs["policy"].digest != start
    assert first.iterations[0]["revise"].key == previous.iterations[0]["revise"].key
    told = shown(first, next(one.id for one in first.iterations[1]["revise"].records(RevisedCandidate) if one.revises))
    assert f"policy M0 {start}" in told


def test_the_command_that_the_docs_give_works(tmp_path: Path) -> None:
    small = [one for one in SMALL if not one.startswith("sample")]
    done = selfreward("run", "experiment=scripted", "revise=default", "select=revisions", *small, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"revised \d+ of 32 answers; of 32 attempts revised \d+, unchanged \d+; 0 ended in the crit", done.stderr
    )


@pytest.mark.parametrize(
    ("name", "without"), [("constitutional_sl", ()), ("constitutional_rl", ("~update.learning_rate",))]
)
def test_the_experiments_run_at_debug_size_on_a_script(name: str, without: Sequence[str], tmp_path: Path) -> None:
    parts = ("model", "backend", "data", "update")
    scripted = [*(f"{part}=scripted" for part in parts), "measure=hashing", "evaluate.ladder=[0.4]", *without]
    run(compose([f"experiment={name}", "size=debug", f"store.runs={tmp_path}", *scripted]))
    first, last = read_run(tmp_path / name).iterations
    assert first["update"].manifest.inputs["training"].digest == first["mix"].digest and "update" not in last
    if name == "constitutional_sl":
        assert 0 < first["select"].rows() <= revising_of(first["revise"]).revised
    else:
        principles = {one.principle for one in first["judge"].records(Judgment, "evidence")}
        assert len(principles) > 6


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["select=revisions"], r"select=revisions with revise=null: nothing is revised, set revise=default"),
        (["select=revision_pairs", "update=dpo"], r"select=revision_pairs with revise=null"),
        (["revise=default", "revise.per_prompt=5"], r"revise\.per_prompt=5 is more than sample\.k=4: .*sample\.k=5"),
        (["revise=default", "select=prompts", "update=grpo"], r"revise with select=prompts, .*: set revise=null"),
        (["revise=default", "revise.rounds=0"], r"revise\.rounds=0: .*greater than 0"),
        (["revise=default", "revise.policy=external"], r"revise\.policy=external .* needs revise\.path=<model folder>"),
        (["revise=default", "revise.path=/tmp"], r"revise\.policy=live with revise\.path=/tmp"),
        (["revise=default", "revise.policy=endpoint"], r"set revise\.policy=endpoint where the engine names"),
        (["revise=default", "revise.chat.date=2020-02-02"], r"revise\.chat goes with revise\.policy=external"),
        (
            ["revise=default", "+backend@revise.backend=scripted"],
            r"revise\.backend=scripted and a real model do not go together",
        ),
        (["revise=default", "select=revision_pairs"], r"update=rft with select=revision_pairs"),
        (["revise=default", "revise.max_new_tokens.critique=0"], r"revise\.max_new_tokens\.critique=0"),
        (
            ["revise=default", "judge=pairwise", "judge.budget=3"],
            r"judge\.budget=3 leaves .* judge\.budget to 4 or more",
        ),
        (["revise=default", "select=revisions", "prompts.human=4"], r"prompts\.human=4 with select=revisions"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_change(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        validate(compose(overrides))
    assert "\n" not in str(caught.value)


def test_planted_shares_are_shares_of_one() -> None:
    with pytest.raises(ValueError, match=r"the shares of faults add up to 1\.2: set them to 1 or less together"):
        ReviserFaults(empty=0.6, cut=0.6)


def test_a_server_revises_by_settings_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-reviser-0123456789")

    def plan(body: Any, number: int) -> Act:
        part = "revision" if "between <revision> and" in body["messages"][-1]["content"] else "critique"
        return says(f"<{part}>Ask somebody who was there.</{part}>")

    with FakeServer(plan=plan) as server:
        view = run_scripted(tmp_path, *SMALL, "revise=default", "select=revisions", *settings_of(server, "revise"))
    made = view.iterations[0]["revise"]
    assert revising_of(made).outcomes["revised"] == revising_of(made).attempts == 32
    assert made.manifest.counts["requests"] == len(server.keys) == 64
    own = [one for one in view.iterations[0]["mix"].records(Example) if one.origin == "self"]
    assert {one.text for one in own} == {"Ask somebody who was there."}
    assert "policy " in shown(view, own[0].id)
    assert "money" not in made.manifest.counts


def test_a_prompt_that_leaves_no_room_for_a_reply_is_cut_and_the_others_go_on(tmp_path: Path) -> None:
    @dataclass
    class Narrow(Planted):
        why_unfit = no_room_for_essays

        def generate_each(self, prompts: Sequence[Conversation], *given: Any) -> list[Sequence[Reply]]:
            refuse_essays(prompts)
            return super().generate_each(prompts, *given)

    made = revised(tmp_path, ["revised", ESSAY], reviser=Narrow())
    steps = list(made.records(Revision, STEPS))
    assert [one.outcome for one in steps] == ["revised", "cut"] * 2
    assert steps[1].critique_reply.startswith(
        "the prompt of the reviser: its 900 tokens leave no room for an answer of 96"
    )
