"""The store of artifacts: identity, cache, shards, atomic commit, lock, miss explanation."""

from selfreward.artifacts.identity import derive_seed
from selfreward.artifacts.output import Advance, Output, Reporter
from selfreward.artifacts.store import Artifact, Input, Store

__all__ = ["Advance", "Artifact", "Input", "Output", "Reporter", "Store", "derive_seed"]
