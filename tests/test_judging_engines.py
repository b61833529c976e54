"""Judges on engines of their own: what is shared with a run that has none, what counts in keys, what is refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts.artifact import Artifact
from selfreward.backends.base import NotScored, TextScore
from selfreward.backends.scripted import ScriptedBackend
from selfreward.config import validate
from selfreward.errors import ConfigError
from selfreward.policies import Endpoint
from selfreward.stages.judge import judged_of
from tests.support import run_scripted

OTHER = ("+backend@judge.backend=scripted", "judge.backend.unparsed_share=0.5")
JURY = ("judge=jury", "loop.iterations=1")
MEMBER = ("+backend@judge.members.rubric.backend=scripted", "judge.members.rubric.backend.unparsed_share=0.5")


def made(path: Path, *overrides: str) -> Mapping[str, Artifact]:
    """What the first iteration of a short run made, by stage."""
    return run_scripted(path, "judge=rubric", "loop.iterations=1", *overrides).iterations[0]


def test_a_judge_on_its_own_engine_shares_what_the_run_draws_and_says_what_its_engine_says(tmp_path: Path) -> None:
    plain, apart = made(tmp_path), made(tmp_path, "run=apart", *OTHER)
    assert apart["sample"].key == plain["sample"].key
    assert apart["judge"].key != plain["judge"].key
    assert judged_of(plain["judge"]).outcomes == {"scored": judged_of(plain["judge"]).judgments}
    assert judged_of(apart["judge"]).outcomes["unparsed"] > 0


def test_naming_the_engine_that_the_run_has_changes_no_key(tmp_path: Path) -> None:
    plain, named = made(tmp_path), made(tmp_path, "run=named", "+backend@judge.backend=scripted")
    assert {stage: one.key for stage, one in named.items()} == {stage: one.key for stage, one in plain.items()}


def test_the_engine_of_a_member_counts_under_its_name(tmp_path: Path) -> None:
    plain = run_scripted(tmp_path, *JURY).iterations[0]["judge"]
    apart = run_scripted(tmp_path, *JURY, *MEMBER, "run=apart").iterations[0]["judge"]
    assert "engines" not in plain.manifest.identity
    engines = apart.manifest.identity["engines"]
    assert isinstance(engines, dict)
    assert list(engines) == ["rubric"]
    assert apart.manifest.identity["engine"] == plain.manifest.identity["engine"]


def test_a_duel_may_be_judged_on_another_engine(tmp_path: Path) -> None:
    asked = (
        "duel=pairwise",
        "model.skill=0.1",
        "loop.iterations=1",
        "judge=verifier",
        "select.threshold=1",
        "mix.real_share=0",
    )
    plain = run_scripted(tmp_path, *asked).iterations[1]["duel"]
    other = ("+backend@duel.judge.backend=scripted", "duel.judge.backend.position_bias=1", "run=apart")
    apart = run_scripted(tmp_path, *asked, *other).iterations[1]["duel"]
    assert apart.key != plain.key
    assert apart.digest != plain.digest


def test_the_model_that_drew_is_freed_before_another_one_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    close, score = ScriptedBackend.close, ScriptedBackend._score

    def closed(backend: ScriptedBackend) -> None:
        log.append(f"freed {backend._policy.digest}")
        close(backend)

    def scored(backend: ScriptedBackend, *asked: Any) -> list[TextScore | NotScored]:
        log.append(f"asked {backend._policy.digest}")
        return score(backend, *asked)

    monkeypatch.setattr(ScriptedBackend, "close", closed)
    monkeypatch.setattr(ScriptedBackend, "_score", scored)
    view = run_scripted(tmp_path, "judge=likelihood", "judge.policy=initial", "loop.iterations=2")
    drew = view.iterations[0]["update"].digest
    judged = [line for line in log if line.startswith("asked")]
    initial = judged[0].removeprefix("asked ")
    assert drew != initial
    assert log.index(f"freed {drew}") < len(log) - 1 - log[::-1].index(f"asked {initial}")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            ["judge=likelihood", "judge.policy=endpoint"],
            r"judge\.policy=endpoint on backend=scripted: set judge\.policy=endpoint where the engine names the model",
        ),
        (
            ["judge=rubric", "+backend@judge.backend=hf"],
            r"judge\.backend=hf and model=scripted do not go together",
        ),
        (
            ["judge=pairwise", "sample.k=1", "select.k=1"],
            r"judge compares answers of a prompt, and there is one: draw 2 or more, sample\.k=2",
        ),
        (
            ["judge=rubric", "judge.constrained=true", "+backend@judge.backend=scripted"],
            r"cannot hold an answer to a pattern: set backend=vllm, or \+backend@judge\.backend=vllm, or "
            r"judge\.constrained=false",
        ),
        (
            ["duel=pairwise", "duel.judge.policy=live"],
            r"would change from round to round: set it to initial, external or endpoint",
        ),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_loaded(settings: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        validate(compose(["experiment=scripted", *settings]))


def test_an_endpoint_counts_by_its_model_and_declared_revision() -> None:
    one = Endpoint(model="m", revision=None)
    assert one.digest == Endpoint(model="m", revision=None).digest == one.key
    assert len({one.digest, Endpoint(model="m", revision="2").digest, Endpoint(model="n", revision=None).digest}) == 3
