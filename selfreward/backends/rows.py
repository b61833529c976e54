"""What every engine that works on tokens does alike, before the model and after it: limits, rows, answers from tokens.

A limit is the number of tokens that prompt and answer may have together, None where the model names none. A row is the
token ids of a prompt and of its completion.
"""

from collections.abc import Sequence
from typing import Any

from selfreward.backends.base import Answer, Completion, Conversation, NotScored, OptionScore, Sampling, TextScore
from selfreward.backends.chat import completion_ids, end_of_turn_id, render_prompt
from selfreward.errors import BackendError

Row = tuple[list[int], list[int]]


def stop_ids(tokenizer: Any, generation_config: Any) -> list[int]:
    """The end-of-turn token first, then every other token at which the model's author stops."""
    named = generation_config.eos_token_id
    listed = named if isinstance(named, list) else [named]
    ids = [end_of_turn_id(tokenizer), tokenizer.eos_token_id, *listed]
    return list(dict.fromkeys(int(token) for token in ids if token is not None))


def prompts_to_draw(
    tokenizer: Any, prompts: Sequence[Conversation], sampling: Sampling, limit: int | None
) -> list[list[int]]:
    """Token ids of each prompt.

    Raises:
        BackendError: a prompt that leaves no room for the answer, or k > 1 at temperature 0.
    """
    if sampling.temperature == 0 and sampling.k > 1:
        raise BackendError(f"temperature 0 would draw {sampling.k} equal answers: set k=1, or a temperature")
    rows = [render_prompt(tokenizer, messages) for messages in prompts]
    longest = max(map(len, rows), default=0)
    if limit is not None and longest + sampling.max_new_tokens > limit:
        lower = f" or set max_new_tokens to at most {limit - longest}" if longest < limit else ""
        raise BackendError(
            f"a prompt of {longest} tokens and max_new_tokens={sampling.max_new_tokens} exceed the model's "
            f"{limit} tokens: shorten the prompt{lower}"
        )
    return rows


def completion_of(
    tokenizer: Any, prompt: list[int], tokens: Sequence[int], logprobs: Sequence[float], stops: Sequence[int]
) -> Completion:
    """The answer up to and including its first stop token; what follows that is padding."""
    end = next((place for place, token in enumerate(tokens) if token in stops), None)
    count = len(tokens) if end is None else end + 1
    text = tokenizer.decode(tokens[:count], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Completion(
        text=text.strip(),
        finish="length" if end is None else "stop",
        token_logprobs=tuple(logprobs[:count]),
        prompt_tokens=len(prompt),
    )


def answers_to_score(
    tokenizer: Any, answers: Sequence[Answer], limit: int | None
) -> tuple[list[TextScore | NotScored], dict[int, Row]]:
    """Results that need no model, with a 0.0 to be replaced at each index for which there is a row to score."""
    results: list[TextScore | NotScored] = []
    rows: dict[int, Row] = {}
    for index, answer in enumerate(answers):
        prompt = render_prompt(tokenizer, answer.messages)
        completion = completion_ids(tokenizer, answer.raw, answer.ended)
        total = len(prompt) + len(completion)
        results.append(TextScore(logprob=0.0, tokens=len(completion), prompt_tokens=len(prompt)))
        if limit is not None and total > limit:
            reason = f"prompt and answer have {total} tokens, the model's context holds {limit}"
            results[index] = NotScored(outcome="truncated", reason=reason)
        elif completion:
            rows[index] = (prompt, completion)
    return results, rows


def prompts_to_score(
    tokenizer: Any, prompts: Sequence[Conversation], limit: int | None
) -> tuple[list[OptionScore | NotScored], dict[int, Row]]:
    """As `answers_to_score`, for the one token after each prompt: the completions are empty."""
    results: list[OptionScore | NotScored] = []
    rows: dict[int, Row] = {}
    for index, messages in enumerate(prompts):
        prompt = render_prompt(tokenizer, messages)
        results.append(OptionScore(logprobs=(), prompt_tokens=len(prompt)))
        if limit is not None and len(prompt) >= limit:
            reason = f"the prompt has {len(prompt)} tokens, the model's context holds {limit}"
            results[index] = NotScored(outcome="truncated", reason=reason)
        else:
            rows[index] = (prompt, [])
    return results, rows
