"""How many references a reply could match at all, counted when a source is read and said by every run."""

from collections.abc import Iterable, Iterator

from selfreward.answers import is_right
from selfreward.artifacts import Artifact, Output
from selfreward.records import Prompt


def counting_references(out: Output, prompts: Iterable[Prompt]) -> Iterator[Prompt]:
    """The `prompts`, with the references of closed ones counted, and those that a reply matches by repeating them."""
    for prompt in prompts:
        if found := echoed(prompt):
            out.count(references=len(found), references_echoed=sum(found))
        yield prompt


def echoed(prompt: Prompt) -> list[bool]:
    r"""For each reference of `prompt` whether it is right as a reply, alone or in a box; the members of a set are one.

    Empty for an open prompt, and for patterns, which no reply repeats.
    """
    if prompt.match is None or prompt.match == "regex":
        return []
    replies = [", ".join(prompt.references)] if prompt.match == "set" else prompt.references
    return [any(is_right(prompt, form.replace("@", reply)) for form in ("@", r"\boxed{@}")) for reply in replies]


def references_line(role: str, table: Artifact) -> str | None:
    """How many references of `role` are right as replies, with one that is not; None without references."""
    counts = table.manifest.counts
    known, matched = counts.get("references", 0), counts.get("references_echoed", 0)
    if not known:
        return None
    told = f"  {role}: {matched:.0f} of {known:.0f} references are right when a reply repeats them"
    if matched == known:
        return told
    missed = next(
        reference
        for prompt in table.records(Prompt)
        for reference, right in zip(prompt.references, echoed(prompt), strict=False)
        if not right
    )
    return (
        f"{told}; WARNING: no reply can match the others, such as {missed[:60]!r}: cut them shorter with "
        "data.columns.reference_pattern, or set data.columns.match or data.columns.stratum=open"
    )
