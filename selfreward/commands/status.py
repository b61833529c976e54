"""`selfreward status RUN`: what a run has made so far, what it cost, and what it kept."""

from collections.abc import Mapping

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView, read_run
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.reading.content import read_config, why_stopped
from selfreward.reading.yields import cost_per_row, making_of, yield_of


def main(arguments: list[str]) -> int:
    """Prints one line for each artifact of the run. Always 0 for a run that exists."""
    parser = run_parser("status", "Show what a run has made so far.")
    parsed = parser.parse_args(arguments)
    view = read_run(run_folder(parsed.run, parsed.runs))
    for name, artifact in view.artifacts():
        manifest = artifact.manifest
        rows = ", ".join(f"{table.rows:,} {table.name}" for table in manifest.tables) or "-"
        gone = " (bytes collected)" if manifest.collected else ""
        print(f"{name:<22} {manifest.key[:8]}  {manifest.seconds:>8.1f} s  {rows}{gone}")
    for t, stages in enumerate(view.iterations):
        if "mix" in stages:
            print(_yield(t, stages))
    print(_progress(view))
    return 0


def _yield(t: int, stages: Mapping[str, Artifact]) -> str:
    found, made = yield_of(stages), making_of(cost_per_row(stages))
    line = (
        f"iteration {t}: {found.drawn:,} candidates of {found.prompts:,} prompts, {found.scored:,} judgments scored, "
        f"{found.eligible:,} candidates eligible, {found.kept:,} own rows kept"
    )
    if made is None:
        return line
    tokens = "" if made.tokens is None else f" and {made.tokens:,.1f} tokens"
    return f"{line}; {made.seconds:.3g} s{tokens} a row"


def _progress(view: RunView) -> str:
    config = read_config(view.folder)
    if config is None:
        return f"{view.name}: not begun"
    asked = config["loop"]["iterations"]
    updates = sum("update" in stages for stages in view.iterations)
    seconds = sum(artifact.manifest.seconds for _, artifact in view.artifacts())
    ended = len(view.iterations) > asked and "evaluate" in view.iterations[asked]
    unended = why_stopped(view) or "unfinished: the same `selfreward run` command goes on"
    state = "complete" if ended else unended
    return f"{view.name}: {updates} of {asked} updates, {seconds:,.0f} s of work, {state}"
