"""For tests of engines."""

import pytest

from selfreward.backends.server_budget import ledger_of


@pytest.fixture(autouse=True)
def _budgets_of_their_own() -> None:
    """A test's server may get the port of an earlier one."""
    ledger_of.cache_clear()
