"""Runs to hold beside a run: its control, which picks candidates (or the order in pairs) at random, and other arms."""

from collections.abc import Collection, Iterable
from typing import Any

from selfreward.artifacts.runs import RunView, read_run
from selfreward.errors import ConfigError, StoreError
from selfreward.reading.settings import read_config


def find_control(view: RunView) -> RunView | None:
    """The first run beside this one, by name, whose settings differ in what is picked at random alone; else None."""
    own = read_config(view.folder)
    if own is None or picks_at_random(own):
        return None
    for folder in sorted(path.parent for path in view.folder.resolve().parent.glob("*/config.json")):
        try:
            config = read_config(folder)
        except StoreError:  # another run, which may be no control at all
            continue
        if config is None or not picks_at_random(config):
            continue
        shared = config["select"].keys() & own["select"].keys()
        if _comparable(config, shared) == _comparable(own, shared):
            return read_run(folder)
    return None


def check_control(view: RunView, control: RunView) -> None:
    """Raises ConfigError if `control` does not pick at random, or asks other prompts or another start model."""
    config = read_config(control.folder)
    if config is None or not picks_at_random(config):
        raise ConfigError(
            f"--control {control.name} is no control run: it ran without select=random_pick or select.pairs=coin"
        )
    _check_shared(view, control, f"--control {control.name}", view.sources)


def check_beside(view: RunView, other: RunView) -> None:
    """Raises ConfigError if `other` measures on other prompts, has another start model or evaluated it otherwise."""
    told = f"--beside {other.name}"
    _check_shared(view, other, told, [name for name in view.sources if name.endswith(("held_out", "probe"))])
    ours, theirs = (run.iterations[0].get("evaluate") if run.iterations else None for run in (view, other))
    if ours is None or theirs is None:
        late = view if ours is None else other
        raise ConfigError(f"{told}: {late.name} has not evaluated the start model yet, give its command again")
    if ours.digest != theirs.digest:
        raise ConfigError(
            f"{told} evaluated the start model otherwise than {view.name}: give both the same seed, backend, evaluate "
            "and data.gold_final"
        )


def picks_at_random(config: dict[str, Any]) -> bool:
    """Whether a run with these settings is a control run."""
    return bool(config["select"]["kind"] == "random_pick" or config["select"].get("pairs") == "coin")


def control_settings(config: dict[str, Any]) -> str:
    """The settings that make a control of a run with these; random pairs can have no tiers."""
    if config["select"]["kind"] == "revision_pairs":
        return "select=preference_pairs select.pairs=coin"
    if config["select"]["kind"] != "preference_pairs":
        return "select=random_pick"
    return "select.pairs=coin" + (" select.length_tier=null" if _has_tiers(config) else "")


def drops_tiers(config: dict[str, Any]) -> bool:
    """Whether the command of a control must leave out `select.length_tier`, which `select=random_pick` has not."""
    return config["select"]["kind"] == "best_of_k" and _has_tiers(config)


def start_digest(view: RunView) -> str | None:
    """The digest of the start model, as the first measurement or evaluation of it noted it."""
    stages = view.iterations[0] if view.iterations else {}
    policies = (stages[stage].policy for stage in ("measure", "evaluate") if stage in stages)
    return next((one.digest for one in policies if one is not None), None)


def _check_shared(view: RunView, other: RunView, told: str, names: Iterable[str]) -> None:
    ours, theirs = ({name: artifact.digest for name, artifact in run.sources.items()} for run in (view, other))
    differing = [name for name in names if name in theirs and ours[name] != theirs[name]]
    if differing:
        # Sources as they were loaded come before what was left of them.
        first = min(differing, key=lambda name: (name.startswith("clean_"), name))
        raise ConfigError(f"{told} has another {first} source than {view.name}")
    if start_digest(view) != start_digest(other):
        raise ConfigError(f"{told} starts from another model than {view.name}")


def _has_tiers(config: dict[str, Any]) -> bool:
    return config["select"].get("length_tier") is not None


def _comparable(config: dict[str, Any], shared: Collection[str]) -> dict[str, Any]:
    """The settings that a run and its control have in common, of the rule those that both rules know (`shared`)."""
    rule = [name for name in shared if name not in ("kind", "pairs", "length_tier")]
    select = {name: config["select"][name] for name in rule}
    return {**config, "run": None, "sweep": None, "tracker": None, "select": select}
