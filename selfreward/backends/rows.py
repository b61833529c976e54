"""What every engine that works on tokens does alike, before the model and after it: limits, rows, answers from tokens.

A limit is the number of tokens that prompt and answer may have together, None where the model names none. A row is the
token ids of a prompt and of its completion.
"""

from collections.abc import Sequence
from typing import Any

from selfreward.backends.base import (
    Answer,
    Completion,
    Conversation,
    NotScored,
    OptionScore,
    Sampling,
    TextScore,
    Unfit,
)
from selfreward.backends.chat import Chat, answer_tokens, render_prompt, render_turns, turns_of
from selfreward.errors import BackendError
from selfreward.records import Finish
from selfreward.thought import marks_in, split_thought

Row = tuple[list[int], list[int]]


def stop_ids(chat: Chat, generation_config: Any) -> list[int]:
    """The end-of-turn token first, then every other token at which the model's author stops."""
    ids = [chat.end_of_turn, chat.tokenizer.eos_token_id, *author_stops(generation_config)]
    return list(dict.fromkeys(int(token) for token in ids if token is not None))


def author_stops(generation_config: Any) -> list[int]:
    """The tokens at which a generation config stops."""
    named = generation_config.eos_token_id
    return [] if named is None else [*named] if isinstance(named, list) else [named]


def pad_id(chat: Chat, vocabulary: int) -> int:
    """The token to pad with: the model's own where it has one among its `vocabulary` embeddings, else end of turn."""
    own = chat.tokenizer.pad_token_id
    return chat.end_of_turn if own is None or own >= vocabulary else int(own)


def prompts_to_draw(
    chat: Chat, prompts: Sequence[Conversation], sampling: Sampling, limit: int | None
) -> list[list[int]]:
    """Token ids of each prompt.

    Raises:
        BackendError: a prompt that leaves no room for the answer, or k > 1 at temperature 0.
    """
    if sampling.temperature == 0 and sampling.k > 1:
        raise BackendError(f"temperature 0 would draw {sampling.k} equal answers: set k=1, or a temperature")
    rows = [render_prompt(chat, messages) for messages in prompts]
    longest = max(map(len, rows), default=0)
    if limit is not None and longest + sampling.max_new_tokens > limit:
        lower = f" or set max_new_tokens to at most {limit - longest}" if longest < limit else ""
        said = prompts[max(range(len(rows)), key=lambda place: len(rows[place]))][-1].content[:60]
        raise BackendError(
            f"a prompt of {longest} tokens ({said!r} ...) and max_new_tokens={sampling.max_new_tokens} exceed the "
            f"model's {limit} tokens: shorten the prompt{lower}"
        )
    return rows


def why_unfit(chat: Chat, messages: Conversation, room: int, limit: int | None) -> Unfit | None:
    """Why no prompt with `room` tokens for an answer can be made of a conversation; None where one can."""
    try:
        if limit is None:
            render_turns(chat, turns_of(chat.rendering, messages))
            return None
        length = len(render_prompt(chat, messages))
    except BackendError as error:
        return Unfit("refused_by_the_template", str(error))
    if length + room <= limit:
        return None
    return Unfit(
        "prompt_too_long",
        f"its {length} tokens leave no room for an answer of {room} in the model's {limit}",
    )


def count_tokens(chat: Chat, texts: Sequence[str]) -> list[int]:
    """Completion tokens of each text, with its thought if it brings one and the end-of-turn token."""
    split = [split_thought(text) for text in texts]
    return [len(answer_tokens(chat, answer, ended=True, thought=thought).completion) for thought, answer in split]


def completion_of(
    chat: Chat, prompt: list[int], tokens: Sequence[int], logprobs: Sequence[float], stops: Sequence[int]
) -> Completion:
    """The answer up to and including its first stop token; what follows that is padding."""
    end = next((place for place, token in enumerate(tokens) if token in stops), None)
    drawn = list(tokens if end is None else tokens[: end + 1])
    finish: Finish = "length" if end is None else "stop"
    thought, text = _read(chat, drawn if end is None else drawn[:-1])
    again = answer_tokens(chat, text, ended=finish == "stop", thought=thought)
    return Completion(
        text=text,
        thought=thought,
        finish=finish,
        token_logprobs=tuple(logprobs[: len(drawn)]),
        prompt_tokens=len(prompt),
        respelled=bool(again.lead) or again.completion != drawn,
    )


def _read(chat: Chat, tokens: Sequence[int]) -> tuple[str | None, str]:
    """The thought and the answer that tokens decode to, without control tokens but the markers of the thought."""
    tokenizer, rendering = chat.tokenizer, chat.rendering
    whole, bare = _decode(tokenizer, tokens, bare=False), _decode(tokenizer, tokens)
    whole = whole.removeprefix(rendering.space)
    thought, answer = split_thought(whole, open=rendering.opens_thought)
    if thought is None and rendering.lead and whole.startswith(rendering.lead):
        thought, answer = rendering.lead, whole.removeprefix(rendering.lead)
    if thought is None:
        return None, _without_trail(chat, bare)
    known = marks_in(thought)
    marks = [place for place, text in enumerate(tokenizer.convert_ids_to_tokens(list(tokens))) if text in known]
    ends = sum(thought.count(mark) for mark in known)
    if 0 < ends <= len(marks):
        answer = _decode(tokenizer, tokens[marks[ends - 1] + 1 :])
    return thought, _without_trail(chat, answer)


def _without_trail(chat: Chat, text: str) -> str:
    return text.strip().removesuffix(chat.rendering.trail.strip()).strip()


def _decode(tokenizer: Any, tokens: Sequence[int], *, bare: bool = True) -> str:
    text: str = tokenizer.decode(list(tokens), skip_special_tokens=bare, clean_up_tokenization_spaces=False)
    return text


def answers_to_score(
    chat: Chat, answers: Sequence[Answer], limit: int | None
) -> tuple[list[TextScore | NotScored], dict[int, Row]]:
    """Results that need no model, with a 0.0 to be replaced at each index for which there is a row to score."""
    results: list[TextScore | NotScored] = []
    rows: dict[int, Row] = {}
    for index, answer in enumerate(answers):
        tokens = answer_tokens(chat, answer.text, ended=answer.ended, thought=answer.thought)
        prompt, completion = [*render_prompt(chat, answer.messages), *tokens.lead], tokens.completion
        total = len(prompt) + len(completion)
        results.append(TextScore(logprob=0.0, tokens=len(completion), prompt_tokens=len(prompt)))
        if limit is not None and total > limit:
            reason = f"prompt and answer have {total} tokens, the model's context holds {limit}"
            results[index] = NotScored(outcome="truncated", reason=reason)
        elif completion:
            rows[index] = (prompt, completion)
    return results, rows


def prompts_to_score(
    chat: Chat, prompts: Sequence[Conversation], lead: Sequence[int], limit: int | None
) -> tuple[list[OptionScore | NotScored], dict[int, Row]]:
    """As `answers_to_score`, for the one token after each prompt and `lead`: the completions are empty."""
    results: list[OptionScore | NotScored] = []
    rows: dict[int, Row] = {}
    for index, messages in enumerate(prompts):
        prompt = [*render_prompt(chat, messages), *lead]
        results.append(OptionScore(logprobs=(), prompt_tokens=len(prompt)))
        if limit is not None and len(prompt) >= limit:
            reason = f"the prompt has {len(prompt)} tokens, the model's context holds {limit}"
            results[index] = NotScored(outcome="truncated", reason=reason)
        else:
            rows[index] = (prompt, [])
    return results, rows
