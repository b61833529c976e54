"""One W&B run for one recipe and seed, each iteration in it once. The only file that imports wandb.

The W&B run belongs to the recipe, as artifacts do: it lives in `<store>/.wandb/<id>/`, and `<run>/wandb` links to
it. An iteration is logged at W&B step 2t while it has no update, and at 2t + 1 once it has one, so that a run that
is extended adds what its last iteration lacked, and the next step alone tells what W&B holds. What tells it is W&B:
its server for a run that is online, its files for one that is not. `logged.json` only spares a finished run the
question: of a run that is online it keeps what the server said, never what was sent and may not have come through.

No error of W&B ends a run. It is told once, and what W&B does not hold is sent by the next command that reaches it.
"""

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from selfreward.artifacts import Artifact
from selfreward.artifacts.atomic_files import canonical, locked, write_atomically, write_json
from selfreward.artifacts.runs import link_to, read_run
from selfreward.reading.metrics import data_metrics, final_values, metrics_of_round, metrics_of_run
from selfreward.reading.rounds import Round
from selfreward.reading.samples import COLUMNS, sample_rows
from selfreward.reading.step_table import step_table
from selfreward.shell_quoting import word
from selfreward.tracking.alerts import decision_alerts, gate_alerts, policy_alerts
from selfreward.tracking.tracker import TrackerSpec
from selfreward.updates.rl_steps import RlStep

if TYPE_CHECKING:
    import wandb

AXIS = "loop/iteration"
MEMORY = "logged.json"
DIGESTS = "artifacts.json"
_PATIENCE_S = 300  # for what is still to be sent when a run ends; what is not sent by then is sent by the next command
# Known before an iteration trains; the rest comes with the update.
_POLICY_STAGES = ("measure", "diagnose", "evaluate", "duel", "overoptimisation")
_START_STAGES = ("measure", "evaluate")
# No part of the id: names and places, what the artifacts of iteration 0 tell better, and how long the run is.
_NOT_RECIPE = {"run", "sweep", "store", "tracker", "model", "data", "backend"}


class WandbRun:
    """The W&B run that follows the run in `folder`. It is opened when there is something to log, closed on exit."""

    def __init__(
        self, spec: TrackerSpec, folder: Path, store: Path, settings: Mapping[str, Any], say: Callable[[str], None]
    ) -> None:
        """Starts nothing; `settings` is the whole configuration as plain values."""
        self._spec, self._folder, self._store, self._settings, self._say = spec, folder, store, settings, say
        self._stack = ExitStack()
        self._run: wandb.Run | None = None
        self._home: Path | None = None
        self._next = 0
        self._told_by_server: int | None = None
        self._failed = False

    def __enter__(self) -> "WandbRun":
        """Itself."""
        return self

    def log(self, one: Round, before: Round | None) -> None:
        """Logs what W&B does not hold of an iteration; `before` is the iteration before."""
        if self._home is None:
            self._home = self._store / ".wandb" / run_id(self._settings, self._folder)
            self._next = _remembered(self._home, self._spec)
        step = 2 * one.t + ("update" in one.stages)
        if step < self._next or self._failed:
            return
        with self._errors_reported():
            run = self._run or self._open(self._home)
            if step < self._next:
                return
            row: dict[str, Any] = dict(metrics_of_round(one, before))
            of_policy = {name: one.stages[name] for name in _POLICY_STAGES if name in one.stages}
            known = metrics_of_round(replace(one, stages=of_policy), before)
            alerts = [*gate_alerts(one, before), *decision_alerts(one)]
            if 2 * one.t < self._next:
                row = {name: value for name, value in row.items() if name not in known} | {AXIS: one.t}
            else:
                if one.t == 0:
                    row |= data_metrics(one.sources)
                alerts = [*policy_alerts(one, before), *alerts]
                if self._spec.log_text:
                    row["samples"] = self._samples(one.stages)
            if one.rl_steps is not None:
                row["rl/steps"] = _steps(one.t, one.rl_steps)
            # Before the row: a process killed between the two says it again rather than never.
            for alert in alerts:
                run.alert(alert.title, alert.text, level=alert.level)
            run.log(row, step=step, commit=True)
            self._next = step + 1

    @property
    def is_open(self) -> bool:
        """Whether this process has logged something, or had to ask."""
        return self._run is not None

    def attach(self, name: str, content: str) -> None:
        """Adds a file to the W&B run, if this process has opened it."""
        if self._run is None or self._failed:
            return
        with self._errors_reported():
            path = Path(self._run.dir) / name
            path.write_text(content)
            self._run.save(path, base_path=self._run.dir, policy="now", glob=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the W&B run, as failed if there is an error, and waits for what is still to be sent."""
        with self._stack:
            if self._run is None or self._home is None:
                return
            self.attach(DIGESTS, _digests(self._folder))
            if not self._failed:
                with self._errors_reported():
                    self._run.summary.update(final_values(metrics_of_run(read_run(self._folder))))
            with self._errors_reported():
                self._run.finish(exit_code=0 if error is None else 1)
            if not self._failed:
                known = self._next if self._told_by_server is None else self._told_by_server
                place = {"project": self._spec.project, "entity": self._spec.entity}
                with self._errors_reported():
                    write_json(self._home / MEMORY, {"id": self._home.name, "next_step": known, **place})

    @contextmanager
    def _errors_reported(self) -> Iterator[None]:
        """Tells the first error of W&B, whatever it is; from then on this process leaves W&B alone."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - W&B raises errors of many kinds, and a loop ends for none of them
            if not self._failed:
                self._say(_why_left(error))
            self._failed = True

    def _open(self, home: Path) -> "wandb.Run":
        """Opens the W&B run and asks it how far it is."""
        import wandb

        self._stack.enter_context(
            locked(home / "lock", on_wait=lambda: self._say("W&B: another process logs this run, waiting"))
        )
        # Said first and to all of W&B: otherwise its own telemetry is sent even where nothing is to be.
        wandb.setup(wandb.Settings(mode="offline", silent=True))
        logs = sorted((home / "wandb").glob("*run-*/run-*.wandb"))
        online = self._spec.wandb == "online" and self._can_go_online(home, logs)
        held = 0 if online else max((_next_step(path) for path in logs), default=0)
        link_to(home / "wandb", self._folder / "wandb")
        run = wandb.init(
            id=home.name,
            resume="allow",
            mode="online" if online else "offline",
            project=self._spec.project,
            entity=self._spec.entity,
            name=self._folder.name,
            group=self._settings["sweep"]["name"] if self._settings["sweep"] else self._spec.group,
            config=dict(self._settings),
            dir=home,
            settings=_quiet(),
        )
        self._run, self._next = run, run.step if online else held
        self._told_by_server = run.step if online else None
        run.define_metric(AXIS)
        run.define_metric("*", step_metric=AXIS)
        later = f"offline; `wandb sync {word(self._folder)}/wandb/offline-run-*` sends it"
        self._say(f"W&B: {run.url if online else later}")
        return run

    def _can_go_online(self, home: Path, logs: list[Path]) -> bool:
        """Whether there is a key, and nothing logged offline that W&B must be sent first: it takes steps in order."""
        unsent = (one for one in logs if not one.with_suffix(".wandb.synced").exists())  # `wandb sync` leaves that file
        waiting = [one for one in unsent if one.parent.name.startswith("offline-")]
        if waiting and any(_next_step(one) for one in waiting):
            self._say("W&B: tracker.wandb=online, but a part of this run was logged offline and must be sent first")
            return False
        if not _has_key():
            self._say("W&B: tracker.wandb=online, but there is no key: `wandb login` stores one")
            return False
        return True

    def _samples(self, stages: Mapping[str, Artifact]) -> "wandb.Table":
        import wandb

        held_out = read_run(self._folder).sources["held_out"]
        return wandb.Table(columns=COLUMNS, data=sample_rows(held_out, stages["evaluate"]))


def _steps(t: int, steps: Sequence[RlStep]) -> "wandb.Table":
    """A table and no rows of the history, whose steps are iterations and tell what W&B holds."""
    import wandb

    columns, rows = step_table(t, steps)
    return wandb.Table(columns=[*columns], data=rows)


def run_id(settings: Mapping[str, Any], folder: Path) -> str:
    """The id of the W&B run of the run in `folder`: of everything that decides its results, and not of its name.

    The number of iterations does not count, so that a run that is extended goes on. Models, data and engine count by
    the keys of the first artifacts.
    """
    recipe = {name: value for name, value in settings.items() if name not in _NOT_RECIPE}
    if recipe.get("overoptimisation") is None:  # a run without gold keeps the id that it had before there was any
        recipe.pop("overoptimisation", None)
    recipe["loop"] = {name: value for name, value in recipe["loop"].items() if name != "iterations"}
    view = read_run(folder)
    recipe["sources"] = {name: artifact.digest for name, artifact in view.sources.items()}
    recipe["start"] = {name: view.iterations[0][name].key for name in _START_STAGES}
    return hashlib.sha256(canonical(recipe)).hexdigest()[:16]


def _quiet() -> "wandb.Settings":
    """Numbers and settings, and nothing of the machine, the code or the terminal."""
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        symlink=False,
        host="",
        save_code=False,
        disable_code=True,
        disable_git=True,
        allow_offline_artifacts=False,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        finish_timeout=_PATIENCE_S,
        finish_timeout_raises=True,
    )


