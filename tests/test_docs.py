"""Documentation that is true: metric names, commands, links."""

import re
import shlex
from pathlib import Path

import pytest

from selfreward.__main__ import USAGE, compose, expand
from selfreward.config import validate
from selfreward.reading.metrics import final_values
from selfreward.tracking import metrics_of_run
from tests.support import run_scripted

ROOT = Path(__file__).parent.parent
_PLACEHOLDERS = {
    "{stratum}": "(closed|open)",
    "{family}": "(sem|lex|ent|nll|recall|human)",
    "{k}": r"\d+",
    "{role}": r"\w+",
    "{reason}": r"\w+",
    "{set}": r"\w+",
    "{source}": r"\w+",
    "{stage}": r"\w+",
    "{outcome}": "(revised|unchanged|empty|refused|cut|escaped|failed)",
    "{drawer}": "(live|previous|initial)",
    "{measure}": r"\w+",
    "{member}": r"\w+",
    "{held}": "(held_out|gold|final)",
    "{opponent}": "(start|previous)",
    "*": r"\w+",
}
SETS, RED_TEAM = "data.held_out_shifted=8", "data.red_team_held_out=8"
GOLD = ("overoptimisation=default", "judge.policy=initial")
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def documented_names() -> list[re.Pattern[str]]:
    """Every name in the first column of docs/metrics.md as a pattern; an interval allows its limits."""
    patterns = []
    for line in (ROOT / "docs/metrics.md").read_text().splitlines():
        if not line.startswith("| `"):
            continue
        first = line.split("|")[1]
        names = re.findall(r"`([^`]+)`", first)
        for name in names:
            full = f"{names[0].rsplit('/', 1)[0]}/{name.removeprefix('.../')}" if name.startswith("...") else name
            pattern = re.escape(full)
            for placeholder, known in _PLACEHOLDERS.items():
                pattern = pattern.replace(re.escape(placeholder), known)
            patterns.append(re.compile(pattern + ("(_low|_high)?" if "(interval)" in first else "")))
    return patterns


def test_every_metric_is_defined(tmp_path: Path) -> None:
    faults = ("backend.cut_share=0.1", "backend.refusal_share=0.1")
    rows = metrics_of_run(run_scripted(tmp_path, *faults, SETS, RED_TEAM, *GOLD, "revise=default"))
    patterns = documented_names()
    emitted = {name for row in rows for name in row} - {"train/skill", "train/modes"}
    assert sorted(name for name in emitted if not any(pattern.fullmatch(name) for pattern in patterns)) == []


def test_every_definition_is_of_a_metric_that_exists(tmp_path: Path) -> None:
    """A probe that is large enough for every estimator, a budget, and gold beside a judge that stays."""
    probe = ("data.probe_open=40", "measure.k=5", "measure.baseline_k=10", "monitor.budget=900")
    scores = ("judge@overoptimisation.gold=rubric", "overoptimisation.gold.policy=initial")
    rows = metrics_of_run(run_scripted(tmp_path, *probe, SETS, RED_TEAM, *GOLD, *scores, "revise=default"))
    emitted = {name for row in rows for name in row} | final_values(rows).keys()
    rare = re.compile(r"data/|prompts/|select/|judge/|meta/|mix/meta_|duel/|train/|cost/|reward/|final/(kl|tokens)_")
    unused = [p.pattern for p in documented_names() if not any(p.fullmatch(name) for name in emitted)]
    assert [pattern for pattern in unused if not rare.match(pattern)] == []


def commands() -> list[tuple[str, str]]:
    """Every run command, with the first page that shows it."""
    found: dict[str, str] = {}
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        for command in re.findall(r"^ {4}(selfreward run .*)$", text, re.MULTILINE):
            found.setdefault(command.split("#")[0].strip(), page.name)
    return [(page, command) for command, page in found.items()]


@pytest.mark.parametrize(("page", "command"), commands())
def test_every_run_command_composes(page: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rewards.py").write_text("\n".join(_PYTHON.findall((ROOT / "docs/judges.md").read_text())))
    monkeypatch.chdir(tmp_path)
    overrides = shlex.split(command)[2:]
    if "-m" not in overrides:
        validate(compose(overrides))
        return
    cells, _, _ = expand([one for one in overrides if one != "-m"])
    for cell in cells:
        validate(compose(cell))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_and_file_that_is_named_exists(page: Path) -> None:
    for name in re.findall(r"(?:bash|python) (scripts/[\w.]+)", page.read_text()):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\]\(([\w./-]+)\)", page.read_text()):
        assert (page.parent / name).exists(), name


def test_every_command_of_the_usage_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for command in re.findall(r"^  (\w+) ", USAGE, re.MULTILINE):
        assert f"selfreward {command}" in readme, command


def test_no_module_is_longer_than_a_person_reads() -> None:
    long = {
        path.name: n for path in (ROOT / "selfreward").rglob("*.py") if (n := len(path.read_text().splitlines())) > 300
    }
    assert long == {}
