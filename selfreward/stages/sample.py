"""Sample: k candidates a prompt, from the live policy or from a mixture of policies."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import chain
from math import ceil
from operator import attrgetter
from typing import TypedDict

from pydantic import PositiveInt

from selfreward.artifacts import Advance, Artifact, Output, derive_seed
from selfreward.artifacts.manifest import InputEntry
from selfreward.artifacts.many_rows import few_collections
from selfreward.artifacts.output import Table
from selfreward.artifacts.parquet import in_batches
from selfreward.backends.base import Backend
from selfreward.backends.candidates import Decoding, draw_candidates
from selfreward.errors import StageError
from selfreward.mixture import DRAWERS, LIVE_ALONE, Drawer, MixtureSpec, merged, turns
from selfreward.policies import Policies, Policy
from selfreward.records import Candidate, Prompt
from selfreward.spec import neutral

VERSION = 2

_DRAWN = "drawn_"


class SampleSpec(Decoding):
    """How candidates are drawn, and by whom. `k` is what is drawn; `select.k` is what is used of it.

    `from` are the shares that policies have in the candidates of every prompt, and in the first ones of these as nearly
    as whole numbers allow; None is the live policy alone.
    """

    shard_prompts: PositiveInt = 32
    from_: MixtureSpec | None = neutral(None, alias="from")

    @property
    def mixture(self) -> MixtureSpec:
        """As it is set."""
        return self.from_ or LIVE_ALONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Candidates: all that were `drawn`, how many `by` each policy that draws, and some of them.

    `thoughts` think, `thoughts_cut` of these were ended by the token limit before they came to an answer, `respelled`
    have a text that does not give back the tokens that were drawn.
    """

    drawn: int
    by: Mapping[Drawer, int]
    thoughts: int
    thoughts_cut: int
    respelled: int


def sampled_of(candidates: Artifact) -> Sampled:
    """How many candidates there are, and of which kinds."""
    kinds, counts = ("thoughts", "thoughts_cut", "respelled"), candidates.manifest.counts
    by = {name: int(counts[_DRAWN + name]) for name in DRAWERS if _DRAWN + name in counts}
    return Sampled(
        drawn=candidates.rows(),
        by=by or {"live": candidates.rows()},
        **{name: int(counts[name]) for name in kinds},
    )


def drawers_of(candidates: Artifact) -> tuple[InputEntry, ...]:
    """The policies that drew, in the order of `DRAWERS`."""
    inputs = candidates.manifest.inputs
    roles = ("policy" if name == "live" else name for name in DRAWERS)
    return tuple(inputs[role] for role in roles if role in inputs)


def check_mixture(spec: SampleSpec, *why_not: str | None) -> None:
    """Raises ValueError for a mixture in which a policy draws nothing, or that a part of the run says `why_not` to."""
    if spec.mixture == LIVE_ALONE:
        return
    shares = spec.mixture.shares
    for name, share in shares.items():
        enough = ceil(1 / Fraction(str(share)))
        if spec.k < enough and name not in turns(shares, spec.k):
            raise ValueError(
                f"sample.from.{name}={share:g} of sample.k={spec.k} candidates comes to none: set sample.k={enough}, "
                f"or sample.from.{name}=null"
            )
    for why in why_not:
        if why is not None:
            raise ValueError(f"sample.from={spec.mixture}: {why}, or sample.from=null")


class Drawers(TypedDict, total=False):
    """The policies that draw, as inputs of `sample`; `policy` is the live one."""

    policy: Policy
    previous: Policy
    initial: Policy


def who_draws(spec: SampleSpec, policies: Policies) -> tuple[SampleSpec, Drawers]:
    """`spec` with the shares of those policies that differ, and these as the inputs of `sample`.

    Where they come to the live policy alone nothing is left of a mixture: iteration 0 is the same with one as without.
    """
    drawing = merged(spec.mixture, policies)
    drawers: Drawers = {}
    for name, (policy, _) in drawing.items():
        drawers["policy" if name == "live" else name] = policy
    shares = {name: share for name, (_, share) in drawing.items()}
    mixture = None if [*shares] == ["live"] else MixtureSpec.model_validate(shares)
    return spec.model_copy(update={"from_": mixture}), drawers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """A policy that draws, by its name, and the places of its candidates among the k of a prompt."""

    name: Drawer
    policy: Policy
    places: tuple[int, ...]

    def draw(
        self, spec: SampleSpec, seed: int, shard: int, backend: Backend, asked: Sequence[Prompt], advance: Advance
    ) -> list[Candidate]:
        """Its candidates for each prompt of a shard, in order; they hang on nothing that others draw.

        Under one seed two policies that differ little would draw much the same.
        """
        own = (shard,) if self.name == "live" else (shard, self.policy.digest)
        decoding = spec.model_copy(update={"k": len(self.places)})
        drawn = draw_candidates(backend, self.policy, asked, decoding, seed=derive_seed(seed, *own), advance=advance)
        return [replace(one, index=self.places[one.index]) for one in drawn]