def _has_key() -> bool:
    """Whether W&B finds a key where it looks for one."""
    import wandb
    from wandb.sdk.lib import wbauth

    settings = wandb.setup().settings
    return bool(settings.api_key or settings.identity_token_file or wbauth.read_netrc_auth(host=settings.base_url))


def _next_step(log: Path) -> int:
    """The step after the last one in a W&B file, 0 if it holds none; a torn end is as if it had not been written."""
    from wandb.util import get_core_path

    # A W&B process whose run was killed a moment ago may still write to the file it had opened, but not to this one.
    write_atomically(log, log.read_bytes())
    reader = [get_core_path(), "leet", "inspect", "--no-observability", "--json"]
    command = [*reader, "--run-file", str(log), str(log.parent.parent)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    records = (json.loads(line) for line in told.splitlines())
    return max((1 + record["history"]["item"]["_step"] for record in records if record["type"] == "history"), default=0)


def _remembered(home: Path, spec: TrackerSpec) -> int:
    """The next step of which W&B is known to hold all before it, in this project; 0 where nothing is known."""
    try:
        kept = json.loads((home / MEMORY).read_text())
        here = (kept["project"], kept["entity"]) == (spec.project, spec.entity)
        return int(kept["next_step"]) if here else 0
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0


def _digests(folder: Path) -> str:
    """Every artifact of the run by the name of its link, with key and digest, as JSON."""
    found = {name: {"key": one.key, "digest": one.digest} for name, one in read_run(folder).artifacts()}
    return json.dumps(found, indent=2)


def _why_left(error: Exception) -> str:
    """Why W&B is left alone, and how what it lacks gets there."""
    says = " ".join(str(error).partition("\n")[0].split()) or type(error).__name__
    if "deleted" in says:
        return (
            f"W&B: this run was deleted there, and its id cannot be used again ({says}); the run goes on without W&B. "
            "To log all of it anew name another project, tracker.project=NAME"
        )
    return (
        f"W&B: {says}; the run goes on without W&B, and what W&B lacks is sent when you give the same command again "
        "and it can be reached"
    )
