"""The same prompts under every policy, side by side. All text here comes from data or models and is hostile."""

from collections.abc import Sequence

from selfreward.metrics.sharpening import EvaluatedAnswer
from selfreward.reading.samples import Sample
from selfreward.report.figures import DASH
from selfreward.report.markup import Markup, element, joined

_KINDS = {"closed": "closed: one right answer", "open": "open"}


def side_by_side(samples: Sequence[Sample]) -> Markup:
    """One block for each prompt: what was asked, the references, one column for each policy."""
    if not any(answer is not None for sample in samples for answer in sample.answers):
        return element("p", "Nothing evaluated yet.", class_="empty")
    return joined([_sample(one) for one in samples])


def _sample(sample: Sample) -> Markup:
    turns = [turn for turn in sample.prompt.messages if turn.role != "system"]
    said = [turn.content if len(turns) == 1 else f"{turn.role}: {turn.content}" for turn in turns]
    asked = [element("p", text, class_="said", dir="auto") for text in said]
    references = element("ul", *(element("li", one, class_="said", dir="auto") for one in sample.prompt.references))
    return element(
        "article",
        element("p", _KINDS[sample.prompt.stratum], class_="eyebrow"),
        element("div", *asked, class_="asked"),
        element("div", element("span", "Reference", class_="eyebrow"), references, class_="references")
        if sample.prompt.references
        else "",
        element("div", *(_answer(t, one) for t, one in enumerate(sample.answers)), class_="answers"),
    )


def _answer(t: int, answer: EvaluatedAnswer | None) -> Markup:
    if answer is None:
        return element("div", element("p", f"M{t}", class_="who"), element("p", DASH), class_="answer")
    marks = []
    if answer.right is not None:
        marks.append(element("span", "✓ right" if answer.right else "✗ wrong", class_="ok" if answer.right else "bad"))
    if answer.finish == "length":
        marks.append(element("span", "… cut", class_="cut"))
    return element(
        "div",
        element("p", f"M{t} ", *marks, class_="who"),
        folded_thought(answer.thought),
        element("p", answer.text or "(nothing)", class_="said", dir="auto"),
        class_="answer",
    )


def folded_thought(thought: str | None) -> Markup:
    """What was thought before an answer, to be unfolded; nothing where nothing was."""
    if thought is None:
        return joined(())
    return element("details", element("summary", "thought"), element("p", thought, class_="said", dir="auto"))
