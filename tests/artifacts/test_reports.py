"""Reports of stages: what is not what was written is refused in one line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts import Artifact
from selfreward.artifacts.reports import load_report
from selfreward.errors import CorruptArtifact


@dataclass(frozen=True)
class Sized:
    size: int


def test_a_report_without_its_fields_is_refused_in_one_line(tmp_path: Path) -> None:
    no_manifest: Any = None
    made = Artifact(tmp_path, no_manifest)
    (tmp_path / "sized.json").write_text('{"size": 3}')
    assert load_report(made, "sized", Sized) == Sized(3)
    (tmp_path / "sized.json").write_text('{"weight": 3}')
    with pytest.raises(CorruptArtifact, match=r"sized\.json is no Sized: .* delete the folder") as caught:
        load_report(made, "sized", Sized)
    assert "\n" not in str(caught.value)
