"""Settings and paths as they are printed: pasted into a shell, they are read as what they are."""

import re
import shlex
from pathlib import Path

# What Hydra and a shell read as this text and no other: no number, no null, nothing to expand.
_PLAIN = re.compile(r"(?!(?:null|true|false|nan|inf)$)(?=[A-Za-z]|.*/)[A-Za-z0-9_./-]+", re.IGNORECASE)


def setting(name: str, value: str | Path) -> str:
    """`name=value`, with quotes for Hydra around the value and for the shell around all, where they are needed."""
    return shlex.quote(f"{name}={hydra_text(str(value))}")


def hydra_text(text: str) -> str:
    """`text` as a value that Hydra's grammar reads as this text."""
    if _PLAIN.fullmatch(text):
        return text
    # Hydra takes backslashes for themselves, save before a quotation mark; OmegaConf resolves ${...} afterwards.
    escaped = re.sub(r"(\\*)(?=\$\{)", lambda run: run[0] * 2 + "\\", text)
    escaped = re.sub(r'(\\*)("|$)', lambda run: run[1] * 2 + ("\\" if run[2] else "") + run[2], escaped)
    return f'"{escaped}"'


def word(path: str | Path) -> str:
    """A path as one word of a shell command."""
    return shlex.quote(str(path))
