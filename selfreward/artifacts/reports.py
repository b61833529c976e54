"""A report of a stage: one frozen dataclass, written as one JSON file and read back as what it was."""

from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter

from selfreward.artifacts.artifact import Artifact, Part
from selfreward.artifacts.output import Output

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Report = TypeVar("Report")


def save_report(out: Output, name: str, report: "DataclassInstance") -> None:
    """Writes `<name>.json`; its fields are those of the dataclass."""
    out.write_json(name, asdict(report))


def load_report(artifact: Artifact | Part, name: str, kind: type[Report]) -> Report:
    """The report that `<name>.json` holds. Raises ValueError where it has not the fields of `kind`."""
    report: Report = TypeAdapter(kind).validate_python(artifact.json(name))
    return report
