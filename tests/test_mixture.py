"""Who draws: the law of the turns, which policies are one, and every mistake in `sample.from`."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.__main__ import compose
from selfreward.config import validate
from selfreward.errors import ConfigError
from selfreward.mixture import DRAWERS, MixtureSpec, merged, turns
from selfreward.policies import Policies, Policy
from selfreward.spec import identity
from selfreward.stages.sample import SampleSpec

DPO = ("update=dpo", "select=preference_pairs")
KTO = ("update=kto", "select=unpaired", "judge=verifier")


def policy(digest: str) -> Policy:
    return Policy(path=Path(digest), key=digest, digest=digest)


@given(
    st.lists(st.integers(0, 10_000), min_size=0, max_size=2)
    .map(lambda cuts: [0, *sorted(cuts), 10_000])
    .map(lambda cuts: [(end - start) / 10_000 for start, end in pairwise(cuts) if end > start])
)
def test_every_prefix_holds_the_shares_as_nearly_as_whole_numbers_allow(shares: list[float]) -> None:
    named = dict(zip(DRAWERS, shares, strict=False))
    order = turns(named, 300)
    drawn = Counter[str]()
    for n, name in enumerate(order, 1):
        drawn[name] += 1
        for each, share in named.items():
            assert abs(drawn[each] - Fraction(str(share)) * n) < 1
    assert turns(named, 70) == order[:70]


def test_equal_shares_take_turns_in_the_order_named() -> None:
    assert turns({"live": 0.5, "initial": 0.5}, 4) == ["live", "initial", "live", "initial"]
    assert turns({"live": 0.5, "previous": 0.25, "initial": 0.25}, 4) == ["live", "previous", "initial", "live"]
    assert turns({"live": 1.0}, 3) == ["live"] * 3


def test_policies_with_the_same_bytes_draw_as_one() -> None:
    a, b, c = policy("a"), policy("b"), policy("c")
    mixture = MixtureSpec(live=0.7, previous=0.1, initial=0.2)
    apart = merged(mixture, Policies(live=c, previous=b, initial=a))
    assert apart == {"live": (c, 0.7), "previous": (b, 0.1), "initial": (a, 0.2)}
    assert merged(mixture, Policies(live=b, previous=a, initial=a)) == {"live": (b, 0.7), "previous": (a, 0.3)}
    assert merged(mixture, Policies(live=a, previous=a, initial=a)) == {"live": (a, 1.0)}
    old = MixtureSpec(initial=1.0)
    assert merged(old, Policies(live=b, previous=a, initial=a)) == {"previous": (a, 1.0)}


def test_the_order_in_which_shares_are_typed_is_nothing_and_no_mixture_is_no_part_of_a_key() -> None:
    typed = ("{live:.5,initial:.5}", "{initial:.5,live:.5}")
    one, other = (validate(compose([f"sample.from={shares}"])).sample for shares in typed)
    assert one == other
    assert identity(one)["from"] == {"live": 0.5, "initial": 0.5}
    assert "from" not in identity(SampleSpec())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["sample.from={live:.5,initial:.25}"],
            r"^sample\.from: the shares \{live:0\.5,initial:0\.25\} add up to 0\.75",
        ),
        (
            ["sample.from={live:1,initial:.25}"],
            r"add up to 1\.25, not to 1: set 'sample\.from=\{live:\.5,initial:\.5\}'",
        ),
        (["sample.from={}"], r"^sample\.from: the shares \{\} add up to 0"),
        (
            ["sample.from={live:1,initial:0}"],
            r"^sample\.from\.initial=0: a share is above 0 and at most 1; null leaves",
        ),
        (["sample.from={live:1.5,initial:-.5}"], r"^sample\.from\.live=1\.5: a share is above 0 and at most 1"),
        (["sample.from={live:half}"], r"^sample\.from\.live=half: .*valid number"),
        (
            ["sample.from={live:.5,best:.5}"],
            r"^sample\.from: best is no policy .*: name live, previous, initial, as in",
        ),
        (
            ["sample.from=initial"],
            r"^sample\.from=initial: give policies with their shares, in quotes, 'sample\.from=\{live:",
        ),
        (
            ["sample.from={live:.9,initial:.1}"],
            r"^sample\.from\.initial=0\.1 of sample\.k=4 .* none: set sample\.k=10,",
        ),
        (
            [*DPO, "sample.from={live:.5,initial:.5}"],
            r"^sample\.from=\{live:0\.5,initial:0\.5\}: update\.reference=prev",
        ),
        ([*DPO, "sample.from={previous:1}"], r"set update\.reference=initial, or sample\.from=null$"),
        ([*KTO, "sample.from={live:.5,initial:.5}"], r"update\.reference=previous .*: set update\.reference=initial"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_type(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        validate(compose(overrides))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "overrides",
    [
        ["sample.from={live:.9,initial:.1}", "sample.k=10"],
        ["sample.from={previous:1}"],
        ["sample.from={live:.5,previous:.25,initial:.25}"],
        ["sample.from={live:1,previous:null}"],
        [*DPO, "sample.from={live:1}"],
        [*DPO, "sample.from={live:.5,initial:.5}", "update.reference=initial"],
        [*KTO, "sample.from={live:.5,initial:.5}", "update.reference=initial"],
    ],
)
def test_what_goes_together_is_taken(overrides: list[str]) -> None:
    validate(compose(overrides))
