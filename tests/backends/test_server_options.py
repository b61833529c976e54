"""Probabilities of options and replies held to a pattern: had from servers that know how, missed where they do not."""

import math
import re
from typing import Any

import pytest

from selfreward.backends.base import Completion, NotScored, OptionScore, OptionScores, Sampling
from selfreward.errors import BackendError
from tests.backends.fake_server import Act, Body, FakeServer, choice, listed, reply, says
from tests.backends.served import ask, opened, prompts, text_of

LISTED = {"A": -0.1, "B": -3.0, " A": -4.0, "C": -9999.0}
HELD = Sampling(k=1, temperature=0.7, top_p=0.9, max_new_tokens=8, pattern="Score: [1-5]")


def score(server: FakeServer, wanted: list[str], *texts: str, **settings: Any) -> OptionScores:
    with opened(server, **settings) as backend:
        return backend.score_options(prompts(*texts), wanted, lambda _: None)


def test_options_are_read_from_the_list_of_the_likeliest_tokens() -> None:
    with FakeServer(plan=lambda body, number: listed(LISTED, prompt_tokens=7)) as server:
        (one,) = score(server, ["A", "B"], "x")
    assert one == OptionScore(logprobs=(-0.1, -3.0), prompt_tokens=7)
    sent = server.asked[0]
    assert (sent["logprobs"], sent["top_logprobs"], sent["max_tokens"], sent["temperature"]) == (True, 20, 1, 1.0)
    assert "seed" not in sent


@pytest.mark.parametrize("option", ["C", "D"])
def test_an_option_that_is_not_listed_is_missing_and_its_row_has_no_score(option: str) -> None:
    """C is listed with what servers write for a probability of zero, D is not listed."""
    with FakeServer(plan=lambda body, number: listed(LISTED)) as server:
        (one,) = score(server, ["A", option], "x")
    assert isinstance(one, NotScored) and one.outcome == "unparsed"
    assert f"likeliest first tokens: {option!r}" in one.reason


@pytest.mark.parametrize("logprob", ["-1", None, True, 3.0, math.nan])
def test_a_log_probability_that_is_none_gives_no_score(logprob: object) -> None:
    with FakeServer(plan=lambda body, number: listed({"A": logprob, "B": -1.0})) as server:  # type: ignore[dict-item]
        (one,) = score(server, ["A", "B"], "x")
    assert isinstance(one, NotScored) and one.outcome in ("failed", "unparsed")


def by_id(body: Body, number: int) -> Act:
    return listed({f"token_id:{token}": -0.01 * token for token in (7, *body["logprob_token_ids"])})


def test_options_are_asked_for_by_their_own_tokens_where_the_server_knows_how() -> None:
    with FakeServer(plan=by_id) as server, opened(server, options="token_ids") as backend:
        first, second = backend.score_options(prompts("x", "y"), ["A", "B"], lambda _: None)
        backend.score_options(prompts("z"), ["A", "B"], lambda _: None)
    assert first == second == OptionScore(logprobs=(-0.65, -0.66), prompt_tokens=10)
    assert server.asked[0]["logprob_token_ids"] == [65, 66] and server.asked[0]["return_tokens_as_token_ids"] is True
    assert server.paths["/tokenize"] == 3, "once for a set of options, and once for what stands before them"


def test_an_option_of_two_tokens_is_refused() -> None:
    with FakeServer(plan=by_id) as server, pytest.raises(BackendError, match="'10' is not one token at the start"):
        score(server, ["1", "10"], "x", options="token_ids")
    assert not server.asked


def test_what_a_server_ignored_is_noticed() -> None:
    with FakeServer(plan=lambda body, number: says("A")) as server:
        with pytest.raises(BackendError, match="gave no log-probabilities.*options=none and judge.method=sampled"):
            score(server, ["A", "B"], *map(str, range(20)))
        with pytest.raises(BackendError, match="options=none gives no probabilities: set top_logprobs"):
            score(server, ["A", "B"], "x", options="none")
        server.plan = lambda body, number: listed(LISTED)
        with pytest.raises(BackendError, match="ignored logprob_token_ids.*set judge.backend.options=top_logprobs"):
            score(server, ["A", "B"], *map(str, range(20)), options="token_ids")


def test_a_server_without_tokenize_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.backends.fake_server._tokens", lambda body: None)
    with FakeServer() as server, pytest.raises(BackendError, match="for tokens by vLLM's /tokenize.*top_logprobs"):
        score(server, ["A", "B"], "x", options="token_ids")


def test_a_pattern_is_sent_and_a_reply_that_does_not_hold_to_it_is_a_failed_row() -> None:
    def plan(body: Body, number: int) -> Act:
        texts = {"good": choice("Score: 4"), "cut": choice("Scor", "length")}
        return Act(body=reply(texts.get(text_of(body), choice("4 of 5"))))

    with FakeServer(plan=plan) as server:
        good, cut, bad = ask(server, "good", "cut", "bad", sampling=HELD, patterns="regex")
    assert server.asked[0]["structured_outputs"] == {"regex": HELD.pattern}
    assert isinstance(good, Completion) and isinstance(cut, Completion) and cut.finish == "length"
    assert isinstance(bad, NotScored) and bad.outcome == "failed"
    assert re.search("ignored the pattern.*judge.backend.patterns=none", bad.reason)


def test_a_server_that_is_not_said_to_hold_patterns_is_sent_none() -> None:
    with FakeServer() as server, pytest.raises(BackendError, match="cannot hold an answer to a pattern"):
        ask(server, "x", sampling=HELD)
    assert not server.asked


def test_settings_say_what_it_can() -> None:
    with FakeServer() as server:
        assert opened(server).can == {"draw", "score_options"}
        assert opened(server, options="none", patterns="regex").can == {"draw", "patterns"}
