"""HTML that cannot forget to escape: text becomes markup only by going through `element`."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

_VOID = frozenset({"meta"})
# Line breaks and tabs are layout; the two joiners are spelling in Persian, Hindi and emoji.
_PLAIN = frozenset("\n\t\u200c\u200d")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Markup:
    """HTML that is known to be safe. It is no `str`, so the two cannot be mixed by accident."""

    html: str


Child = Markup | str


def element(tag: str, *children: Child, **attributes: str | float) -> Markup:
    """One element. Every `str` is escaped, only Markup passes through.

    Attribute names are written as Python allows: `class_` for class, `stroke_width` for stroke-width.
    """
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(visible(_attribute(value)))}"'
        for name, value in attributes.items()
    )
    if tag in _VOID:
        return Markup(f"<{tag}{given}>")
    return Markup(f"<{tag}{given}>{joined(children).html}</{tag}>")


def joined(children: Iterable[Child]) -> Markup:
    """Children one after the other, each `str` escaped."""
    return Markup("".join(one.html if isinstance(one, Markup) else escape(visible(one)) for one in children))


def visible(text: str) -> str:
    """`text` with characters that show nothing, or reorder what is shown, written out as ⟨U+202E⟩."""
    return "".join(
        f"⟨U+{ord(one):04X}⟩" if one not in _PLAIN and unicodedata.category(one) in _INVISIBLE else one for one in text
    )


def _attribute(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
