"""A judge that is a function of the user's own: what it is given, what it may return, and what it may do wrong."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.runs import RunView
from selfreward.config import validate
from selfreward.errors import ConfigError, StageError
from selfreward.judges.base import Means
from selfreward.judges.function import FunctionSpec
from selfreward.judges.judge_shard import judge_shard
from selfreward.records import Candidate, Judgment, Prompt, RowPrompt
from selfreward.stages.judge import judge
from tests.stages.tables import artifact, closed_prompt, drawn, open_prompt
from tests.support import Silent, run_scripted, selfreward

FIRST = closed_prompt(2)
SECOND = RowPrompt(
    **{field.name: getattr(open_prompt(1), field.name) for field in fields(Prompt)},
    columns=json.dumps({"level": 3, "tests": ["f(1)"]}),
)
ITEMS = [
    (FIRST, drawn(FIRST, 0, "It is 4.")),
    (FIRST, drawn(FIRST, 1, "It is 5.")),
    (SECOND, drawn(SECOND, 0, "A thing.")),
]


def spec(folder: Path, code: str, **settings: Any) -> FunctionSpec:
    path = folder / "rewards.py"
    path.write_text(code)
    return FunctionSpec.model_validate({"function": f"{path}:score", **settings})


def asked(folder: Path, code: str, **settings: Any) -> list[Judgment]:
    return spec(folder, code, **settings).build(Means()).ask(ITEMS, 0, lambda _: None)


def told(judgments: list[Judgment]) -> list[tuple[str, float | None]]:
    return [(one.outcome, one.score) for one in judgments]


def test_it_is_given_conversations_references_and_columns_as_trl_gives_them(tmp_path: Path) -> None:
    code = """
import json
def score(prompts, completions, references=None, **columns):
    print(json.dumps([prompts, completions, references, columns]))
    with open(PATH, "a") as file:
        file.write(json.dumps([prompts, completions, references, columns]) + "\\n")
    return [1, 2.5, True]
"""
    out = tmp_path / "given.jsonl"
    judgments = asked(tmp_path, code.replace("PATH", repr(str(out))))
    assert told(judgments) == [("scored", 1.0), ("scored", 2.5), ("scored", 1.0)]
    assert [one.candidate_ids[0] for one in judgments] == [candidate.id for _, candidate in ITEMS]
    (call,) = map(json.loads, out.read_text().splitlines())
    sum_, thing = ([{"role": "user", "content": one.messages[-1].content}] for one in (FIRST, SECOND))
    assert call[0] == [sum_, sum_, thing]
    assert call[1] == [[{"role": "assistant", "content": text}] for text in ("It is 4.", "It is 5.", "A thing.")]
    assert call[2] == [["4"], ["4"], []]
    assert call[3] == {"level": [None, None, 3], "tests": [None, None, ["f(1)"]]}


def test_a_function_of_trl_serves_as_it_is(tmp_path: Path) -> None:
    code = "def score(completions, **kwargs):\n    return [float(len(one[0]['content'])) for one in completions]\n"
    assert [one.score for one in asked(tmp_path, code)] == [8.0, 8.0, 8.0]


def test_prompts_come_with_all_their_answers_and_only_so_many_at_a_time(tmp_path: Path) -> None:
    code = "def score(completions):\n    return [len(completions)] * len(completions)\n"
    assert [one.score for one in asked(tmp_path, code, batch_prompts=1)] == [2, 2, 1]


def test_it_may_be_async_and_keeps_its_loop_between_calls(tmp_path: Path) -> None:
    code = """
import asyncio
LOOPS = set()
async def score(completions):
    await asyncio.sleep(0)
    LOOPS.add(asyncio.get_running_loop())
    return [len(LOOPS)] * len(completions)
