"""An engine that gives other than what it was asked for: nothing of it is stored."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfreward.backends import ScriptedSpec
from selfreward.backends.base import Answer, Sampling
from selfreward.backends.scripted import ScriptedBackend
from selfreward.backends.scripted_policy import ScriptedState, write_state
from selfreward.errors import ConfigError, StageError
from selfreward.policies import Policy
from tests.support import run_scripted
from tests.tiny import ask

PROMPTS = [ask(f"What is {n} + 2?") for n in range(3)]
SAMPLING = Sampling(k=2, temperature=1.0, top_p=1.0, max_new_tokens=4)
Change = Callable[[Any], Any]

FAULTS: dict[str, tuple[str, Change]] = {
    "a request without a reply": ("generate", lambda replies: replies[:-1]),
    "a prompt without answers": ("generate", lambda replies: [drawn[:-1] for drawn in replies]),
    "a prompt too many": ("generate", lambda replies: [[*drawn, drawn[0]] for drawn in replies]),
    "an answer too few": ("generate", lambda replies: [[drawn[0][:-1], *drawn[1:]] for drawn in replies]),
    "an answer too many": (
        "generate",
        lambda replies: [[*drawn[:-1], [*drawn[-1], drawn[-1][0]]] for drawn in replies],
    ),
    "an answer that has no number": (
        "generate",
        lambda replies: [
            [[replace(drawn[0][0], token_logprobs=(float("nan"),)), *drawn[0][1:]], *drawn[1:]] for drawn in replies
        ],
    ),
    "a score too few": ("score", lambda scores: scores[1:]),
    "an option too few": ("score_options", lambda scores: [replace(one, logprobs=one.logprobs[1:]) for one in scores]),
    "a prompt without options": ("score_options", lambda scores: scores[1:]),
    "a count too few": ("count_tokens", lambda counts: counts[1:]),
}


def spoil(monkeypatch: pytest.MonkeyPatch, method: str, change: Change) -> None:
    whole = getattr(ScriptedBackend, f"_{method}")
    monkeypatch.setattr(ScriptedBackend, f"_{method}", lambda *given, **named: change(whole(*given, **named)))


@pytest.mark.parametrize("fault", FAULTS)
def test_results_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    write_state(tmp_path, ScriptedState(skill=0.3, modes=6.0))
    with ScriptedSpec().open(Policy(path=tmp_path, key="p", digest="p")) as opened:
        backend = opened.holding(Policy(path=tmp_path, key="q", digest="q"))
        calls: dict[str, Callable[[], Any]] = {
            "generate": lambda: backend.generate(PROMPTS, SAMPLING, 0, lambda _: None),
            "score": lambda: backend.score([Answer(messages=one, text="a") for one in PROMPTS], lambda _: None),
            "score_options": lambda: backend.score_options(PROMPTS, ["1", "2"], lambda _: None),
            "count_tokens": lambda: backend.count_tokens(["a", "b"]),
        }
        method, change = FAULTS[fault]
        assert calls[method]()
        spoil(monkeypatch, method, change)
        with pytest.raises(StageError, match=r"the engine \(scripted\) (gave|drew)"):
            calls[method]()


@pytest.mark.parametrize("fault", ["an answer too few", "a prompt without answers", "an answer that has no number"])
def test_a_faulty_engine_poisons_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    settings = ("loop.iterations=1", "sample.shard_prompts=8")
    whole = run_scripted(tmp_path / "whole", *settings)
    calls = 0

    def spoiled(replies: Any) -> Any:
        nonlocal calls
        calls += 1
        return replies if calls % 7 or not all(replies) else FAULTS[fault][1](replies)

    with monkeypatch.context() as patch:
        spoil(patch, "generate", spoiled)
        for _ in range(3):
            with pytest.raises(StageError, match="the engine"):
                run_scripted(tmp_path / "faulty", *settings)
    healed = run_scripted(tmp_path / "faulty", *settings)
    assert [one.digest for _, one in healed.artifacts()] == [one.digest for _, one in whole.artifacts()]


def test_answers_that_no_memory_holds_are_refused_before_they_are_drawn(tmp_path: Path) -> None:
    write_state(tmp_path, ScriptedState(skill=0.3, modes=6.0))
    with (
        ScriptedSpec().open(Policy(path=tmp_path, key="p", digest="p")) as backend,
        pytest.raises(ConfigError, match=r"k=1000000000 makes 3,000,000,000 answers to hold at once, .* or less"),
    ):
        backend.generate(PROMPTS, replace(SAMPLING, k=10**9), 0, print)
