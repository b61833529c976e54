"""Settings as they are typed, in Hydra's grammar: what that reads as something else is told with what to type."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from selfreward.data.roles import Role
from selfreward.errors import ConfigError
from selfreward.shell_quoting import hydra_text, setting, word

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

_FULL_ERROR = "HYDRA_FULL_ERROR"
_NESTED = ("[", "{", '"', "'")
_NAME = re.compile(r"\+{0,2}[A-Za-z_][\w./@:$-]*")
_ROLE = re.compile(rf"data\.({'|'.join(get_args(Role))})(?:\.([\w.]+))?")


def conf_folder() -> Path:
    """The folder of yaml files: inside an installed package, or beside the package in a checkout."""
    package = Path(__file__).parent
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


def check_typed(overrides: Sequence[str], *, sweeps: bool) -> None:
    """Raises ConfigError, with what to type, for a value that is no value, or several where one is meant.

    With `sweeps`, values with commas between them are a sweep; without, they are never one.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    for typed in overrides:
        try:
            parsed = parser.parse_override(typed)
        except HydraException as error:
            raise ConfigError(_unread(typed, str(error).partition("\n")[0])) from error
        if not parsed.key_or_group:
            raise ConfigError(_unread(typed, "it is empty"))
        _check_group(typed)
        if parsed.is_sweep_override():
            _check_sweep(typed, parsed, sweeps=sweeps)


@contextmanager
def errors_of_hydra(overrides: Sequence[str]) -> Iterator[None]:
    """What Hydra has to say of the settings as ConfigError, in its own words; its whole trace where that is asked for.

    Hydra's ways in print their errors and end the process unless the trace is asked for, so here it is.
    """
    from hydra.errors import CompactHydraException

    if os.environ.get(_FULL_ERROR) == "1":
        yield
        return
    os.environ[_FULL_ERROR] = "1"
    try:
        yield
    except CompactHydraException as error:
        cause = f"\n{error.__cause__}" if type(error.__cause__).__module__.startswith("omegaconf") else ""
        raise ConfigError(_of_role(str(error), overrides) or f"{error}{cause}") from error
    finally:
        del os.environ[_FULL_ERROR]


def _unread(typed: str, says: str) -> str:
    """What to type for an override that cannot be read; `says` is what Hydra has against it."""
    name, equals, value = typed.partition("=")
    if not equals:
        example = setting("SETTING", "two words")
        return f"{word(typed)} is no SETTING=VALUE: a value with spaces needs quotes, as in {example}"
    if not _NAME.fullmatch(name):
        return f"{word(typed)} has no name of a setting before '=': {says}"
    if value.startswith(_NESTED):
        example = word(name + '={name: "a text"}')
        return f"{typed} cannot be read ({says}): put each text in it in quotes, as in {example}"
    return f"{typed} needs quotes, type {setting(name, value)}"


def _check_group(typed: str) -> None:
    """Raises ConfigError for a number where a file of `conf/` is to be named, which Hydra has no words for."""
    name, _, value = typed.partition("=")
    group = conf_folder() / name.lstrip("+").partition("@")[0]
    if group.is_dir() and re.fullmatch(r"[+-]?[\d.]\S*|true|false", value.strip(), re.IGNORECASE):
        files = ", ".join(sorted(path.stem for path in group.glob("*.yaml")))
        raise ConfigError(f"{typed} names no file of conf/{group.name}: give one of {files}")


def _check_sweep(typed: str, parsed: "Override", *, sweeps: bool) -> None:
    from hydra.core.override_parser.types import ChoiceSweep

    name, _, value = typed.partition("=")
    choice = parsed.value()
    simple = isinstance(choice, ChoiceSweep) and choice.simple_form
    if not sweeps:
        text = f"; as one text it is {setting(name, value)}, as a list {word(f'{name}=[{value}]')}" if simple else ""
        raise ConfigError(f"{typed} is several values, which `selfreward run -m ...` tries one after the other{text}")
    if not isinstance(choice, ChoiceSweep) or not simple:
        return
    bare = [one for one in choice.list if isinstance(one, str)]
    if Path(value).exists() or any(re.search(r"\s", one) for one in bare):
        each = ",".join(hydra_text(one) if isinstance(one, str) else str(one) for one in choice.list)
        raise ConfigError(
            f"{typed} may be one text or a sweep of {len(choice.list)}: type {setting(name, value)} for the text, "
            f"{word(f'{name}=choice({each})')} for the sweep"
        )


def _of_role(says: str, overrides: Sequence[str]) -> str | None:
    """What to type for a role of the data with settings of its own, where that is what Hydra cannot override."""
    found = re.search(rf"Could not override '({_ROLE.pattern})'", says)
    if found is None or found[3] is None:
        return None
    from selfreward.data.own import SOURCE_FIELDS

    role = f"data.{found[2]}"
    typed = (one.lstrip("+").partition("=") for one in overrides)
    given = {name: value for name, _, value in typed if name == role or name.startswith(f"{role}.")}
    parts = {name.removeprefix(role).removeprefix("."): value for name, value in given.items()}
    if found[2] == "held_out" and not {name.partition(".")[0] for name in parts} & {"", *SOURCE_FIELDS}:
        return f"{found[1]} is one of the sets of {role}, which are one setting: type {word(f'{role}={_dict(parts)}')}"
    tree = {"path": parts.pop("", parts.pop("path", "FILE"))}
    columns = {name.removeprefix("columns."): parts.pop(name) for name in list(parts) if name.startswith("columns.")}
    tree |= parts
    if columns:
        tree["columns"] = _dict(columns)
    return f"{found[1]} is part of a source of its own: type {word(f'{role}={_dict(tree)}')}"


def _dict(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in values.items()) + "}"
