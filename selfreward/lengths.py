"""How long the answers of a run may get, which its prompts have to leave room for."""

from selfreward.backends.candidates import AnswerLengths
from selfreward.config import RunConfig
from selfreward.data.roles import Role


def answer_lengths(config: RunConfig) -> dict[Role, AnswerLengths]:
    """How long answers may get, by the role of the prompts; roles whose prompts nobody answers are left out."""
    lengths: dict[Role, AnswerLengths] = {
        "train": config.sample.max_new_tokens,
        "held_out": config.evaluate.max_new_tokens,
        "probe": config.measure.max_new_tokens,
    }
    return lengths | ({"human": config.sample.max_new_tokens} if config.prompts.human else {})