@few_collections()
def sample(
    out: Output,
    spec: SampleSpec,
    *,
    seed: int,
    backend: Backend,
    prompts: Artifact,
    policy: Policy | None = None,
    previous: Policy | None = None,
    initial: Policy | None = None,
) -> None:
    """Table `rows` of Candidate: `spec.k` for each prompt, in the order of `prompts`, then by index.

    `policy` is the live one, which `backend` holds; it and the others are given where they draw (`who_draws`). One
    model at a time is in memory: each policy draws all its candidates before the next one does, those of the last one
    go into `rows` together with the others'. The counts are those of Sampled. Raises StageError for a policy that is
    gone.
    """
    given: dict[Drawer, Policy | None] = {"live": policy, "previous": previous, "initial": initial}
    *others, last = drawings = list(_drawings(spec, given))
    with ExitStack() as opened:
        table = opened.enter_context(out.table(Candidate))
        advance = opened.enter_context(out.progress(prompts.rows() * spec.k, "answers"))
        drafts = [opened.enter_context(out.draft(Candidate, f"{_DRAWN}{one.name}")) for one in others]
        done = table.whole(-(-prompts.rows() // spec.shard_prompts))
        for one, draft in [] if done else zip(others, drafts, strict=True):
            with _holding(backend, one, alone=False) as held:
                for shard, asked in _shards(spec, prompts):
                    draft.shard(partial(one.draw, spec, seed, shard, held, asked, advance), advance)
        with _holding(backend, last, alone=not others) as held:
            for shard, asked in _shards(spec, prompts):
                draw = partial(last.draw, spec, seed, shard, held, asked, advance)
                told = len(asked) * (spec.k if done else len(last.places))
                candidates = table.shard(
                    partial(_together, draw, drafts, shard, len(asked)), partial(_tell, advance, told)
                )
                _count(out, drawings, candidates)


def _drawings(spec: SampleSpec, given: Mapping[Drawer, Policy | None]) -> Iterator[_Drawing]:
    order = turns(spec.mixture.shares, spec.k)
    for name in dict.fromkeys(sorted(order, key=DRAWERS.index)):
        policy = given[name]
        assert policy is not None, "every policy that draws is an input"
        if not policy.path.is_dir():
            raise StageError(
                f"the {name} policy, which is to draw, is gone: there is no {policy.path}. Give the same "
                "command again: it makes anew what a run has trained, or says what to delete first; bring back a model "
                "of your own"
            )
        places = tuple(index for index, one in enumerate(order) if one == name)
        yield _Drawing(name=name, policy=policy, places=places)


def _holding(backend: Backend, one: _Drawing, *, alone: bool) -> AbstractContextManager[Backend]:
    """A backend that holds a policy. Of several, each is freed before the next; one alone stays for who comes then."""
    if one.name == "live":
        return nullcontext(backend) if alone else backend
    backend.close()
    return backend.holding(one.policy)


def _shards(spec: SampleSpec, prompts: Artifact) -> Iterator[tuple[int, list[Prompt]]]:
    return enumerate(in_batches(prompts.records(Prompt), spec.shard_prompts))


def _together(
    draw: Callable[[], list[Candidate]], drafts: Sequence[Table[Candidate]], shard: int, prompts: int
) -> list[Candidate]:
    """What is drawn now and what the others drew, prompt by prompt, by index."""
    drawn = [*(draft.written(shard) for draft in drafts), draw()]
    if len(drawn) == 1:
        return drawn[0]
    of_prompts = zip(*(in_batches(one, len(one) // prompts) for one in drawn), strict=True)
    return [one for groups in of_prompts for one in sorted(chain.from_iterable(groups), key=attrgetter("index"))]


def _tell(advance: Advance, drawn: int, candidates: int) -> None:
    """Progress of a shard that is on disk: what the drafts hold of it was told with them."""
    advance(drawn)


def _count(out: Output, drawings: Sequence[_Drawing], candidates: Sequence[Candidate]) -> None:
    thinking = [candidate for candidate in candidates if candidate.thought is not None]
    out.count(
        completion_tokens=sum(candidate.tokens for candidate in candidates),
        thoughts=len(thinking),
        respelled=sum(candidate.respelled for candidate in candidates),
        thoughts_cut=sum(one.finish == "length" and not one.text.strip() for one in thinking),
    )
    if len(drawings) > 1 or drawings[0].name != "live":
        by = Counter(candidate.policy_digest for candidate in candidates)
        out.count(**{_DRAWN + one.name: by[one.policy.digest] for one in drawings})
