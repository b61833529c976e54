"""Budgets: never exceeded, not by what is under way either, and told in one line."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from selfreward.backends import ServerSpec
from selfreward.backends.base import Completion, Spent
from selfreward.backends.server_budget import BudgetSpec, Ledger, PriceSpec, Used, at_most
from selfreward.errors import BackendError
from tests.backends.fake_server import HANG, Act, Body, FakeServer, choice, error, reply
from tests.backends.served import SAMPLING, ask, opened, prompts

PRICE = {"prompt": 1.0, "completion": 10.0, "currency": "EUR"}
SENT = at_most(prompts("0")[0], 8)


def costs(body: Body, number: int) -> Act:
    return Act(body=reply(choice("Score: 3"), prompt_tokens=20, completion_tokens=5), delay=0.005)


def fails_first(body: Body, number: int) -> Act:
    return costs(body, number) if number else error(500, "boom")


def stopped(server: FakeServer, requests: int, **settings: Any) -> tuple[str, Spent]:
    """What the engine says as its budget ends, and what it has spent."""
    backend = opened(server, **settings)
    with backend, pytest.raises(BackendError) as caught:
        backend.generate_each(prompts(*(str(n % 10) for n in range(requests))), SAMPLING, 0, lambda _: None)
    return str(caught.value), backend.spent


@pytest.mark.parametrize("limit", [{"requests": 0}, {"tokens": 0}, {"cost": 0.0}])
def test_a_budget_of_zero_sends_nothing(limit: dict[str, float]) -> None:
    with FakeServer() as server:
        assert f"budget.{next(iter(limit))}=0 does not allow" in stopped(server, 1, budget=limit, price=PRICE)[0]
    assert not server.asked


def test_requests_that_cannot_be_enough_are_not_begun() -> None:
    with FakeServer(plan=costs) as server:
        ask(server, "a", "b", budget={"requests": 10})
        told, spent = stopped(server, 9, budget={"requests": 10})
        assert "budget.requests=10 does not allow 9 requests more: 2 requests used 50 tokens. What is finished" in told
        assert "raise judge.backend.budget.requests and run the same command again" in told
        assert len(server.asked) == 2, "the budget is not that of the engine, which was opened again"
        assert spent.requests == 0
        ask(server, *"12345678", budget={"requests": 10})


def test_tries_count_as_requests() -> None:
    with FakeServer(plan=lambda body, number: error(500, "boom")) as server:
        assert "budget.requests=5" in stopped(server, 2, budget={"requests": 5}, concurrency=1)[0]
    assert len(server.asked) == 5


@pytest.mark.parametrize("concurrency", [1, 16])
def test_tokens_stop_before_the_limit_whatever_is_under_way(concurrency: int) -> None:
    limit = 1000
    with FakeServer(plan=costs) as server:
        told, spent = stopped(server, 100, budget={"tokens": limit}, concurrency=concurrency)
    used = spent.prompt_tokens + spent.completion_tokens
    assert used == 25 * spent.requests == 25 * len(server.asked)
    assert limit - (SENT.prompt + SENT.completion) < used <= limit, "nothing is left unused for what is under way"
    assert f"{spent.requests} requests used {used} tokens" in told


def test_money_stops_before_the_limit_and_is_told() -> None:
    with FakeServer(plan=costs) as server:
        told, spent = stopped(server, 100, budget={"cost": 0.001}, price=PRICE)
    assert spent.cost == pytest.approx(spent.requests * (20 * 1 + 5 * 10) / 1e6)
    assert 0.0005 < spent.cost <= 0.001 and spent.currency == "EUR"
    assert f"tokens, {spent.cost:.4g} EUR" in told


def test_what_is_used_is_counted_and_without_prices_costs_nothing_that_is_known() -> None:
    with FakeServer(plan=fails_first) as server, opened(server) as backend:
        assert backend.spent.requests == 0
        backend.generate_each(prompts("a", "b"), SAMPLING, 0, lambda _: None)
        spent = backend.spent
        backend.generate_each(prompts("c"), SAMPLING, 0, lambda _: None)
        assert backend.spent.since(spent) == replace(
            spent, requests=2, retries=1, prompt_tokens=20, completion_tokens=5
        )
    assert (spent.requests, spent.retries, spent.untold) == (4, 2, 0)
    assert (spent.prompt_tokens, spent.completion_tokens, spent.cost) == (40, 10, None)


def test_a_request_that_was_cut_off_counts_at_its_most() -> None:
    with FakeServer(plan=lambda body, number: costs(body, number) if number else HANG) as server:
        with opened(server, timeout=0.2) as backend:
            ((one,),) = backend.generate_each(prompts("0"), SAMPLING, 0, lambda _: None)
            assert isinstance(one, Completion)
            assert (backend.spent.untold, backend.spent.prompt_tokens) == (1, 20)
        most = SENT.prompt + SENT.completion
        told, _ = stopped(server, 1, timeout=0.2, budget={"tokens": most - 1})
    assert "budget.tokens" in told


def test_a_ledger_holds_what_nobody_told() -> None:
    ledger = Ledger(BudgetSpec(tokens=100), PriceSpec())
    assert ledger.hold(Used(40, 10), again=False)
    ledger.settle(Used(40, 10), None)
    assert ledger.hold(Used(40, 10), again=True)
    assert not ledger.hold(Used(1, 0), again=True), "it may turn out smaller"
    ledger.settle(Used(40, 10), Used(5, 5))
    assert ledger.hold(Used(40, 0), again=True)
    ledger.settle(Used(40, 0), Used(40, 0))
    with pytest.raises(BackendError, match="1 requests that told nothing, counted at their most"):
        ledger.hold(Used(1, 0), again=True)


TOKENS = st.builds(Used, st.integers(0, 60), st.integers(0, 60))


@given(st.lists(st.tuples(TOKENS, st.floats(0, 1), st.booleans(), st.integers(0, 3))), st.integers(0, 300))
def test_whatever_is_under_way_or_untold_no_limit_is_exceeded(
    requests: list[tuple[Used, float, bool, int]], limit: int
) -> None:
    """Each request uses a share of its most, or tells nothing; some end as others are sent."""
    ledger = Ledger(BudgetSpec(tokens=limit, cost=limit / 1e6), PriceSpec(prompt=0.5, completion=2.0))
    under_way: list[tuple[Used, Used, bool]] = []
    used = Used()
    for most, share, tells, ending in requests:
        for most_then, took, told in under_way[:ending]:
            ledger.settle(most_then, took if told else None)
        del under_way[:ending]
        try:
            sent = ledger.hold(most, again=False)
        except BackendError:
            assert not under_way
            continue
        if sent:
            took = Used(int(most.prompt * share), int(most.completion * share))
            under_way.append((most, took, tells))
            used = used.plus(took)
    assert used.prompt + used.completion <= limit
    assert used.prompt * 0.5 + used.completion * 2.0 <= limit * (1 + 1e-9)


def test_a_budget_of_money_needs_prices() -> None:
    with pytest.raises(ValidationError, match="budget.cost=1 without prices: set price.prompt and price.completion"):
        ServerSpec(model="judge", budget=BudgetSpec(cost=1), price=PriceSpec(prompt=1.0))
