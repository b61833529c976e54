"""Two runs whose rows are explained, and what is asked of them."""

from collections.abc import Iterator

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.commands.explain import explanation_lines, main
from selfreward.reading.chain import explain
from selfreward.reading.prompt_rounds import PromptRound, explain_round
from selfreward.records import Example, Prompt
from tests.support import run_scripted

SMALL = ("data.train_closed=24", "data.train_open=8", "data.human=60", "evaluate.ladder=[0.4]", "loop.iterations=2")


def rows_of(view: RunView, iteration: int) -> list[Example]:
    return list(view.iterations[iteration]["mix"].records(Example))


def shown(view: RunView, asked: str, iteration: int | None = None) -> str:
    return "\n".join(explanation_lines(explain(view, asked, iteration)))


def told(view: RunView, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([view.name, "--runs", str(view.folder.parent), *arguments]) == 0
    return capsys.readouterr().out


def rounds(view: RunView) -> Iterator[tuple[int, PromptRound]]:
    for t, stages in enumerate(view.iterations):
        if "select" in stages:
            for prompt in stages["prompts"].records(Prompt):
                yield t, explain_round(view, t, prompt)


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """Rows stay over rounds, the start model judges, and faults of every kind take candidates out."""
    return run_scripted(
        tmp_path_factory.mktemp("examples"),
        *SMALL,
        "mix.data=accumulate",
        "mix.real_share=0.3",
        "judge.policy=initial",
        "sample.k=5",
        "select.threshold=-2",
        "backend.cut_share=0.15",
        "backend.refusal_share=0.1",
        "backend.unscored_share=0.15",
        "backend.unscored_outcome=refused",
    )


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """Pairs of the policy's own answers, of a person's over the policy's, and of two that people wrote."""
    return run_scripted(
        tmp_path_factory.mktemp("pairs"),
        *SMALL,
        "select=preference_pairs",
        "select.pairs=all",
        "select.per_prompt=2",
        "prompts.human=4",
        "data.human_pairs=20",
        "mix.real_share=0.2",
        "backend.cut_share=0.15",
    )
