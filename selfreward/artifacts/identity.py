"""Keys of artifacts, seeds, and the reason why an artifact has to be made."""

import hashlib
from collections.abc import Iterable, Mapping

from selfreward.artifacts.atomic_files import canonical
from selfreward.spec import Json

_SHOWN = 3
_WIDTH = 48


def key_of(identity: Mapping[str, Json]) -> str:
    """The key of an artifact: 16 hex digits of the SHA-256 of everything that decides its content."""
    return hashlib.sha256(canonical(dict(identity))).hexdigest()[:16]


def derive_seed(*parts: int | str) -> int:
    """A seed below 2**32 from a config seed and the names of the place it is used in; the one rule for all seeds."""
    return int.from_bytes(hashlib.sha256(canonical(list(parts))).digest()[:4], "big")


def explain_miss(wanted: Mapping[str, Json], known: Iterable[Mapping[str, Json]]) -> str:
    """How `wanted` differs from the nearest of `known`: settings with both values, changed inputs by their names.

    Where the kind of a part changed, its other settings are not told. Long values are cut.
    """
    new = flat_settings(wanted)
    changes = []
    for old in map(flat_settings, known):
        pairs = {name: (old.get(name, "unset"), new.get(name, "unset")) for name in {**old, **new}}
        changes.append({name: (was, now) for name, (was, now) in pairs.items() if was != now})
    if not changes:
        return "first of its kind"
    nearest = min(changes, key=len)
    inputs = [name.removeprefix("inputs.") for name in nearest if name.startswith("inputs.")]
    others = tuple(name.removesuffix("kind") for name in nearest if name.endswith(".kind"))
    settings = [
        f"{wanted['stage']}.{name.removeprefix('spec.')} {_short(was)} -> {_short(now)}"
        for name, (was, now) in nearest.items()
        if not name.startswith(("inputs.", "seed")) and (name.endswith(".kind") or not name.startswith(others))
    ]
    rest = len(settings) - _SHOWN
    told = settings[:_SHOWN] + ([f"{rest} more settings"] if rest > 0 else [])
    return ", ".join(told + ([f"new {', '.join(inputs)}"] if inputs else [])) or "new seed"


def _short(value: Json) -> str:
    text = str(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def flat_settings(value: Json | Mapping[str, Json], prefix: str = "") -> dict[str, Json]:
    """Nested settings by their dotted names."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    flat: dict[str, Json] = {}
    for name, inner in value.items():
        flat |= flat_settings(inner, f"{prefix}.{name}" if prefix else name)
    return flat
