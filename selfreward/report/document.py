"""The frame of a page: one HTML file with its style inside, that loads and runs nothing."""

from importlib.resources import files

from selfreward.report.markup import Markup, element

# A browser is told to refuse whatever a page might load or run, should anything ever slip in.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def document(title: str, body: Markup) -> str:
    """A whole page as HTML text."""
    style = Markup(files("selfreward.report").joinpath("style.css").read_text())
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", style),
    )
    return f"<!doctype html>\n{element('html', head, element('body', body), lang='en').html}\n"
