"""Pages from templates. Every value that is no markup yet is made visible by `shown` and then escaped."""

import unicodedata
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from selfreward.report import figures

# Line breaks and tabs are layout; the two joiners are spelling in Persian, Hindi and emoji.
_PLAIN = frozenset("\n\t\u200c\u200d")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """`text` with characters that show nothing, or reorder what is shown, written out as ⟨U+202E⟩."""
    return "".join(
        f"⟨U+{ord(one):04X}⟩" if one not in _PLAIN and unicodedata.category(one) in _INVISIBLE else one for one in text
    )


def shown(value: Any) -> Any:
    """A value as a page shows it, before it is escaped: markup as it is, None as a dash, text made visible."""
    if value is None:
        return figures.DASH
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def page(template: str, **content: Any) -> str:
    """A whole page as HTML text: one file with its style inside, that loads and runs nothing."""
    return _PAGES.get_template(template).render(content)


_PAGES = Environment(
    loader=PackageLoader("selfreward.report"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=shown,
    trim_blocks=True,
    lstrip_blocks=True,
)
_FILTERS = ("arrow", "count", "limited", "nats", "plural", "share", "tokens")
_PAGES.filters |= {name: getattr(figures, name) for name in _FILTERS}