"""
    assert [one.score for one in asked(tmp_path, code, batch_prompts=1)] == [1, 1, 1]


def test_what_is_no_finite_number_is_an_outcome_and_never_a_score(tmp_path: Path) -> None:
    for value, outcome, raw in [
        ("None", "unparsed", "the function gave no score"),
        ("float('nan')", "failed", "the function gave nan, no finite number"),
        ("-float('inf')", "failed", "gave -inf, no finite number"),
        ("10 ** 5000", "failed", "gave inf, no finite number"),
        ("'5'", "failed", "gave str '5', no finite number"),
        ("'\\x1b[31m5'", "failed", "no finite number"),
    ]:
        first = asked(tmp_path, f"def score(completions):\n    return [{value}, 1.0, 0.0]\n")[0]
        assert (first.outcome, first.score) == (outcome, None)
        assert raw in first.raw
        assert "\x1b" not in first.raw


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    code = "import numpy as np\ndef score(completions):\n    return np.arange(len(completions), dtype=np.float32)\n"
    assert [one.score for one in asked(tmp_path, code)] == [0.0, 1.0, 2.0]


def test_an_answer_that_it_raises_at_costs_that_answer_alone(tmp_path: Path) -> None:
    code = "def score(completions):\n    return [1 / (one[0]['content'] != 'It is 5.') for one in completions]\n"
    judgments = asked(tmp_path, code)
    assert told(judgments) == [("scored", 1.0), ("failed", None), ("scored", 1.0)]
    assert judgments[1].raw == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        ("[1.0]", "the function returned 1 values for 3 answers"),
        ("[1.0] * 9", "the function returned 9 values for 3 answers"),
        ("1.0", "the function returned a float for 3 answers"),
        ("None", "the function returned a NoneType for 3 answers"),
    ],
)
def test_a_wrong_number_of_scores_is_a_failure_of_all_that_were_asked_about(
    tmp_path: Path, returned: str, reason: str
) -> None:
    judgments = asked(tmp_path, f"def score(completions):\n    return {returned}\n")
    assert told(judgments) == [("failed", None)] * 3
    assert reason in judgments[0].raw


def test_a_function_that_always_raises_stops_the_stage(tmp_path: Path) -> None:
    function = spec(tmp_path, "def score(completions):\n    raise ValueError('no \\x1b[31mkey')\n")
    with pytest.raises(StageError, match=r"3 of 3 judgments failed \(ValueError: no key\).*judge\.max_failed_share"):
        judge_shard(function, function.build(Means()).ask, list(ITEMS), 0, lambda _: None)


def test_an_answer_is_not_asked_about_where_its_prompt_lacks_what_the_function_needs(tmp_path: Path) -> None:
    code = "def score(completions, tests, level=1):\n    return [len(one) for one in tests]\n"
    judgments = asked(tmp_path, code)
    assert told(judgments) == [("unparsed", None), ("unparsed", None), ("scored", 1.0)]
    assert judgments[0].raw == "the prompt has no tests"
    assert spec(tmp_path, code).wants == {"tests"}
    assert told(asked(tmp_path, "def score(completions, references):\n    return [1] * len(references)\n")) == [
        ("scored", 1.0),
        ("scored", 1.0),
        ("unparsed", None),
    ]


def test_a_column_that_it_needs_and_the_data_do_not_bring_is_named_before_anything_runs(tmp_path: Path) -> None:
    function = spec(tmp_path, "def score(completions, references, tests, level, hint=None): ...\n").function
    settings = ["experiment=scripted", "data=files", "mix.real_share=0", "judge=function", f"judge.function={function}"]
    with pytest.raises(
        ConfigError, match=r"rewards\.py:score needs tests, .*set data\.columns\.extra=\[level,tests\], or give"
    ):
        validate(compose([*settings, "data.train={path: train.jsonl, columns: {extra: level}}"]))
    config = validate(compose([*settings, "data.train=train.jsonl", "data.columns.extra=[tests,level]"]))
    assert config.judge.why_not_gold == f"{function} needs level, references, tests, and gold pairs have none"


def test_what_it_prints_is_none_of_our_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(
        tmp_path, "print('loading')\ndef score(completions):\n    print('hello')\n    return [1] * len(completions)\n"
    )
    printed = capsys.readouterr()
    assert printed.out == ""
    assert {"loading", "hello"} <= set(printed.err.split())


def made(folder: Path, function: FunctionSpec) -> Artifact:
    inputs = {
        "candidates": artifact(folder, "candidates", {"rows": (Candidate, [candidate for _, candidate in ITEMS])}),
        "prompts": artifact(folder, "prompts", {"rows": (Prompt, [FIRST, SECOND])}),
    }
    return Store(folder / "store", Silent()).run(judge, function, seed=7, policy=None, **inputs)


def test_its_content_counts_and_where_it_lies_does_not(tmp_path: Path) -> None:
    code = "def score(completions):\n    return [1.0] * len(completions)\n"
    keys = []
    for name, source in [("a", code), ("b", code), ("c", f"{code}# a remark\n")]:
        (tmp_path / name).mkdir()
        keys.append(made(tmp_path, spec(tmp_path / name, source)).key)
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("change", [lambda path: path.write_text("x = 1\n"), lambda path: path.unlink()])
def test_a_file_that_changes_during_a_run_leaves_nothing_under_the_old_key(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    function = spec(tmp_path, "def score(completions):\n    return [1.0] * len(completions)\n")
    change(function.function.path)
    with pytest.raises(StageError, match=r"rewards\.py was changed .*run the same command again"):
        made(tmp_path, function)
    assert not list((tmp_path / "store").glob("judge/*/manifest.json"))
    assert not list((tmp_path / "store").glob("judge/*/*.parquet"))


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ("rewards.py", "", r"should be a file and a function in it, as in judge\.function=rewards\.py:score"),
        ("none.py:score", "", r"none\.py cannot be read \(No such file or directory\): give the path"),
        ("rewards.py:scroe", "def score(): ...", r"rewards\.py has no function scroe; it has score: name another"),
        ("rewards.py:score", "def score(:", r"rewards\.py cannot be loaded \(SyntaxError: .*mend it"),
        ("rewards.py:score", "import nothing_of_ours", r"cannot be loaded \(ModuleNotFoundError: .*install what it"),
        ("rewards.py:score", "1 / 0", r"cannot be loaded \(ZeroDivisionError: division by zero\): mend it"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, code: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if code:
        Path("rewards.py").write_text(code)
    with pytest.raises(ConfigError, match=rf"^judge\.function={given}: .*{message}") as found:
        validate(compose(["experiment=scripted", "judge=function", f"judge.function={given}"]))
    assert "\n" not in str(found.value)


def test_a_function_that_is_not_named_is_asked_for(tmp_path: Path) -> None:
    done = selfreward("run", "experiment=scripted", "judge=function", cwd=tmp_path)
    assert done.returncode != 0
    assert "judge.function" in done.stderr


def looped(folder: Path, code: str) -> RunView:
    (folder / "rewards.py").write_text(code)
    settings = ("loop.iterations=1", "mix.real_share=0", "judge=function", f"judge.function={folder}/rewards.py:score")
    return run_scripted(folder, *settings, f"judge.max_failed_share={0.04 + len(code) / 1e5}")


def test_the_loop_runs_with_it_and_another_file_draws_nothing_again(tmp_path: Path) -> None:
    code = "def score(completions):\n    return [-len(one[0]['content']) for one in completions]\n"
    first = looped(tmp_path, code).iterations[0]
    scores = {one.candidate_ids[0]: one.score for one in first["judge"].records(Judgment)}
    assert scores == {one.id: -float(len(one.text)) for one in first["sample"].records(Candidate)}
    other = looped(tmp_path, code.replace("-len", "len")).iterations[0]
    assert other["sample"].key == first["sample"].key
    assert other["judge"].key != first["judge"].key


def test_a_function_that_needs_columns_judges_no_new_prompts(tmp_path: Path) -> None:
    (tmp_path / "rewards.py").write_text("def score(completions, tests):\n    return [0.0 for _ in completions]\n")
    settings = ["data=files", "data.train=t.jsonl", "data.columns.extra=[tests]", "mix.real_share=0"]
    judging = ["judge=function", f"judge.function={tmp_path}/rewards.py:score", "prompts=self_instruct"]
    with pytest.raises(ConfigError, match=r"needs columns of a prompt's row, and new prompts have none; set prompts="):
        validate(compose([*settings, *judging]))
