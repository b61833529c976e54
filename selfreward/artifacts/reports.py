"""A report of a stage: one frozen dataclass, written as one JSON file and read back as what it was."""

import functools
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from selfreward.artifacts.artifact import Artifact
from selfreward.artifacts.output import Output
from selfreward.errors import CorruptArtifact

if TYPE_CHECKING:
    from collections.abc import Hashable

    from _typeshed import DataclassInstance

Report = TypeVar("Report")


def save_report(out: Output, name: str, report: "DataclassInstance") -> None:
    """Writes `<name>.json`; its fields are those of the dataclass."""
    out.write_json(name, asdict(report))


def load_report(artifact: Artifact, name: str, kind: type[Report]) -> Report:
    """The report that `<name>.json` holds. Raises CorruptArtifact where it has not the fields of `kind`."""
    try:
        report: Report = _reader(cast("Hashable", kind)).validate_python(artifact.json(name))
    except ValidationError as error:
        raise CorruptArtifact(
            f"{artifact.path}/{name}.json is no {kind.__name__}: it was altered, or made by another version; delete "
            f"the folder {artifact.path} and run again"
        ) from error
    return report


@functools.cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    """What reads reports of a kind; to build it takes a hundred times as long as to read one."""
    return TypeAdapter(kind)
