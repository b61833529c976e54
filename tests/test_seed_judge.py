"""`selfreward seed-judge`: what it leaves and prints, nothing made twice, a policy that a run starts from."""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts.runs import read_run
from selfreward.backends.base import Answer, TextScore
from selfreward.backends.scripted import ScriptedBackend
from selfreward.commands.seed_judge import GROUP
from selfreward.config import SeedJudgeConfig, validate, validate_as
from selfreward.data.models import HfModel, start_policy
from selfreward.judges.reply import read_score
from selfreward.judges.rubric import RubricSpec
from selfreward.judges.scale import Scale
from selfreward.records import Example
from selfreward.seeding.rankings import Ranking
from tests.support import Done, selfreward
from tests.tiny import make_tiny_policy

SCRIPTED = ["experiment=scripted", "data.human_pairs=40", "seed_judge.shard_prompts=8"]
OWN = [
    "experiment=scripted",
    "seed_judge.source=verifier",
    "seed_judge.reply=labelled",
    "rubric@seed_judge.rubric=right_or_wrong",
]


def seed_judge(*settings: str, cwd: Path) -> Done:
    return selfreward("seed-judge", *settings, cwd=cwd)


def seeded(folder: Path, run: str = "scripted") -> tuple[list[Ranking], list[Example], list[Example]]:
    """The rankings, the best answers and the verdicts of what was seeded."""
    (stages,) = read_run(folder / "runs" / run / "seed").iterations
    examples = list(stages["seed"].records(Example))
    answers = [example for example in examples if example.score is None]
    return list(stages["rankings"].records(Ranking)), answers, [one for one in examples if one.score is not None]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    folder = tmp_path_factory.mktemp("generated")
    return folder, seed_judge(*SCRIPTED, cwd=folder)


def shown(example: Example) -> str:
    """The answer that a verdict is about."""
    found = re.search(r"<answer>\n(.*)\n</answer>", example.messages[-1].content, re.DOTALL)
    assert found is not None
    return found[1]


def test_verdicts_rank_as_people_did_and_best_answers_are_learned(generated: tuple[Path, Done]) -> None:
    folder, done = generated
    assert done.returncode == 0, done.stderr
    rankings, answers, verdicts = seeded(folder)
    assert [one.text for one in answers] == [ranking.answers[0].text for ranking in rankings]
    assert {one.origin for one in answers} == {"human"}
    assert {one.origin for one in verdicts} == {"self"}
    by_prompt: dict[str, dict[str, list[float]]] = {}
    for verdict in verdicts:
        assert verdict.score == read_score(verdict.text, "Score", Scale(lowest=0, highest=5))
        by_prompt.setdefault(verdict.prompt_id, {}).setdefault(shown(verdict), []).append(verdict.score)
    for ranking in rankings:
        scores = by_prompt.get(ranking.prompt.id, {})
        best, worst = (answer.text for answer in ranking.answers)
        if len(scores) == 2:
            assert min(scores[best]) > max(scores[worst])
    assert len(by_prompt) > 30


def test_every_count_is_printed_with_what_it_is_out_of(generated: tuple[Path, Done]) -> None:
    _, done = generated
    lines = done.stdout.splitlines()
    assert lines[0] == "rankings (pairs): 40 of 40 prompts, with 80 answers"
    assert re.fullmatch(
        r"replies: 640 of 640 state a score, 0 were cut; one on each answer, \d+ of 320 rank as people did", lines[1]
    )
    assert re.fullmatch(r"kept: (\d+) replies that agree, on \d+ of 40 prompts", lines[2])
    assert re.search(r"down-sampled: (\d: \d+ of \d+(, )?)+$", lines[3])
    assert re.fullmatch(r"examples: 40 best answers \(IFT\), \d+ verdicts \(EFT\)", lines[4])
    assert lines[-1] == "seeded policy: runs/scripted/seed/iter-000/update/model"


