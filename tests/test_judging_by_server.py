"""Runs whose judges are servers: what is asked anew, what is written, what each part of a run may be judged by."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from selfreward.artifacts.runs import RunView
from selfreward.reading.metrics import metrics_of_round
from selfreward.reading.rounds import Round
from selfreward.records import Judgment
from selfreward.stages.judge import judged_of
from tests.backends.fake_server import FakeServer, listed, says
from tests.support import run_scripted, selfreward

CANARY = "sk-canary-0123456789"


def settings_of(server: FakeServer, name: str = "judge") -> tuple[str, ...]:
    engine = f"{name}.backend"
    return (
        f"{name}.policy=endpoint",
        f"+backend@{engine}=server",
        f"{engine}.model=judge",
        f"{engine}.urls=[{server.url}]",
        f"{engine}.key_env=JUDGE_KEY",
        f"{engine}.backoff=0.001",
    )


def run_judged(folder: Path, server: FakeServer, *overrides: str) -> RunView:
    return run_scripted(folder, "judge=rubric", "loop.iterations=1", *settings_of(server), *overrides)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", CANARY)


def written(folder: Path) -> str:
    """All that files hold, tables row by row."""
    found = []
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            found.append(str(pq.read_table(path).to_pylist()))
        elif path.is_file() and not path.is_symlink():
            found.append(path.read_bytes().decode(errors="replace"))
    return "\n".join(found)


def test_the_key_is_in_nothing_that_a_run_writes_though_the_server_echoes_it(tmp_path: Path) -> None:
    with FakeServer(plan=lambda body, number: says(f"Your key is {CANARY}.\nScore: 3")) as server:
        view = run_judged(tmp_path, server)
        done = selfreward("report", view.name, "--runs", str(tmp_path), cwd=tmp_path)
    assert {*server.keys} == {f"Bearer {CANARY}"}
    assert done.returncode == 0
    found = written(tmp_path)
    assert "Your key is [key]." in found and CANARY not in found + done.stdout + done.stderr


def test_a_server_may_move_and_what_it_said_is_not_asked_again_unless_its_revision_changes(tmp_path: Path) -> None:
    with FakeServer() as server, FakeServer() as moved:
        first = run_judged(tmp_path, server).iterations[0]["judge"]
        again = run_judged(tmp_path, moved, "judge.backend.concurrency=2", "run=moved").iterations[0]["judge"]
        assert again.key == first.key and not moved.asked
        newer = run_judged(tmp_path, moved, "judge.backend.revision=june", "run=newer").iterations[0]["judge"]
        assert newer.key != first.key and moved.asked
    engine = first.manifest.identity["engine"]
    assert isinstance(engine, dict) and engine["repeatable"] is False and engine["model"] == "judge"
    assert judged_of(first).outcomes == {"scored": judged_of(first).judgments}


def test_a_member_of_a_jury_may_be_a_server(tmp_path: Path) -> None:
    with FakeServer() as server:
        member = settings_of(server, "judge.members.rubric")
        judged = run_scripted(tmp_path, "judge=jury", "loop.iterations=1", *member).iterations[0]["judge"]
    engines = judged.manifest.identity["engines"]
    assert isinstance(engines, dict) and list(engines) == ["rubric"]
    assert server.asked


def test_the_judge_of_duels_may_be_a_server(tmp_path: Path) -> None:
    learns = ("model.skill=0.1", "loop.iterations=1", "judge=verifier", "select.threshold=1", "mix.real_share=0")
    with FakeServer(plan=lambda body, number: listed({"A": -0.2, "B": -2.0, "C": -3.0})) as server:
        asked = ("duel=pairwise", "duel.judge.method=probability", *settings_of(server, "duel.judge"))
        dueled = run_scripted(tmp_path, *learns, *asked).iterations[1]["duel"]
    engine = dueled.manifest.identity["engine"]
    assert isinstance(engine, dict) and engine["kind"] == "server"
    assert server.asked and all(body["top_logprobs"] == 20 for body in server.asked)


def test_a_run_draws_on_no_server(tmp_path: Path) -> None:
    done = selfreward("run", "backend=server", "backend.model=judge", f"store.runs={tmp_path}", cwd=tmp_path)
    assert done.returncode == 2
    assert "backend=server cannot hold the weights of a model folder" in done.stderr
    assert "set backend=hf or backend=vllm" in done.stderr


def test_what_a_served_judge_costs_is_in_the_metrics_and_on_the_page(tmp_path: Path) -> None:
    prices = ("judge.backend.price.prompt=1000000", "judge.backend.price.completion=2000000")
    with FakeServer() as server:
        view = run_judged(tmp_path, server, *prices)
        paid = selfreward("report", view.name, "--runs", str(tmp_path), cwd=tmp_path)
    judged, asked = Round(0, view.iterations[0], view.sources), view.iterations[0]["judge"].manifest.counts
    told = list(view.iterations[0]["judge"].records(Judgment))
    money = sum(one.usage.prompt_tokens + 2 * one.usage.completion_tokens for one in told)
    metrics = metrics_of_round(judged, None)
    assert money > 0
    assert metrics["cost/judge/money"] == asked["money"] == pytest.approx(money)
    assert metrics["judge/requests"] == asked["requests"] > 0
    assert metrics["judge/retries"] == metrics["judge/untold"] == 0
    assert "cost/sample/money" not in metrics
    assert paid.returncode == 0
    assert f"money {money:.3g}" in Path(paid.stdout.split()[-1]).read_text()
