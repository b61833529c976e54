"""Sample answers for W&B and the page: what people look at first when a number surprises them. All text is hostile."""

from selfreward.artifacts import Artifact
from selfreward.metrics.sharpening import GREEDY, EvaluatedAnswer
from selfreward.records import STRATA, Prompt

COLUMNS: list[str | int] = ["prompt", "stratum", "answer", "right", "finish"]
_PER_STRATUM = 3


def sample_answers(held_out: Artifact, evaluated: Artifact) -> list[list[str | bool | None]]:
    """Rows of COLUMNS: the greedy answers to the first held-out prompts of both strata."""
    greedy = greedy_answers(evaluated)
    return [_row(prompt, greedy[prompt.id]) for prompt in first_prompts(held_out)]


def first_prompts(held_out: Artifact) -> list[Prompt]:
    """The first prompts of both strata, closed ones first."""
    prompts = list(held_out.records(Prompt))
    return [one for stratum in STRATA for one in [one for one in prompts if one.stratum == stratum][:_PER_STRATUM]]


def greedy_answers(evaluated: Artifact) -> dict[str, EvaluatedAnswer]:
    """The greedy answer to each held-out prompt, by the prompt's id."""
    return {one.prompt_id: one for one in evaluated.records(EvaluatedAnswer) if one.temperature == GREEDY}


def _row(prompt: Prompt, answer: EvaluatedAnswer) -> list[str | bool | None]:
    asked = "\n".join(turn.content for turn in prompt.messages if turn.role != "system")
    return [asked, prompt.stratum, answer.text, answer.right, answer.finish]
