"""Thousands of judgments by a server that misbehaves, and by one that dies: each is there once, or owed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from selfreward.errors import BackendError, StageError
from selfreward.records import Judgment
from tests.backends.fake_server import HANG, Act, Body, FakeServer, choice, error, reply, says
from tests.stages.judging_by_server import KEY, SHARD, judge_by_server

ROOT = Path(__file__).parent.parent.parent
CANARY = "sk-canary-0123456789"
PASSES = (
    error(429, "slow down"),
    error(429, "slow down", "Retry-After: 0.01"),
    error(500, "boom"),
    error(503, "busy"),
    Act(body=reply(choice("Score: 1")), cut=True),
    Act(body=b"<html>"),
    Act(body=reply()),
)
"""What is better the second time."""
STAYS = {
    100: (error(500, f"boom, {CANARY}"), "failed"),
    200: (Act(body=reply(choice("Score: 1"), choice("Score: 2"))), "failed"),
    300: (error(400, "This model's maximum context length is 8 tokens."), "truncated"),
    400: (error(400, "the content filter took it out"), "refused"),
    500: (says("I would say four."), "unparsed"),
}
"""What stays as it is, by the number of the row modulo 512."""


def number_in(body: Body) -> int:
    found = re.search(r"Answer (\d+)\.", body["messages"][-1]["content"])
    assert found is not None
    return int(found[1])


def misbehaves(body: Body, number: int) -> Act:
    row = number_in(body)
    if row % 512 in STAYS:
        return STAYS[row % 512][0]
    if number == 0 and 600 <= row < 616:
        return HANG
    if number < row % 3 and row % 10 < len(PASSES):
        return PASSES[row % 10]
    return says(f"Score: {row % 6}")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, CANARY)


def kill_when(server: FakeServer, requests: int, folder: Path, rows: int) -> None:
    """Judges in a process of its own, and kills it as the server has seen so many more requests."""
    wanted = len(server.asked) + requests
    command = [sys.executable, "-m", "tests.stages.judging_by_server", str(folder), server.url, str(rows)]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}) as child:
        while len(server.asked) < wanted and child.poll() is None:
            time.sleep(0.002)
        child.kill()
    assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("many", "kills"), [(1000, (700,)), pytest.param(5000, (1500, 2500), marks=pytest.mark.slow)], ids=str
)
def test_every_row_is_there_once_whatever_the_server_does_and_a_kill_loses_a_shard_at_most(
    tmp_path: Path, many: int, kills: tuple[int, ...]
) -> None:
    with FakeServer(plan=misbehaves) as server:
        for requests in kills:
            kill_when(server, requests, tmp_path, many)
        rows = list(judge_by_server(tmp_path, server.url, many).records(Judgment))
    assert len({one.candidate_ids for one in rows}) == len(rows) == many
    for row, one in enumerate(rows):
        outcome = STAYS[row % 512][1] if row % 512 in STAYS else "scored"
        assert one.outcome == outcome, one
        assert one.score == (row % 6 if outcome == "scored" else None)
        assert one.raw, "a reason stands where a score does not"
    # What each row costs where nobody is killed: what was asked beyond that was asked again.
    owed = Counter(map(number_in, server.asked))
    for row in range(many):
        owed[row] -= asks_of(row)
    assert sum(1 for row in owed if owed[row] > 0) <= len(kills) * SHARD
    assert {*server.keys} == {f"Bearer {CANARY}"}
    assert not any(CANARY in one.raw for one in rows)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def asks_of(row: int) -> int:
    """How often the server is asked about a row, in 4 tries."""
    if row % 512 in STAYS:
        return 4 if row % 512 == 100 else 1
    if 600 <= row < 616:
        return max(2, 1 + (row % 3 if row % 10 < len(PASSES) else 0))
    return 1 + (row % 3 if row % 10 < len(PASSES) else 0)


def test_failed_rows_above_the_share_are_owed_by_the_next_run_and_finished_shards_are_kept(tmp_path: Path) -> None:
    def breaks(body: Body, number: int) -> Act:
        broken = number_in(body) >= SHARD and number_in(body) % 7 == 0
        return error(400, "out of order") if broken else says("Score: 2")

    with FakeServer(plan=breaks) as server:
        with pytest.raises(StageError, match="of 250 judgments failed .400: out of order.*run the same command again"):
            judge_by_server(tmp_path, server.url, 2 * SHARD)
        before = Counter(map(number_in, server.asked))
        server.plan = lambda body, number: says("Score: 2")
        rows = list(judge_by_server(tmp_path, server.url, 2 * SHARD).records(Judgment))
    assert {one.outcome for one in rows} == {"scored"} and len(rows) == 2 * SHARD
    again = Counter(map(number_in, server.asked)) - before
    assert again == Counter(range(SHARD, 2 * SHARD))


def test_a_budget_ends_between_shards_and_the_next_command_goes_on(tmp_path: Path) -> None:
    with FakeServer(plan=lambda body, number: says("Score: 2")) as server:
        with pytest.raises(BackendError, match="budget.requests=300 does not allow 250 requests more: 250 requests"):
            judge_by_server(tmp_path, server.url, 2 * SHARD, budget={"requests": 300})
        judge_by_server(tmp_path, server.url, 2 * SHARD)
    assert Counter(map(number_in, server.asked)) == Counter(range(2 * SHARD))
