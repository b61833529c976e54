"""What draws, is trained and judges: a policy on disk, or a model behind an address."""

from dataclasses import dataclass
from pathlib import Path

from selfreward.records import digest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A model on disk: its folder, the key of the artifact it came from, and the digest of its bytes."""

    path: Path
    key: str
    digest: str


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


Judging = Policy | Endpoint
"""What may judge."""
