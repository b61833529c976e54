"""What the cells of a sweep share and what each has to make, told before it runs, by what is swept.

A key is made of what a stage reads, so a setting changes its own stage and those that read what that stage makes.
"""

from collections.abc import Collection, Mapping, Sequence

READS: Mapping[str, Sequence[str]] = {
    "measure": (),
    "diagnose": ("measure",),
    "evaluate": (),
    "duel": ("evaluate",),
    "red_team": ("evaluate",),
    "overoptimisation": ("measure", "evaluate"),
    "prompts": (),
    "sample": ("prompts",),
    "health": (),
    "revise": ("prompts", "sample"),
    "judge": ("prompts", "sample", "revise"),
    "meta": ("prompts", "sample", "revise", "judge"),
    "gate": ("health", "judge", "meta", "duel", "overoptimisation"),
    "select": ("prompts", "sample", "revise", "judge"),
    "decide": ("diagnose", "prompts", "sample", "revise", "judge", "select"),
    "mix": ("meta", "select", "decide"),
    "reward": ("mix",),
    "update": ("mix",),
}
"""The stages of a round in their order, and what each reads of the same round. A later round begins with the update."""

_SETS: Mapping[str, Sequence[str]] = {
    **{stage: (stage,) for stage in READS},
    **dict.fromkeys(("judge", "rubric", "comparison", "constitution"), ("overoptimisation", "health", "judge")),
    "overoptimisation": ("red_team", "overoptimisation"),
    "monitor": ("diagnose", "decide"),
    "monitor.horizon": ("diagnose", "gate", "decide"),
    "mix.real_share": ("decide",),
    "meta.max_share": ("mix",),
    "reward": ("duel", "health", "judge", "reward"),
    **dict.fromkeys(("loop", "store", "tracker"), ()),
}
"""The stages that read a setting, by the beginning of its name. What is not here is read by the data or the engine."""

_WHERE_ASKED = ("duel", "red_team", "overoptimisation", "revise", "meta", "reward")
"""The stages that a run has only where it is asked for them."""

_BY_ORDERS = ("measure", "monitor")
"""What reaches training through what the monitor orders alone."""


def sharing_lines(swept: Collection[str]) -> list[str]:
    """One line for each swept setting: what all its values share, what is made for each of them, and why."""
    return [f"shared by all values of {name}: {_shared(name)}" for name in sorted(swept)]


def made_for_each(name: str) -> list[str] | None:
    """The stages that a setting changes in a round, in order, at iteration 0; None for all, the data too."""
    group, _, place = name.partition("@")
    places = (place if place.startswith("revise.") else group).split(".")
    prefixes = (".".join(places[:end]) for end in range(len(places), 0, -1))
    sets = next((_SETS[prefix] for prefix in prefixes if prefix in _SETS), None)
    if sets is None:
        return None
    changed: list[str] = []
    for stage, read in READS.items():
        # The orders are the same whatever a monitor that only observes has seen.
        by_orders = stage == "mix" and places[0] in _BY_ORDERS
        if stage in sets or (not by_orders and not set(read).isdisjoint(changed)):
            changed.append(stage)
    return changed


def _shared(name: str) -> str:
    if name == "seed":
        return (
            "the data, prompts that are not drawn, and what a judge that draws nothing says of gold in iteration 0; "
            "all else is drawn anew for each seed"
        )
    if f"{name}.".startswith("sample.from."):
        return "the data and all of iteration 0, where every policy that may draw is the same one"
    made = made_for_each(name)
    if made is None:
        return "what comes out the same; the data or the engine, on which everything hangs, change with it"
    if not made:
        return "everything that they all come to"
    kept = [stage for stage in READS if stage not in made and stage not in _WHERE_ASKED]
    few = [stage for stage in ("revise", "reward") if not (name.startswith(stage) or f"@{stage}." in name)]
    made = [stage for stage in made if stage not in few]  # few runs have these in rounds
    if "update" in made:
        return (
            f"the data and, of iteration 0, {', '.join(kept)}; made for each: {', '.join(made)}, and all of the later "
            "iterations, whose policies differ"
        )
    orders = ", and training where that changes what the monitor orders" if name.startswith(_BY_ORDERS) else ""
    return f"all but {', '.join(made)}, which each has in every iteration{orders}"
