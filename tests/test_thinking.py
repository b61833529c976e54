"""A loop whose policy thinks before it answers: its figures are those of its answers, and its thoughts are kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from selfreward.artifacts.runs import RunView, read_run
from selfreward.backends.base import Completion, Request
from selfreward.backends.candidates import Decoding, draw_candidates
from selfreward.backends.scripted import ScriptedBackend
from selfreward.commands.explain import explanation_lines
from selfreward.metrics.sharpening import EvaluatedAnswer
from selfreward.policies import Policy
from selfreward.reading.chain import explain
from selfreward.records import Candidate, Example, Judgment, PreferencePair, digest_of
from selfreward.report.page import render
from selfreward.tracking import metrics_of_run
from tests.stages.tables import closed_prompt
from tests.support import Silent, run_scripted, scripted_config, selfreward

SMALL = ("data.train_closed=24", "data.train_open=8", "data.human=60", "loop.iterations=2")
TAG = "<img src=x onerror=alert(1)>"


@contextmanager
def thinking(*, cut_share: float = 0.0, silent_share: float = 0.0) -> Iterator[None]:
    """The scripted policy thinks, three times as long as it answers.

    A share of its replies is cut in the thought, another share ends behind the thought without an answer.
    """
    draw = ScriptedBackend._completion

    def think(self: ScriptedBackend, question: str, text: str, logprob: float, luck: list[float]) -> Completion:
        one = draw(self, question, text, logprob, luck)
        assert one.token_logprobs is not None
        filling = f"{one.text} {TAG} answer 7 {'hm ' * len(one.text)}"
        thought = f"<think>{filling[: 3 * len(one.text) - 15]}</think>"
        surely = (-0.25,) * (3 * one.tokens)
        if luck[0] < cut_share:
            return replace(
                one, thought=thought[:-8], text="", finish="length", tokens=len(surely), token_logprobs=surely
            )
        if luck[0] > 1 - silent_share:
            return replace(one, thought=thought, text="", finish="stop", tokens=len(surely), token_logprobs=surely)
        every = (*surely, *one.token_logprobs)
        return replace(one, thought=thought, tokens=len(every), token_logprobs=every)

    with patch.object(ScriptedBackend, "_completion", think):
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    with thinking(cut_share=0.2):
        return run_scripted(tmp_path_factory.mktemp("thinking"), *SMALL)


def figures(view: RunView) -> list[dict[str, Any]]:
    """The metrics that do not say what was spent, or that anything was thought."""
    rows = metrics_of_run(view)
    return [{name: row[name] for name in row if not name.startswith(("cost/", "sample/"))} for row in rows]


@pytest.mark.parametrize(
    "settings",
    [
        ("judge=verifier", "select.threshold=1"),
        ("judge=rubric", "select=preference_pairs", "select.length_tier=0.2", "prompts.human=4"),
        ("judge=rubric", "select.length_penalty=0.1", "duel=pairwise"),
    ],
    ids=["verifier", "pairs", "penalty"],
)
def test_a_policy_that_thinks_has_the_figures_of_one_that_says_the_same(
    tmp_path: Path, settings: tuple[str, ...]
) -> None:
    plain = run_scripted(tmp_path, *SMALL, *settings, "run=plain")
    with thinking():
        thoughtful = run_scripted(tmp_path / "thinking", *SMALL, *settings, "run=plain")
    assert figures(thoughtful) == figures(plain)
    told = metrics_of_run(thoughtful)[0]
    assert (told["sample/thought_share"], told["sample/thought_cut_share"]) == (1.0, 0.0)
    assert metrics_of_run(plain)[0]["sample/thought_share"] == 0.0
    assert told["cost/sample/tokens"] == 4 * metrics_of_run(plain)[0]["cost/sample/tokens"]


def test_thoughts_stay_with_their_answers(run: RunView) -> None:
    candidates = {one.id: one for one in run.iterations[0]["sample"].records(Candidate)}
    assert all(one.thought is not None and "<think>" not in one.text for one in candidates.values())
    for row in run.iterations[0]["mix"].records(Example):
        if row.candidate_id is None:
            assert row.thought is None
        else:
            drawn = candidates[row.candidate_id]
            assert (row.thought, row.text, row.tokens) == (drawn.thought, drawn.text, drawn.tokens)
    answers = list(run.iterations[0]["evaluate"].records(EvaluatedAnswer))
    assert all(one.thought is not None for one in answers)
    assert not any(one.right for one in answers if one.finish == "length" and not one.text)


def test_a_pair_keeps_both_thoughts(tmp_path: Path) -> None:
    with thinking():
        made = run_scripted(tmp_path, *SMALL, "select=preference_pairs", "prompts.human=4", "mix.real_share=0")
    selected = made.iterations[0]["select"]
    candidates = {one.id: one for one in made.iterations[0]["sample"].records(Candidate)}
    for pair in selected.records(PreferencePair, "pairs"):
        assert pair.chosen_id is not None and pair.rejected_id is not None
        assert pair.chosen_thought == candidates[pair.chosen_id].thought
        assert pair.rejected_thought == candidates[pair.rejected_id].thought
    human = list(selected.records(PreferencePair, "human_pairs"))
    assert human
    assert all(pair.chosen_thought is None and pair.rejected_thought is not None for pair in human)


def test_cut_thoughts_are_counted_and_no_right_answers(tmp_path: Path) -> None:
    """The thought repeats the right answer; cut inside it, the candidate has none."""
    reporter = Silent()
    with thinking(cut_share=0.2, silent_share=0.1):
        view = run_scripted(tmp_path, *SMALL, "judge=verifier", "loop.iterations=1", reporter=reporter)
    drawn = list(view.iterations[0]["sample"].records(Candidate))
    cut, silent = ([one for one in drawn if not one.text and one.finish == end] for end in ("length", "stop"))
    assert 0 < len(cut) < len(drawn) and silent
    row = metrics_of_run(view)[0]
    assert (row["sample/thoughts"], row["sample/thoughts_cut"]) == (len(drawn), len(cut))
    assert row["sample/thought_cut_share"] == len(cut) / len(drawn)
    assert (row["select/cut"], row["select/empty"]) == (len(cut), len(silent))
    scores = {one.candidate_ids[0]: one.score for one in view.iterations[0]["judge"].records(Judgment)}
    assert {scores[one.id] for one in cut} <= {0.0, None}
    assert (
        f"  {len(drawn)} of {len(drawn)} candidates think before they answer; {len(cut)} of {len(drawn)} were cut "
        "before an answer (raise sample.max_new_tokens)"
    ) in reporter.lines


def test_a_run_without_thoughts_says_nothing_of_them(tmp_path: Path) -> None:
    reporter = Silent()
    run_scripted(tmp_path, *SMALL, "loop.iterations=1", reporter=reporter)
    assert not any("think" in line for line in reporter.lines)


def test_a_judges_thought_is_kept_with_its_reply_and_read_as_no_verdict(tmp_path: Path) -> None:
    with thinking():
        view = run_scripted(tmp_path, *SMALL, "judge=rubric", "loop.iterations=1")
    raw = [one.raw for one in view.iterations[0]["judge"].records(Judgment)]
    assert all(one.startswith("<think>") and "</think>" in one for one in raw)
    assert view.iterations[0]["judge"].manifest.counts["scored"] == len(raw)


def test_a_policy_learns_to_judge_with_the_thoughts_of_its_replies(tmp_path: Path) -> None:
    with thinking():
        done = selfreward("seed-judge", "experiment=scripted", "data.human_pairs=20", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (stages,) = read_run(tmp_path / "runs/scripted/seed").iterations
    learned = list(stages["seed"].records(Example))
    verdicts = [one for one in learned if one.score is not None]
    assert verdicts
    assert all((one.thought or "").startswith("<think>") and "<think>" not in one.text for one in verdicts)
    assert all(one.thought is None for one in learned if one.origin == "human")


def test_a_policy_learns_its_own_right_answers_with_their_thoughts(tmp_path: Path) -> None:
    labelled = ["seed_judge.source=verifier", "seed_judge.reply=labelled", "rubric@seed_judge.rubric=right_or_wrong"]
    with thinking():
        done = selfreward("seed-judge", "experiment=scripted", *labelled, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (stages,) = read_run(tmp_path / "runs/scripted/seed").iterations
    learned = list(stages["seed"].records(Example))
    assert {one.thought is not None for one in learned if one.score is None} == {True}
    assert {one.thought for one in learned if one.score is not None} == {None}


def test_the_page_folds_a_thought_and_explain_tells_it_apart(run: RunView) -> None:
    config = scripted_config(*SMALL).model_dump_json()
    (run.folder / "config.json").write_text(config)
    html = render(run, None)
    assert "<details><summary>thought</summary>" in html
    assert "&lt;think&gt;" in html
    assert "<think>" not in html and TAG not in html
    row = next(one for one in run.iterations[0]["mix"].records(Example) if one.thought is not None)
    lines = list(explanation_lines(explain(run, row.id)))
    at = lines.index("  thought before answer")
    assert row.thought is not None and row.thought.split("\n")[0] in lines[at + 1]
    assert lines[lines.index("  answer") + 1].endswith(row.text)
    assert "     thought" in lines and "     answer" in lines


def test_a_thought_makes_another_candidate_and_none_changes_no_id() -> None:
    policy = Policy(path=Path("p"), key="p", digest="p")
    prompt = closed_prompt(2)

    def ids(thought: str | None) -> list[str]:
        class Draws:
            def generate_all(self, requests: list[Request], *_: object) -> list[list[list[Completion]]]:
                one = Completion(
                    text="4", finish="stop", tokens=1, token_logprobs=(-1.0,), prompt_tokens=1, thought=thought
                )
                return [[[one] for _ in request.prompts] for request in requests]

        backend: Any = Draws()
        drawn = draw_candidates(backend, policy, [prompt], Decoding(k=1), seed=7, advance=lambda _: None)
        return [one.id for one in drawn]

    assert ids(None) == [digest_of("candidate", prompt.id, "p", 7, 0, "4")]
    assert len({*ids(None), *ids("<think></think>"), *ids("<think>Two.</think>")}) == 3
