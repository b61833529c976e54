"""The store of artifacts: identity, cache, shards, atomic commit, lock, miss explanation."""

from selfreward.artifacts.artifact import Artifact, Part, part_of
from selfreward.artifacts.identity import derive_seed
from selfreward.artifacts.output import Advance, Output, Reporter
from selfreward.artifacts.store import Input, Store

__all__ = ["Advance", "Artifact", "Input", "Output", "Part", "Reporter", "Store", "derive_seed", "part_of"]
