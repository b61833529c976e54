"""What an endpoint may cost in one run of a command, and what it has cost so far."""

from dataclasses import dataclass
from functools import cache

from pydantic import Field, NonNegativeInt

from selfreward.backends.base import Conversation, Spent
from selfreward.errors import BackendError
from selfreward.spec import Spec

_MILLION = 1_000_000
_TEMPLATE_TOKENS = 64


class BudgetSpec(Spec):
    """The most that a run of a command may use: requests, tokens of prompts and answers, money. None is no limit."""

    requests: NonNegativeInt | None = None
    tokens: NonNegativeInt | None = None
    cost: float | None = Field(None, ge=0)


class PriceSpec(Spec):
    """What a million tokens cost in `currency`; None where nobody said."""

    prompt: float | None = Field(None, ge=0)
    completion: float | None = Field(None, ge=0)
    currency: str = Field("USD", pattern=r"^[A-Za-z]{1,8}$")

    def of(self, used: "Used") -> float | None:
        """What the tokens cost; None unless both prices are set."""
        if self.prompt is None or self.completion is None:
            return None
        return (used.prompt * self.prompt + used.completion * self.completion) / _MILLION


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens of prompts and of answers."""

    prompt: int = 0
    completion: int = 0

    def plus(self, other: "Used", sign: int = 1) -> "Used":
        """The sum; with a `sign` of -1 the difference."""
        return Used(self.prompt + sign * other.prompt, self.completion + sign * other.completion)


def at_most(messages: Conversation, new_tokens: int) -> Used:
    """The most tokens that a request can take: no token is less than a byte, a template may add some to each turn."""
    letters = sum(len(one.content.encode(errors="replace")) for one in messages)
    return Used(letters + _TEMPLATE_TOKENS * (len(messages) + 1), new_tokens)


class Ledger:
    """Counts what is used, and gives leave to send a request only if nothing can be exceeded by it.

    A request that is under way is counted at its most, and one that was cut off without a word of its usage stays so.
    What is counted here is counted `within` another ledger too, if there is one, and needs its leave.
    """

    def __init__(self, limits: BudgetSpec, prices: PriceSpec, within: "Ledger | None" = None) -> None:
        """Nothing is used yet."""
        self._limits, self._prices, self._within = limits, prices, within
        self._requests = self._retries = self._untold = self._under_way = 0
        self._told, self._held = Used(), Used()

    @property
    def spent(self) -> Spent:
        """What was told so far."""
        return Spent(
            requests=self._requests,
            retries=self._retries,
            untold=self._untold,
            prompt_tokens=self._told.prompt,
            completion_tokens=self._told.completion,
            cost=self._prices.of(self._told),
            currency=self._prices.currency,
        )

    def check_room(self, requests: int) -> None:
        """Raises BackendError where so many requests are sure to be too many: not one of them need be sent."""
        if self._within is not None:
            self._within.check_room(requests)
        most = self._limits.requests
        if most is not None and self._requests + requests > most:
            raise self._stopped("requests", most, f"{requests:,} requests")

    def hold(self, most: Used, *, again: bool) -> bool:
        """Whether a request of at most so many tokens may be sent, which is then under way.

        Where it may not, those under way may yet turn out smaller. Raises BackendError where there are none.
        """
        tight = self._tight(most)
        if tight is not None and not self._under_way:
            raise self._stopped(*tight, f"a request of up to {most.prompt + most.completion:,} tokens")
        if tight is not None or (self._within is not None and not self._within.hold(most, again=again)):
            return False
        self._requests += 1
        self._retries += again
        self._under_way += 1
        self._held = self._held.plus(most)
        return True

    def settle(self, most: Used, told: Used | None) -> None:
        """A request that was under way has ended, and used what it `told`; None where nobody can say."""
        if self._within is not None:
            self._within.settle(most, told)
        self._under_way -= 1
        if told is None:
            self._untold += 1
            return
        self._held = self._held.plus(most, -1)
        self._told = self._told.plus(told)

    def _tight(self, most: Used) -> tuple[str, float] | None:
        """The limit that one more request could exceed, if there is one."""
        would = self._told.plus(self._held).plus(most)
        wanted = (
            ("requests", self._limits.requests, self._requests + 1),
            ("tokens", self._limits.tokens, would.prompt + would.completion),
            ("cost", self._limits.cost, self._prices.of(would)),
        )
        for name, limit, would_be in wanted:
            if limit is not None and would_be is not None and would_be > limit:
                return name, limit
        return None

    def _stopped(self, name: str, limit: float, wanted: str) -> BackendError:
        spent = self.spent
        cost = "" if spent.cost is None else f", {spent.cost:.4g} {spent.currency}"
        untold = f" and {spent.untold:,} requests that told nothing, counted at their most" if spent.untold else ""
        return BackendError(
            f"budget.{name}={limit:g} does not allow {wanted} more: {spent.requests:,} requests used "
            f"{spent.prompt_tokens + spent.completion_tokens:,} tokens{cost}{untold}. What is finished is kept: raise "
            f"judge.backend.budget.{name} and run the same command again, which counts from 0"
        )


@cache
def ledger_of(model: str, urls: tuple[str, ...], limits: BudgetSpec, prices: PriceSpec) -> Ledger:
    """The one ledger of this process for a model: in a run engines are opened and closed many times."""
    return Ledger(limits, prices)
