"""`selfreward monitor check RUN`: the verdict on one round from what is stored, as an exit code for scripts."""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView, read_run
from selfreward.console import table_lines
from selfreward.errors import StoreError
from selfreward.monitor.controller import healthier
from selfreward.monitor.verdict_words import finding_cells
from selfreward.shell_quoting import setting
from selfreward.stages.decide import Decision, decision_of
from selfreward.stages.diagnose import verdict_of

EXIT_CODES: Mapping[str, int] = {
    "OK": 0,
    "WARMUP": 0,
    "WARN": 10,
    "ALARM": 20,
    "SEVERE": 21,
    "INVALID": 30,
    "INCONCLUSIVE": 31,
    "BUDGET_EXHAUSTED": 40,
}


def check(folder: Path, iteration: int | None) -> int:
    """Prints the verdict on `iteration`, or on the last round that is diagnosed; its code from `EXIT_CODES`.

    Raises StoreError where there is no run or no diagnosis of that round.
    """
    view = read_run(folder)
    last = len(diagnosed_rounds(view)) - 1
    number = last if iteration is None else iteration
    if not 0 <= number <= last:
        raise StoreError(f"round {number} of {view.name} is not diagnosed: give --iteration 0 to {last}")
    stages = view.iterations[number]
    verdict = verdict_of(stages["diagnose"])
    decision = decision_of(stages["decide"]) if "decide" in stages else None
    state = verdict.state if decision is None else decision.course.state
    print(f"{view.name}, round {number}: {state}", f"  {verdict.why}", f"  {verdict.cannot_see}", sep="\n")
    if verdict.ordered:
        print("", *table_lines([finding_cells(one) for one in verdict.ordered]), sep="\n")
    print("", *_course(decision), *_way_back(view, number), sep="\n")
    return EXIT_CODES[state]


def diagnosed_rounds(view: RunView) -> list[Mapping[str, Artifact]]:
    """The stages of each round from the first on that has a verdict. Raises StoreError where none has."""
    found = list(takewhile(lambda stages: "diagnose" in stages, view.iterations))
    if not found:
        raise StoreError(
            f"{view.name} is not diagnosed yet: `selfreward run {setting('run', view.name)} ...` goes on with it"
        )
    return found


def _course(decision: Decision | None) -> list[str]:
    if decision is None:
        return ["controller: no decision on this round; the last policy of a run has none"]
    course, mode = decision.course, decision.settings["mode"]
    given = {name: value for name, value in sorted(asdict(course.orders).items()) if value}
    lines = [
        f"controller ({mode}): {course.action}, real share {course.real_share:.3f}, rung {course.rung}",
        f"  {course.why}",
    ]
    if given:
        lines.append(f"  orders: {', '.join(f'{name} {value}' for name, value in given.items())}")
    if course.stop is not None:
        lines.append(f"  stopped the run: {course.stop}")
    return lines


def _way_back(view: RunView, number: int) -> list[str]:
    """The healthy round with the likeliest human answers up to `number`, and how to start from its policy."""
    best, nll = None, None
    for t in range(number + 1):
        verdict = verdict_of(view.iterations[t]["diagnose"])
        best, nll = healthier((best, nll), t, verdict.state, verdict.human_nll)
    if best is None:
        return []
    lines = ["", f"best healthy round: {best}, human NLL {nll:.3f}"]
    if 0 < best < number:
        trained = view.iterations[best - 1]["update"]
        model = view.folder / f"iter-{best - 1:03d}" / "update" / "model"
        start = f"selfreward run {setting('model.path', model)} run=NAME"
        lines.append("  its weights were deleted by `selfreward gc`" if trained.manifest.collected else f"  {start}")
    return lines
