"""What reinforcement learning did in a round, in two lines: what it drew and left out, and what came of it."""

from collections.abc import Iterator

from selfreward.reading.rounds import Round
from selfreward.row_kinds import PROMPTS
from selfreward.updates import Training


def rl_lines(one: Round) -> list[str]:
    """The lines of a round; nothing where its update drew no completions."""
    did = one.training
    if did is None or did.completions is None:
        return []
    return [f"  {', '.join(_drew(did))}; {', '.join(_left_out(one, did))}", f"    {', '.join(_reached(did))}"]


def _drew(did: Training) -> Iterator[str]:
    yield f"RL drew {did.completions or 0:,} completions to {did.rows_trained:,} prompts"
    yield f"{did.tokens_drawn or 0:,} tokens in all"
    if did.human_rows:
        yield f"learned {did.human_rows:,} human answers of {did.human_tokens or 0:,} tokens before"
    yield f"and took {did.steps or 0:,} optimiser steps"


def _left_out(one: Round, did: Training) -> Iterator[str]:
    """Counts of what was not learned from, each with what it is out of."""
    yield f"{did.completions_missing or 0:,} of {did.completions or 0:,} completions had no reward"
    mixed = one.stages.get("mix")
    given = f" of {mixed.rows(PROMPTS.table):,}" if mixed is not None and mixed.has(PROMPTS.table) else ""
    if did.rows_too_long:
        yield f"left out {did.rows_too_long:,}{given} prompts without room for a completion (update.max_tokens)"
    if did.rows_without_reward:
        yield f"left out {did.rows_without_reward:,}{given} prompts without a source of update.rewards"
    for name, source in (did.sources or {}).items():
        if source.missing and len(did.sources or {}) > 1:
            yield f"{name} said nothing of {source.missing:,} of {source.applied:,}"


def _reached(did: Training) -> Iterator[str]:
    """The first tenth of the steps and the last, and means over all of them."""
    sources = did.sources or {}
    apart = [f"{name} {_moved(ends.mean_first, ends.mean_last)}" for name, ends in sources.items()]
    yield f"reward {_moved(did.reward_first, did.reward_last)}" + (f" ({', '.join(apart)})" if len(apart) > 1 else "")
    yield "no KL (update.beta=0)" if did.kl_to_reference is None else f"KL {did.kl_to_reference:.3g} nats a token"
    yield f"entropy {_moved(did.entropy_first, did.entropy_last)} nats a token"
    yield f"{_moved(did.tokens_first, did.tokens_last)} tokens a completion"
    yield f"{_share(did.cut)} cut"
    yield f"{_share(did.flat_groups)} of the groups without spread"


def _moved(first: float | None, last: float | None) -> str:
    return " to ".join("-" if one is None else f"{one:.3g}" for one in (first, last))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
