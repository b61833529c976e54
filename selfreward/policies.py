"""What draws, is trained and judges: a policy on disk, or a model behind an address."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfreward.records import digest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A model on disk: its folder, the key of the artifact it came from, and the digest of its bytes."""

    path: Path
    key: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The policy that is trained now, the one before it, and the first, by the names that settings have for them."""

    live: Policy
    previous: Policy
    initial: Policy

    def named(self, name: Literal["live", "previous", "initial"]) -> Policy:
        """The policy of this name."""
        found: Policy = getattr(self, name)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A model behind an address that only judges: the name it is served by and the revision that the user declares.

    Both are its identity, since nobody can read its bytes; where it answers is a setting of the engine.
    """

    model: str
    revision: str | None

    @property
    def digest(self) -> str:
        """What it counts by in keys."""
        return digest_of("endpoint", self.model, self.revision)

    @property
    def key(self) -> str:
        """As of every model from outside, its digest."""
        return self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardModels:
    """Reward models that judge together, and what computes their scores, on which the last digits hang."""

    members: tuple[Policy, ...]
    engine: Mapping[str, str | int]

    @property
    def digest(self) -> str:
        """What they count by in keys."""
        return digest_of("reward models", [one.digest for one in self.members], dict(self.engine))

    @property
    def key(self) -> str:
        """That of the artifact which all of them came from; of models from outside, their digest."""
        first = self.members[0]
        return self.digest if first.key == first.digest else first.key


Judging = Policy | Endpoint | RewardModels
"""What may judge."""
