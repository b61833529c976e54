"""A server that misbehaves: what comes of every request, and of the run."""

import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from selfreward.backends import ServerSpec
from selfreward.backends.base import Completion, NotScored, Sampling
from selfreward.backends.server_failures import seconds_of
from selfreward.errors import BackendError
from tests.backends.fake_server import HANG, Act, Body, FakeServer, choice, error, reply, says
from tests.backends.served import SAMPLING, ask, opened, prompts, text_of

CANARY = "sk-canary-0123456789"
Plan = Callable[[Body, int], Act]


def only(bad: Act, times: int = 10**9) -> Plan:
    """A plan that misbehaves to the one request that says bad, so many times."""
    return lambda body, number: bad if text_of(body) == "bad" and number < times else says("Score: 3")


def test_every_reply_is_a_request_with_a_seed_of_its_own_and_comes_in_its_place() -> None:
    def late_first(body: Body, number: int) -> Act:
        return Act(body=reply(choice(f"{text_of(body)} {body['seed']}")), delay=0.05 if text_of(body) == "0" else 0.0)

    names = ["0", "1", "2", "2"]
    twice = Sampling(k=2, temperature=0.7, top_p=0.9, max_new_tokens=8)
    with FakeServer(plan=late_first) as server:
        drawn = ask(server, *names, sampling=twice)
        again = ask(server, *names, sampling=twice)
        other = ask(server, *names, sampling=twice, seed=1)
    texts = [one.text for one in drawn if isinstance(one, Completion)]
    assert [text.split()[0] for text in texts] == ["0", "0", "1", "1", "2", "2", "2", "2"]
    seeds = {int(text.split()[1]) for text in texts}
    assert len(seeds) == 8 and all(0 <= seed < 2**31 for seed in seeds)
    assert again == drawn and other != drawn
    sent = server.asked[0]
    assert (sent["model"], sent["temperature"], sent["top_p"], sent["max_tokens"]) == ("judge", 0.7, 0.9, 8)


def test_settings_say_what_is_sent() -> None:
    with FakeServer() as server:
        ask(server, "a", send_seed=False, length_name="max_completion_tokens")
    assert "seed" not in server.asked[0] and "max_tokens" not in server.asked[0]
    assert server.asked[0]["max_completion_tokens"] == 8


def test_so_many_requests_are_under_way_at_once_and_no_more() -> None:
    with FakeServer(plan=lambda body, number: Act(body=reply(choice("x")), delay=0.02)) as server:
        ask(server, *map(str, range(24)), concurrency=4)
    assert server.most_at_once == 4


