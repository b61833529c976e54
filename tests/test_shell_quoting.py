"""What is printed can be pasted: a shell and Hydra's grammar read it as what it is."""

import re
import shlex
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from selfreward.__main__ import compose
from selfreward.shell_quoting import setting
from tests.support import selfreward
from tests.test_cli import SCRIPTED

ODD = "a1.5-_/\\\"'${}:=,()[] \n\té~+@#!*?|"
WORDS = ["null", "True", "1", "1.5", "-inf", "NaN", "1e5", "1_000", "", "~", "..", "2024/a", "runs/s.a=1,k=2/model"]


def read(typed: str) -> object:
    """What Hydra and OmegaConf make of a setting that was pasted into a shell."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    (word,) = shlex.split(typed)
    return OmegaConf.create({"x": OverridesParser.create().parse_override(word).value()}).x


@given(
    st.one_of(
        st.text(st.sampled_from(ODD), max_size=14).filter(lambda text: "\\${" not in text),
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0$")),
        st.sampled_from(WORDS),
    )
)
def test_any_text_is_read_as_itself(text: str) -> None:
    assert read(setting("a.b", text)) == text


def test_a_plain_value_stands_without_quotes() -> None:
    assert setting("model.path", "/models/my-instruct") == "model.path=/models/my-instruct"
    assert setting("run", "s.mix.real_share=0.1,k=2") == "'run=\"s.mix.real_share=0.1,k=2\"'"


def test_the_commands_that_a_cell_of_a_sweep_prints_can_be_given(tmp_path: Path) -> None:
    done = selfreward("run", "-m", *SCRIPTED[1:], "loop.iterations=0", "run=s", "select.k=2", "seed=0,1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (printed,) = {shlex.split(one)[-1] for one in re.findall(r"`(selfreward report \S*seed=0)`", done.stderr)}
    assert selfreward("report", printed, cwd=tmp_path).returncode == 0
    gone = selfreward("status", "s.seed=7,select.k=2", cwd=tmp_path)
    (command,) = re.findall(r"`selfreward run (.*)`", gone.stderr)
    assert compose(["experiment=scripted", *shlex.split(command)])["run"] == "s.seed=7,select.k=2"
