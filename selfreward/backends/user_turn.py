"""A user turn that a model writes itself, behind the opening of one: where it ends, and what it says."""

from collections.abc import Sequence

from selfreward.backends.base import Completion
from selfreward.backends.chat import Chat


def user_turn_of(
    chat: Chat, prompt_tokens: int, closing: str, tokens: Sequence[int], logprobs: Sequence[float], stops: Sequence[int]
) -> Completion:
    """What was drawn as the text of a user turn, which `closing` follows in the template.

    It ends at a stop token, at any control token and at the words with which `closing` begins, whichever comes first;
    without one of them it is cut. `tokens` counts all that were drawn up to a stop token.
    """
    end = next((place for place, token in enumerate(tokens) if token in stops), None)
    drawn = list(tokens if end is None else tokens[:end])
    whole: str = chat.tokenizer.decode(drawn, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    ends = [found.start()] if (found := chat.control.search(whole)) else []
    words = chat.control.split(closing.strip(), maxsplit=1)[0].strip().splitlines()
    ends += [place] if words and (place := whole.find(words[0])) >= 0 else []
    counted = len(drawn) if end is None else end + 1
    return Completion(
        text=whole[: min(ends, default=len(whole))].strip(),
        finish="length" if end is None and not ends else "stop",
        tokens=counted,
        token_logprobs=tuple(logprobs[:counted]),
        prompt_tokens=prompt_tokens,
    )
