"""New prompts: what is planted in a writer's replies is caught by name, and everything that is kept has its origin."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.runs import RunView
from selfreward.backends.base import Advance, Backend, Completion, Request
from selfreward.backends.scripted import ScriptedSpec
from selfreward.backends.scripted_policy import ScriptedState, write_state
from selfreward.errors import DataError, StarvedLoop
from selfreward.policies import Policy
from selfreward.reading.metrics import metrics_of_run
from selfreward.reading.written_prompts import stories_of
from selfreward.records import Example, GoldPair, Message, Prompt, RowPrompt, make_prompt
from selfreward.report.page import render
from selfreward.stages.prompts import prompts, written_of
from selfreward.writing.rows import OwnPrompt, WrittenPrompt
from selfreward.writing.settings import AnyWriter, Magpie, SelfInstruct
from tests.explained import shown
from tests.golden import NEW_PROMPTS
from tests.stages.tables import artifact
from tests.support import Silent, run_scripted
from tests.test_docs import documented_names

WRITES = ("prompts=self_instruct", "prompts.budget=24", "prompts.batch=8", "loop.iterations=2")
FAULTS = ("backend.malformed_share=0.1", "backend.repeated_share=0.2")
SYSTEM = "Be brief."


def asking(*texts: str) -> list[Prompt]:
    return [make_prompt(one, system=SYSTEM, stratum="open", source="test") for one in texts]


TRAIN = asking("What is the capital of France?", "How do I boil an egg?", "Name three uses of a paper clip.")
HELD_OUT = asking("Who painted the ceiling of the Sistine Chapel?", "What is the capital of Spain?")
PROBE = asking("Describe the smell of rain on a warm street.")
GOLD = GoldPair(
    id="g",
    messages=(Message(role="user", content="Why do cats purr when somebody strokes them?"),),
    right="a",
    wrong="b",
    source="test",
)

# What a planted writer replies, each with the fates of what is found in it.
PLANTED: Sequence[tuple[str, Sequence[tuple[str, str | None]]]] = [
    (
        "<request>What is the capital of Portugal?</request><request>What's the capital of France, please?</request>",
        [("kept", None), ("near_duplicate", "train")],
    ),
    ("I would rather not number anything.", [("form", "unmarked")]),
    ("", [("form", "empty")]),
    ("<request>Which tools does a baker need?</request>\n<request>Who", [("kept", None), ("form", "unclosed")]),
    (
        "1. Please tell me who painted the ceiling of the Sistine Chapel\n"
        "2. Describe the smell of rain on a warm street",
        [("overlap", "held_out"), ("overlap", "probe")],
    ),
    (
        "<request>Why do cats purr when somebody strokes them?</request><request>Was ist die Hauptstadt von Japan?"
        "</request><request>Sing!</request><request>WHICH tools does a baker need</request>",
        [("overlap", "gold_gate"), ("language", None), ("length", "1 words"), ("near_duplicate", "new")],
    ),
    ("<request>What is the capital of Norway?</request>", [("kept", None)]),
    (f"<request>{'Tell me of rivers. ' * 40}</request>", [("length", "759 characters")]),
]


class Planted(Backend):
    """A writer that replies what is planted, in order and over again; it finds that pictures cannot be read."""

    def __init__(self, replies: Sequence[str]) -> None:
        super().__init__(ScriptedSpec(), Policy(path=Path("none"), key="w", digest="w"))
        self._replies, self.asked = replies, 0

    @property
    def identity(self) -> Mapping[str, str | int | float | bool]:
        return {"kind": "planted"}

    def why_unfit(self, messages: object, room: int = 1) -> None:
        return None

    def _generate(self, requests: Sequence[Request], advance: Advance) -> list[list[list[Completion]]]:
        return [
            [
                [self._reply(messages[-1].content if messages else "") for _ in range(one.sampling.k)]
                for messages in one.prompts
            ]
            for one in requests
        ]

    def _reply(self, asked: str) -> Completion:
        if '"yes" or "no"' in asked:
            return _completion("no" if "this picture" in asked else "Hm." if "baker" in asked else "yes")
        self.asked += 1
        return _completion(self._replies[(self.asked - 1) % len(self._replies)])


def _completion(text: str) -> Completion:
    return Completion(text=text, finish="stop", tokens=7, token_logprobs=None, prompt_tokens=9)


def ask(
    folder: Path, spec: AnyWriter, backend: Backend, previous: Artifact | None = None, train: Sequence[Prompt] = TRAIN
) -> Artifact:
    """What the stage makes of a writer; the rows of every role are those above."""
    measured = {"held_out": HELD_OUT, "probe": PROBE, "target": []}
    gold = {"gold_gate": [GOLD], "gold_final": []}
    return Store(folder, Silent()).run(
        prompts,
        spec,
        seed=1,
        backend=backend,
        writer=Policy(path=folder, key="w", digest="w"),
        train=artifact(folder, f"train {len(train)}", {"rows": (Prompt, train)}),
        human=artifact(folder, "human", {"rows": (Example, [])}),
        previous=previous,
        training=None,
        **{role: artifact(folder, role, {"rows": (Prompt, rows)}) for role, rows in measured.items()},
        **{role: artifact(folder, role, {"rows": (GoldPair, rows)}) for role, rows in gold.items()},
    )


def drafts(made: Artifact) -> list[WrittenPrompt]:
    return list(made.records(WrittenPrompt, "written"))


def test_what_is_planted_is_caught_by_the_filter_that_it_was_planted_for(tmp_path: Path) -> None:
    spec = SelfInstruct(budget=50, max_draws=len(PLANTED), batch=3)
    made = ask(tmp_path, spec, Planted([text for text, _ in PLANTED]))
    assert [(one.fate, one.why) for one in drafts(made)] == [fate for _, fates in PLANTED for fate in fates]
    written = written_of(made)
    assert written is not None
    found = written.report
    assert (found.kept, found.drafts, found.replies) == (3, 14, 8)
    assert found.left_out == {"form": 3, "language": 1, "length": 2, "near_duplicate": 2, "overlap": 3}
    assert found.kept + found.over_budget + sum(found.left_out.values()) == found.drafts
    assert found.faults == {"empty": 1, "unclosed": 1, "unmarked": 1}
    assert found.overlaps == {"gold_gate": 1, "held_out": 1, "probe": 1}
    assert found.told.startswith("3 of the 50 asked for (prompts.budget), from 8 of at most 8 replies with 14 drafts")
    assert made.tokens == 8 * 7, "each reply counts once"


def test_what_asks_the_same_is_named_and_what_came_before_the_filter_is_told(tmp_path: Path) -> None:
    made = ask(tmp_path, SelfInstruct(budget=50, max_draws=len(PLANTED)), Planted([text for text, _ in PLANTED]))
    by_text = {one.text: one for one in drafts(made)}
    paraphrase = by_text["Please tell me who painted the ceiling of the Sistine Chapel"]
    assert paraphrase.other_id == HELD_OUT[0].id
    assert paraphrase.similarity is not None and paraphrase.similarity >= 0.8
    assert paraphrase.passed == ("form", "language", "length", "near_duplicate")
    kept = by_text["What is the capital of Norway?"]
    assert kept.passed == ("form", "language", "length", "near_duplicate", "overlap")
    assert set(kept.examples) == {one.id for one in TRAIN}
    asked = list(made.records(Prompt))
    (new,) = [one for one in asked if one.id == kept.id]
    assert (new.stratum, new.references, new.match, new.source) == ("open", (), None, "written/self_instruct")
    assert [one.role for one in new.messages] == ["system", "user"]
    assert new.messages[0].content == SYSTEM


def test_what_cannot_be_answered_is_left_out_last_and_no_verdict_is_none(tmp_path: Path) -> None:
    text = "<request>What does this picture show?</request><request>Which tools does a baker need?</request>"
    spec = SelfInstruct(budget=5, max_draws=2, batch=1, answerable=True)
    made = ask(tmp_path, spec, Planted([text]))
    assert [(one.fate, one.why) for one in drafts(made)] == [
        ("answerable", None),
        ("kept", "unread"),
        ("near_duplicate", "new"),
        ("near_duplicate", "new"),
    ]
    written = written_of(made)
    assert written is not None
    assert (written.report.left_out["answerable"], written.report.unread) == (1, 1)


def test_a_budget_ends_the_writing_and_what_is_over_it_is_told(tmp_path: Path) -> None:
    text = "".join(f"<request>What is {number} + 7?</request>" for number in range(6))
    writer = Planted([text])
    made = ask(tmp_path, SelfInstruct(budget=4, max_draws=100, batch=1), writer)
    assert [one.fate for one in drafts(made)] == ["kept"] * 4 + ["over_budget"] * 2
    assert writer.asked == 1


def test_a_budget_that_cannot_be_reached_ends_too(tmp_path: Path) -> None:
    writer = Planted(["<request>What is 3 + 7?</request>"])
    made = ask(tmp_path, SelfInstruct(budget=4, max_draws=30, batch=8), writer)
    written = written_of(made)
    assert written is not None
    assert (written.report.kept, written.report.replies, writer.asked) == (1, 30, 30)


def test_a_writer_of_nothing_useful_starves_a_round_of_new_prompts_alone(tmp_path: Path) -> None:
    useless = Planted(["Nothing comes to mind."])
    with pytest.raises(StarvedLoop, match=r"no prompt to ask in round 0: prompts\.share=1 .*form 6.*Set"):
        ask(tmp_path, SelfInstruct(budget=4, max_draws=6, share=1), useless)
    made = ask(tmp_path, SelfInstruct(budget=3, max_draws=6, share=0.5), useless)
    assert [one.id for one in made.records(Prompt)] == [one.id for one in TRAIN]
    written = written_of(made)
    assert written is not None
    assert (written.report.kept, written.likeness) == (0, None)


def test_examples_are_training_prompts_of_one_turn(tmp_path: Path) -> None:
    turns = [Message(role=role, content=role) for role in ("user", "assistant", "user")]  # type: ignore[arg-type]
    talk = make_prompt(turns, system="", stratum="open", source="test")
    with pytest.raises(DataError, match=r"^prompts=self_instruct shows training prompts of one turn.* prompts=magpie"):
        ask(tmp_path, SelfInstruct(), Planted(["x"]), train=[talk])


@pytest.mark.parametrize(("share", "training"), [(1.0, 0), (0.5, 2), (0.4, 3), (0.1, 3), (None, 3)])
def test_the_share_says_how_many_training_prompts_are_asked(share: float | None, training: int, tmp_path: Path) -> None:
    text = "<request>What is 3 + 7?</request><request>Which tools does a baker need?</request>"
    made = ask(tmp_path, SelfInstruct(budget=2, share=share), Planted([text]))
    asked = [one.source for one in made.records(Prompt)]
    assert asked == ["test"] * training + ["written/self_instruct"] * 2


def test_later_rounds_show_what_earlier_ones_kept_and_do_not_repeat_it(tmp_path: Path) -> None:
    first = ask(tmp_path, SelfInstruct(budget=2, own_examples=2), Planted(["1. Which tools does a baker need?"]))
    writer = Planted(
        ["1. What tools would a baker need?", "1. Which tools does a baker need?", "1. How tall is a giraffe?"]
    )
    spec = SelfInstruct(budget=1, max_draws=9, batch=1, own_examples=2)
    second = ask(tmp_path, spec, writer, previous=first)
    own = [one.text for one in second.records(OwnPrompt, "own")]
    assert own == ["Which tools does a baker need?", "How tall is a giraffe?"]
    rows = drafts(second)
    assert {one.round for one in rows} == {1}
    assert all(next(first.records(OwnPrompt, "own")).id in one.examples for one in rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    reporter = Silent()
    return run_scripted(tmp_path_factory.mktemp("written"), *WRITES, *FAULTS, reporter=reporter)


def test_a_run_asks_samples_and_trains_on_new_prompts(made: RunView) -> None:
    for t, stages in enumerate(made.iterations[:2]):
        asked = {one.id: one for one in stages["prompts"].records(Prompt)}
        new = {one.id for one in drafts(stages["prompts"]) if one.fate == "kept"}
        assert len(new) == 24 and len(asked) == 48
        assert new <= asked.keys()
        trained = {one.prompt_id for one in stages["mix"].records(Example) if one.iteration == t}
        assert trained & new
    first, second = (stages["prompts"] for stages in made.iterations[:2])
    own = {one.id for one in first.records(OwnPrompt, "own")}
    assert any(own & set(one.examples) for one in drafts(second))
    assert len(list(second.records(OwnPrompt, "own"))) == 48


def test_what_a_round_writes_is_the_same_everywhere(made: RunView) -> None:
    asked = made.iterations[0]["prompts"]
    assert (asked.key, asked.digest) == NEW_PROMPTS, "raise the VERSION of stages/prompts.py, then tests/golden.py"


def test_metrics_page_and_explain_tell_of_them(made: RunView) -> None:
    rows = metrics_of_run(made)
    names = {name for row in rows for name in row if name.startswith("prompts/")}
    patterns = documented_names()
    assert [name for name in names if not any(one.fullmatch(name) for one in patterns)] == []
    assert (rows[0]["prompts/kept"], rows[0]["prompts/new_share"]) == (24, 0.5)
    assert rows[0]["prompts/left_out/form"] == rows[0]["prompts/fault/unmarked"] > 0  # type: ignore[operator]
    assert rows[0]["prompts/p_value"] is not None
    assert "New prompts" in render(made, None)
    by_fate = {one.fate: one for stages in made.iterations[:2] for one in drafts(stages["prompts"])}
    text = shown(made, by_fate["kept"].id)
    assert "Written by M0" in text and by_fate["kept"].text in text
    assert "passed     form, language, length, near duplicate, overlap" in text
    asked = {one.id for stages in made.iterations[:2] for one in stages["prompts"].records(Prompt)}
    (example, *_) = [one for one in by_fate["kept"].examples if one not in asked]
    assert "it is among the examples for new prompts" in shown(made, example)
    lost = by_fate["form"]
    assert "left out by the filter form (unmarked)" in shown(made, lost.id)
    assert lost in [one.draft for one in stories_of(made, lost.id)]


def test_the_log_tells_the_counts_and_a_budget_that_was_not_reached(tmp_path: Path) -> None:
    reporter = Silent()
    run_scripted(tmp_path, *WRITES, *FAULTS, "prompts.max_draws=3", "loop.iterations=1", reporter=reporter)
    told = "\n".join(reporter.lines)
    assert "new prompts (self_instruct): kept" in told
    assert "the budget was not reached" in told and "raise prompts.max_draws" in told
    assert "beside train at energy distance" in told


def test_training_prompts_alone_keep_their_keys_and_tell_nothing(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "loop.iterations=1")
    assert written_of(view.iterations[0]["prompts"]) is None
    assert not any(name.startswith("prompts/") for row in metrics_of_run(view) for name in row)


def test_a_user_turn_of_the_models_own_is_a_prompt_too(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "prompts=magpie", "prompts.budget=12", "prompts.share=1", "loop.iterations=1")
    stage = view.iterations[0]["prompts"]
    asked = list(stage.records(RowPrompt))
    assert len(asked) == 12 and {one.source for one in asked} == {"written/magpie"}
    assert {one.examples for one in drafts(stage)} == {()}


class Stopped(Exception):
    """The process is killed."""


def test_ended_in_the_middle_it_goes_on_to_the_same_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_state(tmp_path / "policy", ScriptedState(skill=0.3, modes=3.0))
    writer = Policy(path=tmp_path / "policy", key="w", digest="w")
    faults = ScriptedSpec(malformed_share=0.1, repeated_share=0.3)
    spec = SelfInstruct(budget=40, batch=3, max_draws=60)
    whole = ask(tmp_path / "whole", spec, faults.open(writer))
    calls = 0
    generate = Backend.generate_each

    def killed(self: Backend, *given: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise Stopped
        return generate(self, *given)  # type: ignore[arg-type]

    with monkeypatch.context() as here:
        here.setattr(Backend, "generate_each", killed)
        with pytest.raises(Stopped):
            ask(tmp_path / "killed", spec, faults.open(writer))
        calls = -100
        again = ask(tmp_path / "killed", spec, faults.open(writer))
    assert again.digest == whole.digest
    assert len({one.fate for one in drafts(whole)}) >= 3
    shards = next(one.shards for one in whole.manifest.tables if one.name == "written")
    assert shards > 4
    assert calls == -100 + shards - 3, "shards that were there were not drawn again"


@pytest.mark.slow
def test_a_thousand_new_prompts_have_their_origin(tmp_path: Path) -> None:
    write_state(tmp_path / "policy", ScriptedState(skill=0.3, modes=3.0))
    writer = Policy(path=tmp_path / "policy", key="w", digest="w")
    spec = SelfInstruct(budget=1000, max_draws=2000, batch=64, share=1)
    made = ask(tmp_path, spec, ScriptedSpec(malformed_share=0.05, repeated_share=0.1).open(writer))
    kept = {one.id: one for one in drafts(made) if one.fate == "kept"}
    asked = list(made.records(Prompt))
    assert len(kept) == len(asked) == 1000 and {one.id for one in asked} == kept.keys()
    known = kept.keys() | {one.id for one in TRAIN}
    for one in kept.values():
        assert one.examples and set(one.examples) <= known
        assert (one.writer_key, one.writer_digest, one.round) == ("w", "w", 0)
        assert one.passed == ("form", "language", "length", "near_duplicate", "overlap")


def test_a_round_of_user_turns_needs_no_example(tmp_path: Path) -> None:
    turns = [Message(role=role, content=role) for role in ("user", "assistant", "user")]  # type: ignore[arg-type]
    talk = make_prompt(turns, system="", stratum="open", source="test")
    made = ask(tmp_path, Magpie(budget=1), Planted(["Which tools does a baker need?"]), train=[talk])
    assert [one.text for one in made.records(OwnPrompt, "own")] == ["Which tools does a baker need?"]
