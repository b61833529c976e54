"""Pages from templates: every value is escaped, and what is missing is a dash."""

import re
import unicodedata
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from selfreward.report import figures

# Line breaks and tabs are layout; the two joiners are spelling in Persian, Hindi and emoji.
_NOT_PLAIN = re.compile("[^ -~\n\t\u200c\u200d]")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FILTERS = ("arrow", "count", "decimals", "limited", "plural", "share")
_PAGES = Environment(
    loader=PackageLoader("selfreward.report"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=lambda value: figures.DASH if value is None else value,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters |= {name: getattr(figures, name) for name in _FILTERS}


def page(template: str, **content: Any) -> str:
    """A whole page as HTML text, all of it visible: one file with its style inside, that loads and runs nothing."""
    return visible(_PAGES.get_template(template).render(content))


def visible(text: str) -> str:
    """`text` with characters that show nothing, or reorder what is shown, written out as ⟨U+202E⟩."""

    def written_out(found: re.Match[str]) -> str:
        return f"⟨U+{ord(found[0]):04X}⟩" if unicodedata.category(found[0]) in _INVISIBLE else found[0]

    return _NOT_PLAIN.sub(written_out, text)