BAD = {
    "500": (error(500, "boom"), 3, "500: boom"),
    "429": (error(429, "slow down"), 3, "429: slow down"),
    "429 that asks to wait": (error(429, "slow down", "Retry-After: 0.01"), 3, "429: slow down"),
    "429 that asks to wait for hours": (error(429, "slow down", "Retry-After: 7200"), 1, r"asks to wait 7,200 s"),
    "hang": (HANG, 3, "no answer within timeout"),
    "cut body": (Act(body=reply(choice("Score: 3")), cut=True), 3, "no whole answer"),
    "wrong JSON": (Act(body=b"<html>\x1b[31mhello"), 3, "no JSON"),
    "another JSON": (Act(body=[1]), 3, "no JSON object"),
    "empty choices": (Act(body=reply()), 3, "holds no choice"),
    "more choices": (Act(body=reply(choice("a"), choice("b"))), 1, "2 choices where 1 was asked for"),
    "no usage": (Act(body={"choices": [choice("a")]}), 1, "tells no usage"),
    "an odd end": (says("a", "abort"), 3, "finish_reason 'abort'"),
    "no limit": (Act(body=reply(choice("a"), completion_tokens=9)), 1, "ignored max_tokens=8"),
    "400": (error(400, "no such parameter"), 1, "400: no such parameter"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_request_that_comes_to_nothing_is_a_row_with_its_reason(name: str) -> None:
    bad, tries, told = BAD[name]
    with FakeServer(plan=only(bad)) as server:
        good, row, more = ask(server, "good", "bad", "more", timeout=0.3)
    assert isinstance(good, Completion) and isinstance(more, Completion)
    assert isinstance(row, NotScored) and row.outcome == "failed" and re.search(told, row.reason), row
    assert row.reason.isprintable()
    assert Counter(map(text_of, server.asked)) == {"good": 1, "bad": tries, "more": 1}


@pytest.mark.parametrize("name", [name for name, (_, tries, _) in BAD.items() if tries > 1])
def test_what_passes_is_asked_again(name: str) -> None:
    with FakeServer(plan=only(BAD[name][0], times=2)) as server:
        assert all(isinstance(one, Completion) for one in ask(server, "good", "bad", timeout=0.3))
    assert Counter(map(text_of, server.asked))["bad"] == 3


def test_a_server_that_asks_to_wait_is_left_alone_for_so_long() -> None:
    times = []

    def plan(body: Body, number: int) -> Act:
        times.append(time.monotonic())
        return says("x") if number else error(429, "slow down", "Retry-After: 0.4")

    with FakeServer(plan=plan) as server:
        ask(server, "a")
    assert times[1] - times[0] >= 0.4


def test_dates_of_retry_after_are_read() -> None:
    assert seconds_of("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert seconds_of("12") == 12
    assert seconds_of("soon") is None and seconds_of("-1") is None and seconds_of(None) is None


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (error(400, "This model's maximum context length is 8 tokens. However, you requested 9."), "truncated"),
        (error(400, "x", code="context_length_exceeded"), "truncated"),
        (error(400, "The response was filtered by the content management policy", code="content_filter"), "refused"),
        (error(403, "your input was flagged"), "refused"),
        (says("", "content_filter"), "refused"),
        (
            Act(body=reply({"message": {"content": None, "refusal": "I can't help."}, "finish_reason": "stop"})),
            "refused",
        ),
    ],
)
def test_what_the_server_will_not_or_cannot_answer_has_an_outcome_of_its_own(act: Act, outcome: str) -> None:
    with FakeServer(plan=only(act)) as server:
        _, row = ask(server, "good", "bad")
    assert isinstance(row, NotScored) and row.outcome == outcome


def test_a_thought_is_told_from_the_answer() -> None:
    apart = {"message": {"content": "Score: 3", "reasoning_content": "hm"}, "finish_reason": "stop"}
    for act in (Act(body=reply(apart)), says("<think>hm</think>\nScore: 3")):
        with FakeServer(plan=lambda body, number, act=act: act) as server:
            (one,) = ask(server, "x")
        assert isinstance(one, Completion)
        assert (one.thought, one.text) == ("<think>hm</think>\n", "Score: 3")


def test_halves_of_surrogate_pairs_are_replaced_since_no_file_takes_them() -> None:
    with FakeServer(plan=lambda body, number: says("a\ud800b 😀")) as server:
        (one,) = ask(server, "x")
    assert isinstance(one, Completion) and one.text.encode() and one.text.endswith("b 😀")


def nothing_helps(server: FakeServer, **settings: Any) -> str:
    with pytest.raises(BackendError) as caught:
        ask(server, *map(str, range(20)), **settings)
    told = str(caught.value)
    assert told.isprintable()
    return told


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (error(401, "Incorrect API key"), "refuses the key .401: Incorrect API key.: export A_KEY with a key that is"),
        (error(403, "no"), "refuses the key"),
        (error(429, "You exceeded your quota", code="insufficient_quota"), "no more for this account"),
        (error(402, "pay"), "no more for this account"),
    ],
)
def test_what_no_retry_mends_ends_the_run_in_one_line(act: Act, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", CANARY)
    with FakeServer(plan=lambda body, number: act) as server:
        assert re.search(told, nothing_helps(server, key_env="A_KEY", concurrency=1))
    assert len(server.asked) == 1


def test_a_missing_key_is_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    with FakeServer() as server:
        assert "no key in A_KEY: type `export A_KEY=" in nothing_helps(server, key_env="A_KEY")
        monkeypatch.setenv("A_KEY", f"{CANARY} and\nmore")
        told = nothing_helps(server, key_env="A_KEY")
        assert "A_KEY holds is no key" in told and CANARY not in told
    assert not server.asked


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfreward.backends.server_calls.find_spec", lambda name: None)
    with FakeServer() as server:
        assert nothing_helps(server).endswith("pip install 'selfreward[server]'")


def test_a_model_that_is_not_there_is_told_with_those_that_are() -> None:
    with FakeServer(models=("smol", "big\x1b[31m")) as server:
        assert "set judge.backend.model to one of smol, big" in nothing_helps(server)


def test_a_wrong_address_is_told() -> None:
    with FakeServer() as server:
        assert "each up to its /v1" in nothing_helps(server, urls=[server.url.removesuffix("/v1")])
    assert "start the server, or set judge.backend.urls" in nothing_helps(server)


def test_a_server_that_fails_whatever_is_asked_is_not_asked_on() -> None:
    with FakeServer(plan=lambda body, number: error(400, "temperature must be 1")) as server:
        told = nothing_helps(server, concurrency=1)
    assert "8 requests failed one after another, the last with: 400: temperature must be 1" in told
    assert len(server.asked) == 8


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://me:secret@host/v1", "https://host/v1?key=secret", "ftp://a"])
def test_addresses_hold_no_key(url: str) -> None:
    with pytest.raises(ValidationError, match="address"):
        ServerSpec(model="judge", urls=(url,))


def test_the_key_is_sent_and_whatever_echoes_it_is_made_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", CANARY)
    with FakeServer() as server:
        server.plan = lambda body, number: says(CANARY) if text_of(body) == "good" else error(400, f"{CANARY}?")
        good, bad = ask(server, "good", "bad", key_env="A_KEY")
        assert CANARY not in f"{good}{bad}"
        server.plan = lambda body, number: error(401, f"bad key {CANARY}")
        assert CANARY not in nothing_helps(server, key_env="A_KEY")
    assert {*server.keys} == {f"Bearer {CANARY}"}


def test_a_server_that_wants_no_key_is_not_sent_one_that_lies_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with FakeServer() as server:
        ask(server, "a", key_env=None)
    assert CANARY not in str(server.keys)


def test_several_addresses_share_the_work_and_go_on_without_one(capfd: pytest.CaptureFixture[str]) -> None:
    names = [str(number) for number in range(40)]
    with FakeServer() as one, FakeServer() as other:
        urls = [one.url, other.url]
        ask(one, *names, urls=urls)
        assert min(len(one.asked), len(other.asked)) >= 10
    with FakeServer() as alive:
        urls = [one.url, alive.url]
        found = ask(alive, *names, urls=urls, tries=6)
    assert all(isinstance(reply, Completion) for reply in found)
    assert len(alive.asked) == 40
    told = capfd.readouterr().err.strip().splitlines()
    assert len(told) == 1 and one.url in told[0]


def test_stopped_by_the_keyboard_it_leaves_nothing_behind() -> None:
    with FakeServer(plan=lambda body, number: HANG) as server:
        threads = threading.active_count()
        timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            ask(server, "a", "b", timeout=60.0)
        timer.join()
        assert threading.active_count() == threads


def test_drawing_for_others_than_judges_takes_all_or_nothing() -> None:
    with FakeServer(plan=only(error(500, "boom"))) as server, opened(server) as backend:
        assert len(backend.generate(prompts("a", "b"), SAMPLING, 0, lambda _: None)) == 2
        with pytest.raises(BackendError, match="judge gave no answer .500: boom"):
            backend.generate(prompts("a", "bad"), SAMPLING, 0, lambda _: None)


def test_its_identity_says_that_draws_are_not_repeatable_and_names_no_address() -> None:
    spec = ServerSpec(model="judge", urls=("http://somewhere:1/v1",))
    identity = spec.open(spec.endpoint).identity
    assert identity["kind"] == "server" and identity["repeatable"] is False
    assert "somewhere" not in str(identity)
