"""Sections, tables and their cells, so that all of the page looks alike."""

from collections.abc import Iterable, Sequence

from selfreward.metrics.intervals import Interval
from selfreward.report.figures import DASH, change, limits, share
from selfreward.report.markup import Child, Markup, element, joined


def section(title: str, intro: str, *children: Child) -> Markup:
    """A part of the page with its heading and one line on how to read it."""
    return element("section", element("h2", title), element("p", intro, class_="intro"), *children)


def table(head: Sequence[str], rows: Sequence[Sequence[Child]], *, words: bool = False) -> Markup:
    """A table whose first column names the rows; it scrolls sideways by itself on a narrow screen.

    Cells are aligned as numbers unless they are `words`.
    """
    titles = element("tr", *(element("th", title, scope="col") for title in head))
    body = [
        element("tr", element("th", name, scope="row"), *(element("td", cell) for cell in cells))
        for name, *cells in rows
    ]
    whole = element("table", element("thead", titles), element("tbody", *body), class_="words" if words else "numbers")
    return element("div", whole, class_="scroll")


def with_limits(found: Interval | None, *, signed: bool = False) -> Child:
    """A cell with a value and, below it, its limits; a dash where there is no interval."""
    if found is None:
        return DASH
    write = change if signed else share
    return joined((write(found.value), element("small", limits(found, signed=signed))))


def definitions(facts: Iterable[tuple[str, Child]], **attributes: str) -> Markup:
    """A list of names, each with what is to be said of it."""
    rows = (element("div", element("dt", name), element("dd", told)) for name, told in facts)
    return element("dl", *rows, **attributes)
