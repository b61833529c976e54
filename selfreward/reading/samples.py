"""Sample answers for W&B and the page: what people look at first when a number surprises them. All text is hostile."""

from dataclasses import dataclass
from itertools import product

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.metrics.sharpening import EvaluatedAnswer
from selfreward.records import STRATA, HeldOutPrompt
from selfreward.stages.evaluate import greedy_answers

COLUMNS: list[str | int] = ["prompt", "stratum", "answer", "right", "finish"]
_PER_STRATUM = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """A held-out prompt and what each policy answers when greedy; None where a policy was not evaluated."""

    prompt: HeldOutPrompt
    answers: tuple[EvaluatedAnswer | None, ...]


def samples_of(view: RunView) -> list[Sample]:
    """The first held-out prompts of both strata in each set, closed ones first, with all policies' greedy answers."""
    if "held_out" not in view.sources:
        return []
    evaluated = [stages.get("evaluate") for stages in view.iterations]
    columns = [{} if one is None else greedy_answers(one) for one in evaluated]
    prompts = _first_prompts(view.sources["held_out"])
    return [Sample(prompt, tuple(column.get(prompt.id) for column in columns)) for prompt in prompts]


def sample_rows(held_out: Artifact, evaluated: Artifact) -> list[list[str | bool | None]]:
    """Rows of COLUMNS: the greedy answers of one policy to the same prompts."""
    greedy = greedy_answers(evaluated)
    rows: list[list[str | bool | None]] = []
    for prompt in _first_prompts(held_out):
        asked, answer = "\n".join(turn.content for turn in prompt.messages if turn.role != "system"), greedy[prompt.id]
        rows.append([asked, prompt.stratum, answer.text, answer.right, answer.finish])
    return rows


def _first_prompts(held_out: Artifact) -> list[HeldOutPrompt]:
    prompts = list(held_out.records(HeldOutPrompt))
    kinds = product(STRATA, dict.fromkeys(one.set_name for one in prompts))
    alike = [[one for one in prompts if (one.stratum, one.set_name) == kind] for kind in kinds]
    return [one for some in alike for one in some[:_PER_STRATUM]]
