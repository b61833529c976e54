"""What a check of a model hangs on, and what it finds."""

from dataclasses import dataclass

from selfreward.spec import Spec


class CheckSpec(Spec):
    """What a check hangs on besides the model: whether its code may run, and the libraries that load it."""

    trusted: bool
    libraries: dict[str, str]


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One thing that was looked at, and what is so."""

    what: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """All that was found, in the order it was looked at."""

    found: tuple[CheckFinding, ...]
