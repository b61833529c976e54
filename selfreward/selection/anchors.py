"""The worst answers of iteration 0, for later pairs to reject: they stay bad while the policy's own worst gets better.

Source: Temporal Self-Rewarding, 2508.06026, where chosen and rejected answers that grow alike leave DPO no signal.
"""

from collections.abc import Mapping, Sequence

from selfreward.answers import distinct_key
from selfreward.artifacts import Artifact
from selfreward.records import Prompt
from selfreward.selection.pool import Rated, SelectBase, by_prompt, eligible, first_of_each


def worst_at_first(
    spec: SelectBase, prompts: Artifact, candidates: Artifact, judgments: Artifact
) -> Mapping[str, Sequence[Rated]]:
    """For each of `prompts` that iteration 0 asked, the worst eligible candidates it gave, the worst first, by id.

    `candidates` and `judgments` are those of iteration 0. Two different answers a prompt are kept: a chosen answer
    can equal one of them alone.
    """
    asked = {prompt.id: prompt for prompt in prompts.records(Prompt)}
    return {
        prompt_id: _worst_two(spec, asked[prompt_id], group)
        for prompt_id, group in by_prompt(candidates, judgments)
        if prompt_id in asked
    }


def _worst_two(spec: SelectBase, prompt: Prompt, rated: Sequence[Rated]) -> Sequence[Rated]:
    allowed = sorted(eligible(spec, rated), key=lambda one: (one.worth, one.candidate.index))
    return tuple(first_of_each(prompt, allowed))[:2]


def opposite(prompt: Prompt, text: str, first: Sequence[Rated]) -> Rated | None:
    """The worst of iteration 0's answers that says something else than `text`; None where there is none."""
    given = distinct_key(prompt, text)
    return next((one for one in first if distinct_key(prompt, one.candidate.text) != given), None)
