"""How numbers are written, the same everywhere on the page; what is missing is a dash."""

from markupsafe import Markup

from selfreward.metrics.intervals import Interval

DASH = "\u2013"
MINUS = "\u2212"


def share(value: float | None) -> str:
    """Three digits behind the point."""
    return decimals(value, 3)


def amount(value: float) -> str:
    """A count as it is, anything else with three digits behind the point."""
    return count(value) if isinstance(value, int) else share(value)


def change(value: float | None) -> str:
    """A difference, always with its sign."""
    return DASH if value is None else f"{value:+.3f}".replace("-", MINUS)


def limits(found: Interval, *, signed: bool = False) -> str:
    """The 95% limits in brackets."""
    write = change if signed else share
    return f"[{write(found.low)}, {write(found.high)}]"


def limited(found: Interval | float | None, *, signed: bool = False) -> str:
    """A cell with a value and, below it, its limits where it has any."""
    if isinstance(found, Interval):
        return below((change if signed else share)(found.value), limits(found, signed=signed))
    return DASH if found is None else change(found) if signed else amount(found)


def below(value: str, more: str) -> Markup:
    """A cell with a value and more about it below, in small letters."""
    return Markup("{}<small>{}</small>").format(value, more)


def change_with_limits(found: Interval | None) -> str:
    """A difference and its limits."""
    return DASH if found is None else f"{change(found.value)} {limits(found, signed=True)}"


def count(value: float | None) -> str:
    """A whole number."""
    return DASH if value is None else f"{value:,}"


def decimals(value: float | None, digits: int) -> str:
    """So many digits behind the point: one of a mean number of tokens, two of nats."""
    return DASH if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def seconds(value: float | None) -> str:
    """A duration: seconds below two minutes, then minutes, then hours."""
    if value is None:
        return DASH
    if value < 120:
        return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"


def plural(value: float, noun: str) -> str:
    """`1 update`, `3 updates`."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def clipped(text: str, longest: int = 20) -> str:
    """`text`, or its beginning where there is no room for all of it."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def arrow(t: int) -> str:
    """Round `t` by the policies before and after it."""
    return f"M{t} → M{t + 1}"