def test_again_it_makes_nothing(generated: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, first = generated
    monkeypatch.setattr(ScriptedBackend, "generate", None)
    again = seed_judge(*SCRIPTED, cwd=folder)
    assert again.stdout == first.stdout
    assert not re.search(r"^(rankings|replies|seed|update) ", again.stderr, re.MULTILINE)


def test_another_choice_draws_nothing_again(generated: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = generated
    monkeypatch.setattr(ScriptedBackend, "generate", None)
    done = seed_judge(*SCRIPTED, "seed_judge.keep=1", "run=fewer", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(seeded(folder, "fewer")[2]) < len(seeded(folder)[2])


def test_killed_it_goes_on_at_the_shard_and_ends_with_the_same_bytes(
    generated: tuple[Path, Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, calls = ScriptedBackend.generate, []

    def dies(self: ScriptedBackend, prompts: Sequence[Any], *rest: Any) -> Any:
        calls.append(len(prompts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return draw(self, prompts, *rest)

    monkeypatch.setattr(ScriptedBackend, "generate", dies)
    assert seed_judge(*SCRIPTED, cwd=tmp_path).returncode == 130
    assert seed_judge(*SCRIPTED, cwd=tmp_path).returncode == 0
    assert calls == [16] * 6, "five shards, the third of them twice"
    folder, _ = generated
    assert seeded(tmp_path) == seeded(folder)


def test_a_policys_own_answers_are_labelled_by_the_references(tmp_path: Path) -> None:
    done = seed_judge(*OWN, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rankings, answers, verdicts = seeded(tmp_path)
    right = {(ranking.prompt.id, one.text) for ranking in rankings for one in ranking.answers if one.place}
    assert {one.text for one in verdicts} == {"0", "2"}
    assert all((one.text == "2") == ((one.prompt_id, shown(one)) in right) for one in verdicts)
    assert sum(one.text == "2" for one in verdicts) == len(verdicts) / 2
    assert {(one.prompt_id, one.text) for one in answers} <= right
    asked = [one.messages[-1].content for one in verdicts]
    assert all(one.startswith("Reply with the score") and one.endswith("\n\nScore:") for one in asked)
    assert "nothing to compare with 24" in done.stdout


def test_a_run_finds_the_candidates_of_its_seeding_made(tmp_path: Path) -> None:
    small = [f"data.{role}={n}" for role, n in (("train_closed", 12), ("train_open", 0), ("held_out_closed", 6))]
    assert seed_judge(*OWN, *small, cwd=tmp_path).returncode == 0
    done = selfreward("run", OWN[0], *small, "mix.min_rows=1", "loop.iterations=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^judge ", done.stderr, re.MULTILINE)
    assert not re.search(r"^sample ", done.stderr, re.MULTILINE)


def own_files(folder: Path, **roles: list[dict[str, Any]]) -> list[str]:
    settings = ["data=files", "data.system=''", "mix.real_share=0"]
    for role, rows in roles.items():
        path = folder / f"{role}.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        settings.append(f"data.{role}={path}")
    return settings


PEOPLE = [
    {"prompt": "Name a sea.", "answers": ["The Baltic.", "A lake.", "Bread."], "ratings": [5, 2, 1]},
    {"prompt": "Name a metal.", "chosen": "Iron.", "rejected": "Glass."},
    {"prompt": "Name a tree.", "chosen": "An oak.", "rejected": "A rock."},
    {"prompt": "How do whales sleep?", "chosen": "With half a brain.", "rejected": "Never."},
    {"prompt": "When do owls hunt?", "chosen": "At night.", "rejected": "At noon."},
    {"prompt": "Boil water", "chosen": "Heat it.", "rejected": "Freeze it."},
    {"prompt": "Dry a shirt.", "chosen": "Hang it up.", "rejected": "Wet it."},
]
MEASURED = {
    "held_out": [{"prompt": "How do whales sleep?"}],
    "probe": [{"prompt": "When do owls hunt?"}],
    "gold_gate": [{"prompt": "Boil water", "right": "Heat it.", "wrong": "Freeze it."}],
    "gold_final": [{"prompt": "Dry a shirt.", "right": "Hang it up.", "wrong": "Wet it."}],
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[str]]:
    """A folder, settings of what `PEOPLE` ranked and what is measured, and settings to seed a random model."""
    folder = tmp_path_factory.mktemp("tiny")
    make_tiny_policy(folder / "tiny")
    train = [{"prompt": f"Why is stone {number} heavy?"} for number in range(4)]
    files = own_files(folder, train=train, human_pairs=PEOPLE, **MEASURED)
    training = ["update.max_tokens=2048", "update.top_layers=3", "update.learning_rate=1e-3"]
    return folder, files, ["model.path=tiny", "seed_judge.reply=labelled", *training]


@pytest.mark.slow
def test_a_random_model_learns_nothing_that_is_measured_and_a_run_starts_from_it(
    tiny: tuple[Path, list[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, files, settings = tiny
    done = seed_judge(*files, *settings, cwd=folder)
    assert done.returncode == 0, done.stderr
    rankings, answers, verdicts = seeded(folder, "default")
    assert [ranking.prompt.messages[-1].content for ranking in rankings] == [row["prompt"] for row in PEOPLE[:3]]
    assert [one.text for one in answers] == ["The Baltic.", "Iron.", "An oak."]
    told = json.dumps([[turn.content for turn in one.messages] for one in (*answers, *verdicts)])
    assert not [row["prompt"] for rows in MEASURED.values() for row in rows if row["prompt"] in told]
    assert [(shown(one), one.text) for one in verdicts if one.prompt_id == rankings[0].prompt.id] == [
        ("The Baltic.", "5"),
        ("A lake.", "2"),
        ("Bread.", "0"),
    ]
    assert "trained on 10 of 10, 0 longer than update.max_tokens=2048" in done.stdout
    said, _, command = done.stdout.splitlines()[-1].partition(": selfreward run ")
    assert said == "start a run from it"
    config = validate(compose([*files, *command.split()]))
    assert isinstance(config.judge, RubricSpec)
    assert config.judge.method == "expected"
    monkeypatch.chdir(folder)
    policy = start_policy(config.model, folder / "store")
    assert policy.digest != start_policy(HfModel(path=folder / "tiny"), folder / "store").digest
    with config.backend.open(policy) as backend:
        (score,) = backend.score([Answer(messages=answers[1].messages, text="Iron.")], lambda _: None)
    assert isinstance(score, TextScore)


def test_rows_that_are_too_long_are_told(tiny: tuple[Path, list[str], list[str]]) -> None:
    folder, files, settings = tiny
    done = seed_judge(*files, *settings, "update.max_tokens=100", "run=short", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "trained on 3 of 10, 7 longer than update.max_tokens=100: judge prompts are long, raise it" in done.stdout


@pytest.mark.parametrize(
    ("settings", "status", "told"),
    [
        (["experiment=scripted"], 2, "give data.human_pairs a file, or set seed_judge.source=verifier"),
        ([*SCRIPTED, "seed_judge.keep=0"], 2, "seed_judge.keep=0: Input should be greater than 0"),
        ([*SCRIPTED, "seed_judge.rubric.in_doubt=9"], 2, "seed_judge.rubric: in_doubt=9 is not on the scale"),
        (
            [*SCRIPTED, "prompts=magpie"],
            2,
            "prompts=magpie: seed-judge asks training prompts alone, set prompts=default",
        ),
        (["update=dpo", "select=preference_pairs"], 2, "set update=rft select=best_of_k"),
        ([*SCRIPTED, "backend.unparsed_share=1"], 3, "640 drawn): raise seed_judge.repeats"),
        (["experiment=scripted", *OWN, "model.skill=0.99", "data.train_closed=1"], 3, "raise sample.k"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    tmp_path: Path, settings: list[str], status: int, told: str
) -> None:
    done = seed_judge(*settings, cwd=tmp_path)
    assert done.returncode == status
    assert told in next(line for line in done.stderr.splitlines() if line.startswith("selfreward:"))


def test_every_command_of_the_documentation_composes() -> None:
    root = Path(__file__).parent.parent
    pages = ("README.md", "docs/judges.md", "docs/self-rewarding.md")
    text = "".join((root / page).read_text() for page in pages).replace("\\\n", " ")
    commands = re.findall(r"^ {4}selfreward seed-judge (.*)$", text, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        validate_as(SeedJudgeConfig, compose([GROUP, *shlex.split(command)]))
