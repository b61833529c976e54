"""The structure that readers and later changes rely on, held by the syntax of the package itself."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import selfreward

PACKAGE = Path(selfreward.__file__).parent
MODULES = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


def calls(source: str, *names: str) -> Iterator[ast.Call]:
    """The calls of functions or methods of these names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = node.func
            name = (
                called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
            )
            if name in names:
                yield node


def first_string(call: ast.Call) -> set[str]:
    return {arg.value for arg in call.args[:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}


def named_fields(source: str, *owners: str) -> Iterator[str]:
    """Strings that name an entry of an attribute called so: `x.counts["a"]`, `x.counts.get("a")`, `"a" in x.counts`."""
    for node in ast.walk(ast.parse(source)):
        held: ast.expr | None = None
        key: ast.expr | None = None
        match node:
            case ast.Subscript(value=held, slice=key):
                pass
            case ast.Call(func=ast.Attribute(value=held, attr="get"), args=[key, *_]):
                pass
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[held]):
                pass
        of_artifact = isinstance(held, ast.Attribute) and held.attr in owners and ast.unparse(held.value) != "self"
        if of_artifact and held is not None and isinstance(key, ast.Constant):
            yield f"{ast.unparse(held)}: {key.value}"


def test_the_json_of_an_artifact_is_read_as_a_typed_report() -> None:
    readers = {name for name, source in MODULES.items() if any(calls(source, "json"))}
    assert readers <= {"artifacts/artifact.py", "artifacts/reports.py"}


def test_a_report_is_written_and_read_in_one_module() -> None:
    for name, source in MODULES.items():
        read = {one for call in calls(source, "load_report") for one in first_string(call)}
        written = {one for call in calls(source, "save_report", "write_json") for one in first_string(call)}
        assert read <= written, f"{name} reads a report that it does not write"


def test_counts_and_settings_of_an_artifact_are_named_by_their_stage_alone() -> None:
    found = {
        name: told
        for name, source in MODULES.items()
        if not name.startswith(("artifacts/", "stages/"))
        and name != "commands/verify.py"  # which checks the manifests themselves
        and (told := [*named_fields(source, "counts", "identity", "spec")])
    }
    assert found == {}


def test_loop_is_read_at_once() -> None:
    source = MODULES["loop.py"]
    assert len(source.splitlines()) <= 150
    assert not re.search(r"isinstance|\.kind\b", source), "the loop knows no kinds"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_module_is_longer_than_300_lines(name: str) -> None:
    assert len(MODULES[name].splitlines()) <= 300


def test_untyped_mappings_are_rare() -> None:
    assert sum(source.count("Mapping[str, Any]") for source in MODULES.values()) <= 15
