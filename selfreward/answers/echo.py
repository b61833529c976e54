"""Whether a reference can be matched at all: by a reply that repeats it."""

from selfreward.answers.reading import is_right
from selfreward.records import Prompt


def echoed(prompt: Prompt) -> list[bool]:
    r"""For each reference of `prompt` whether it is right as a reply, alone or in a box; the members of a set are one.

    Empty for an open prompt, and for patterns, which no reply repeats.
    """
    if prompt.match is None or prompt.match == "regex":
        return []
    replies = [", ".join(prompt.references)] if prompt.match == "set" else prompt.references
    return [any(is_right(prompt, form.replace("@", reply)) for form in ("@", r"\boxed{@}")) for reply in replies]
