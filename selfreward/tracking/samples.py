"""Sample answers for W&B: what people look at first when a number surprises them. All text here is hostile."""

from selfreward.artifacts import Artifact
from selfreward.diversity.sharpening import GREEDY, EvaluatedAnswer
from selfreward.records import Prompt

COLUMNS: list[str | int] = ["prompt", "stratum", "answer", "right", "finish"]
_PER_STRATUM = 3


def sample_answers(held_out: Artifact, evaluated: Artifact) -> list[list[str | bool | None]]:
    """Rows of COLUMNS: the greedy answers to the first held-out prompts of both strata, as on the page of a run."""
    prompts = list(held_out.records(Prompt))
    chosen = [one for stratum in ("closed", "open") for one in _first(prompts, stratum)]
    greedy = {one.prompt_id: one for one in evaluated.records(EvaluatedAnswer) if one.temperature == GREEDY}
    return [_row(prompt, greedy[prompt.id]) for prompt in chosen]


def _first(prompts: list[Prompt], stratum: str) -> list[Prompt]:
    return [one for one in prompts if one.stratum == stratum][:_PER_STRATUM]


def _row(prompt: Prompt, answer: EvaluatedAnswer) -> list[str | bool | None]:
    asked = "\n".join(turn.content for turn in prompt.messages if turn.role != "system")
    return [asked, prompt.stratum, answer.text, answer.right, answer.finish]
