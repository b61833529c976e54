"""The drafts of a prompt in a run: who wrote it, behind which examples, and what every filter said."""

from collections.abc import Iterator
from dataclasses import dataclass

from selfreward.artifacts.runs import RunView
from selfreward.reading.lookup import input_of, iterations_of, records_where
from selfreward.reading.prompt_rounds import PolicyName, policy_name
from selfreward.records import Prompt
from selfreward.writing.rows import WrittenPrompt


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenStory:
    """A draft, and the policy that wrote it."""

    draft: WrittenPrompt
    writer: PolicyName


def stories_of(view: RunView, prompt_id: str, iteration: int | None = None) -> tuple[WrittenStory, ...]:
    """Every draft that makes this prompt, in the order in which they were written; nothing for one that came with data.

    With `iteration`, those of that one alone.
    """
    found = []
    for t in iterations_of(view, iteration):
        asked = view.iterations[t].get("prompts")
        if asked is not None and asked.has("written") and "sample" in view.iterations[0]:
            writer = policy_name(view, t, asked.manifest.inputs["writer"])
            drafts = records_where(asked, WrittenPrompt, "id", prompt_id, "written")
            found += [WrittenStory(draft=one, writer=writer) for one in drafts]
    return tuple(found)


def example_of(view: RunView, prompt_id: str) -> Prompt | None:
    """The training prompt of this id, where a writer may have been shown it; None where there is none."""
    for t, stages in enumerate(view.iterations):
        if (asked := stages.get("prompts")) is not None and asked.has("written"):
            found = records_where(input_of(view, t, asked, "train"), Prompt, "id", prompt_id)
            return found[0] if found else None
    return None


def draft_in_words(one: WrittenPrompt) -> Iterator[tuple[str, str]]:
    """What is to be told of a draft but its text and its writer, by name; the texts need no care."""
    why = "" if one.why is None else f" ({one.why.replace('_', ' ')})"
    passed = ", ".join(name.replace("_", " ") for name in one.passed)
    outcome = {"kept": "kept", "over_budget": "passed, and not needed any more"}.get(one.fate)
    yield "outcome", f"{outcome or 'left out by the filter ' + one.fate.replace('_', ' ')}{why}"
    if one.other_id is not None:
        yield "asks as", f"prompt {one.other_id}, similarity {one.similarity:.4g}"
    yield "passed", passed or "no filter"
    yield "written in", f"round {one.round}, draft {one.place} of reply {one.reply}, seed {one.seed}"
    yield "examples", ", ".join(one.examples) or "none"
