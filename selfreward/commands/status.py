"""`selfreward status RUN`: what a run has made so far, what it cost, and what it kept."""

from selfreward.artifacts.runs import RunView, read_run
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.reading.best import best_of
from selfreward.reading.rounds import Round, rounds_of
from selfreward.reading.settings import progress_of, read_config
from selfreward.stages.reward import reward_line, rewarding_of
from selfreward.tracking.rl_lines import rl_lines


def main(arguments: list[str]) -> int:
    """Prints one line for each artifact of the run. Always 0 for a run that exists."""
    parsed = run_parser("status", "Show what a run has made so far.").parse_args(arguments)
    view = read_run(run_folder(parsed.run, parsed.runs))
    for name, artifact in view.artifacts():
        manifest = artifact.manifest
        rows = ", ".join(f"{table.rows:,} {table.name}" for table in manifest.tables) or "-"
        gone = " (bytes collected)" if manifest.collected else ""
        print(f"{name:<22} {manifest.key[:8]}  {manifest.seconds:>8.1f} s  {rows}{gone}")
    if "reward" in view.sources:
        print(reward_line(rewarding_of(view.sources["reward"])).strip())
    for one in rounds_of(view):
        if "mix" in one.stages:
            print(_yield(one))
        if one.reward is not None:
            print(f"iteration {one.t}: {reward_line(one.reward).strip()}")
        for line in rl_lines(one):
            print(f"iteration {one.t}: {line.strip()}")
    if (best := best_of(view)) is not None:
        print(best.told)
    print(_progress(view))
    return 0


def _yield(one: Round) -> str:
    judged, selection, made = one.judged, one.selection, one.making_per_row
    assert judged is not None
    assert selection is not None
    tokens = "" if made is None or made.tokens is None else f" and {made.tokens:,.1f} tokens"
    return (
        f"iteration {one.t}: {one.drawn:,} candidates of {selection.prompts:,} prompts, {judged.scored:,} judgments "
        f"scored, {selection.eligible:,} candidates eligible, {one.kept:,} own rows kept"
        f"{'' if selection.handed is None else f', {selection.handed:,} prompts handed to the update'}"
        f"{'' if made is None else f'; {made.seconds:.3g} s{tokens} a row'}"
    )


def _progress(view: RunView) -> str:
    found = progress_of(read_config(view.folder), rounds_of(view))
    if found.asked is None:
        return f"{view.name}: not begun"
    seconds = sum(artifact.manifest.seconds for _, artifact in view.artifacts())
    unended = found.stop or "unfinished: the same `selfreward run` command goes on"
    state = "complete" if found.complete else unended
    return f"{view.name}: {found.updates} of {found.asked} updates, {seconds:,.0f} s of work, {state}"
