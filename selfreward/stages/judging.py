"""Which policy judges at an iteration, and a backend that holds it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from selfreward.backends import AnyBackend, open_backend
from selfreward.backends.base import Backend
from selfreward.data.models import folder_policy
from selfreward.judges import AnyJudge
from selfreward.judges.base import PolicyJudgeBase
from selfreward.records import Policy


@dataclass(frozen=True, kw_only=True)
class Policies:
    """The policies that may judge: the one that draws now, the one before it, and the first."""

    live: Policy
    previous: Policy
    initial: Policy


@contextmanager
def open_judge(
    spec: AnyJudge, engine: AnyBackend, policies: Policies, live: Backend, store: Path
) -> Iterator[tuple[Backend | None, Policy | None]]:
    """A backend that holds the judging policy, and that policy; neither for a judge that is no policy.

    `live` holds the live policy, and serves where that one judges.
    """
    if not isinstance(spec, PolicyJudgeBase):
        yield None, None
        return
    judging = judging_policy(spec, policies, store)
    if judging.digest == policies.live.digest:
        yield live, judging
        return
    with open_backend(engine, judging) as backend:
        yield backend, judging


def judging_policy(spec: PolicyJudgeBase, policies: Policies, store: Path) -> Policy:
    """The policy that judges at this iteration."""
    match spec.policy:
        case "live":
            return policies.live
        case "previous":
            return policies.previous
        case "initial":
            return policies.initial
        case "external":
            assert spec.path is not None
            return folder_policy(spec.path, store)
