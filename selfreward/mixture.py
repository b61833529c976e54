"""Who draws: the shares that policies have in the candidates of a prompt, and the order in which they take turns."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, model_validator

from selfreward.policies import Policies, Policy
from selfreward.spec import Spec, neutral

Drawer = Literal["live", "previous", "initial"]
DRAWERS: tuple[Drawer, ...] = get_args(Drawer)
"""What a policy that draws is called, in the order in which they take turns where they are owed equally much."""

# A shell would take the braces apart.
_EXAMPLE = "'sample.from={live:.5,initial:.5}'"
_ROUNDING = 1e-9
_DECIMALS = 12


def _a_share(share: float | None) -> float | None:
    if share is not None and not 0 < share <= 1:
        raise ValueError("a share is above 0 and at most 1; null leaves the policy out")
    return share


_Share = Annotated[float | None, AfterValidator(_a_share)]


class MixtureSpec(Spec):
    """The shares of the policies that draw, which add up to 1; None for one that does not draw.

    `live` is the policy that this iteration trains, `previous` the one before it, `initial` the one of iteration 0.
    """

    live: _Share = neutral(None)
    previous: _Share = neutral(None)
    initial: _Share = neutral(None)

    @model_validator(mode="before")
    @classmethod
    def _names_policies(cls, given: object) -> object:
        if not isinstance(given, dict | MixtureSpec):
            raise ValueError(f"give policies with their shares, in quotes, {_EXAMPLE}")  # noqa: TRY004 - pydantic takes this alone
        unknown = [str(name) for name in given if name not in DRAWERS] if isinstance(given, dict) else []
        if unknown:
            raise ValueError(f"{unknown[0]} is no policy that can draw: name {', '.join(DRAWERS)}, as in {_EXAMPLE}")
        return given

    @model_validator(mode="after")
    def _adds_up(self) -> "MixtureSpec":
        total = sum(self.shares.values())
        if abs(total - 1) > _ROUNDING:
            raise ValueError(
                f"the shares {self} add up to {total:.9g}, not to 1: set {_EXAMPLE}; sample.from.NAME=null takes out "
                "one that a file sets"
            )
        return self

    @property
    def shares(self) -> dict[Drawer, float]:
        """The shares of those that draw, in the order of `DRAWERS`."""
        return {name: share for name in DRAWERS if (share := getattr(self, name)) is not None}

    def __str__(self) -> str:
        """As it is typed."""
        return f"{{{','.join(f'{name}:{share:g}' for name, share in self.shares.items())}}}"


LIVE_ALONE = MixtureSpec(live=1.0)


def merged(mixture: MixtureSpec, policies: Policies) -> dict[Drawer, tuple[Policy, float]]:
    """The policies that draw and their shares, in the order of `DRAWERS`; those with the same bytes draw as one.

    It goes by the first of its names: at iteration 0 all are the live policy, at 1 the initial one is the previous one.
    """
    called: dict[str, Drawer] = {}
    for name in DRAWERS:
        called.setdefault(policies.named(name).digest, name)
    total = dict.fromkeys(DRAWERS, 0.0)
    for name, share in mixture.shares.items():
        total[called[policies.named(name).digest]] += share
    # So that .1 and .2 make the share that is typed as .3.
    return {name: (policies.named(name), round(share, _DECIMALS)) for name, share in total.items() if share}


def turns(shares: Mapping[Drawer, float], k: int) -> list[Drawer]:
    """Who draws each of `k` candidates of a prompt, in order.

    The next one is always drawn by whoever is furthest behind its share, of those equally far behind by the first in
    `shares`. So of the first n, for every n, each of up to three policies has drawn within 1 of its share of n: a
    policy that is passed over though it is owed a whole candidate would need another one that is owed as much, and a
    third that is a whole candidate ahead, which none ever is. Shares count as the decimals they are typed as.
    """
    exact = {name: Fraction(str(share)) for name, share in shares.items()}
    drawn = dict.fromkeys(shares, 0)
    order: list[Drawer] = []
    for n in range(1, k + 1):
        behind = {name: share * n - drawn[name] for name, share in exact.items()}
        order.append(max(behind, key=behind.__getitem__))
        drawn[order[-1]] += 1
    return order
