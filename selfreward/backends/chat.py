"""From conversations and answers to tokens and back: the same functions for sampling, for scoring and for training."""

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from selfreward.backends.base import Completion
from selfreward.backends.chat_template import Turn, control_pattern, render, template_file
from selfreward.backends.rendering import Rendering
from selfreward.errors import BackendError
from selfreward.records import Finish, Message
from selfreward.thought import behind, marks_in, split_thought

_Piece = tuple[str, bool]
"""A run of text, and whether it spells a control token and is none."""
_NEUTRAL = "\n"
"""Text behind which other text is tokenised as in the middle of a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A tokenizer, what is settled about rendering for its model, and what follows from both.

    `control` matches the text of every control token. `context` is the text from the last control token before an
    answer on: tokens are taken of an answer as it stands behind that.
    """

    tokenizer: Any
    rendering: Rendering
    control: re.Pattern[str]
    context: str
    end_of_turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """An answer as tokens: `lead` belongs to the prompt and bears no loss, `completion` is what a policy draws."""

    lead: list[int]
    completion: list[int]


def open_chat(tokenizer: Any, rendering: Rendering) -> Chat:
    """The chat of a tokenizer whose template is the one that `rendering` was settled for."""
    control = control_pattern(tokenizer, rendering.end_of_turn)
    last = max((found.start() for found in control.finditer(rendering.opening)), default=0)
    return Chat(
        tokenizer=tokenizer,
        rendering=rendering,
        control=control,
        context=rendering.opening[last:],
        end_of_turn=int(tokenizer.convert_tokens_to_ids(rendering.end_of_turn)),
    )


def render_prompt(chat: Chat, messages: Sequence[Message]) -> list[int]:
    """Token ids of the conversation under the model's chat template, up to where the answer begins.

    Text that spells a control token stays text: no message can end its own turn or open another. Raises BackendError
    where the template refuses the conversation or drops what somebody says.
    """
    turns = _turns_of(chat.rendering, messages)
    mark = _unused("[[{}]]", turns)
    return _unmarked(chat, _render_turns(chat, _marked(chat, turns, mark), prompted=True), turns, mark)


def render_answered(chat: Chat, messages: Sequence[Message], answers: Sequence[str]) -> list[list[int]]:
    """Token ids of the conversation with each of `answers` as its last turn, to the last letter of the template.

    The template is not shown the answer, which it might cut or read something into: it writes a word, which the answer
    takes the place of. Where it does not write a last answer, the tokens of answers stand behind those of the prompt.
    Otherwise as `render_prompt`.
    """
    turns = _turns_of(chat.rendering, messages)
    said = [*turns, *({"role": "assistant", "content": answer.strip()} for answer in answers)]
    mark, place = _unused("[[{}]]", said), _unused("answer{}", said)
    turns_to_render = [*_marked(chat, turns, mark), {"role": "assistant", "content": place}]
    before, written, behind = _render_turns(chat, turns_to_render, prompted=False).rpartition(place)
    if not written:
        prompt, tokens = render_prompt(chat, messages), [answer_tokens(chat, text, ended=True) for text in answers]
        return [[*prompt, *one.lead, *one.completion] for one in tokens]
    rows = []
    for turn in said[len(turns) :]:
        text = f"{before}{_marked(chat, [turn], mark)[0]['content']}{behind}"
        rows.append(_unmarked(chat, text, [*turns, turn], mark))
    return rows


def render_user_turn(chat: Chat, messages: Sequence[Message]) -> tuple[list[int], str]:
    """Token ids up to where the text of the next user turn begins behind `messages`, and the text that closes it.

    Raises BackendError where the template writes nothing before or behind what a user says.
    """
    place = _unused("question{}", _turns_of(chat.rendering, messages))
    asked = Message(role="user", content=place)
    alone, turns = _turns_of(chat.rendering, [asked]), _turns_of(chat.rendering, [*messages, asked])
    mark = _unused("[[{}]]", turns)
    opened = _render_turns(chat, alone, prompted=True).removeprefix(chat.tokenizer.bos_token or "").partition(place)[0]
    before, _, closing = _render_turns(chat, _marked(chat, turns, mark), prompted=True).rpartition(place)
    if not opened.strip() or not closing.strip():
        raise BackendError(
            f"{template_file(chat.tokenizer)} writes nothing {'behind' if opened.strip() else 'before'} what a user "
            "says, so no user turn can be opened for the model to write: set prompts=self_instruct, or another "
            "chat_template"
        )
    # A word is a token with the space before it: behind a space alone, the model would go on as it never does.
    return _unmarked(chat, before.rstrip(" "), turns, mark), closing


def _unused(form: str, turns: Sequence[Turn]) -> str:
    """The first text of a form with a number that no turn has."""
    texts = map(form.format, itertools.count())
    return next(text for text in texts if not any(text in turn["content"] for turn in turns))


def _marked(chat: Chat, turns: Sequence[Turn], mark: str) -> list[dict[str, str]]:
    """The turns with a mark for every spelled-out control token."""
    return [{**turn, "content": chat.control.sub(lambda _: mark, turn["content"])} for turn in turns]


def _unmarked(chat: Chat, text: str, turns: Sequence[Turn], mark: str) -> list[int]:
    """Token ids of a text in which marks stand for the control tokens that `turns` spell out."""
    spelled = [found for turn in turns for found in chat.control.findall(turn["content"])]
    written = text.split(mark)
    if len(written) != len(spelled) + 1:
        raise BackendError(
            f"{template_file(chat.tokenizer)} drops or repeats parts of a message, so its control tokens cannot be "
            "told from text: use a template that writes every message once"
        )
    ids = _ids(chat.tokenizer, written[0])
    for control, piece in zip(spelled, written[1:], strict=True):
        ids += [*_letters(chat.tokenizer, control), *_continued(chat.tokenizer, _NEUTRAL, piece)]
    return ids


def _render_turns(chat: Chat, turns: Sequence[Turn], *, prompted: bool) -> str:
    """The text of a conversation. Raises BackendError where the template refuses the turns or drops what one says."""
    settled = chat.rendering
    text = render(chat.tokenizer, turns, settled.template_kwargs, settled.date, settled.content, prompted=prompted)
    for number, turn in enumerate(turns, start=1):
        if turn["role"] != "assistant" and turn["content"].strip() not in text:
            raise BackendError(
                f"{template_file(chat.tokenizer)} does not write turn {number}, by {turn['role']}, as it is "
                f"({' '.join(turn['content'].split())[:60]!r}): mend the template, or give another with "
                "chat_template=FILE"
            )
    return text + (settled.header if prompted else "")


def answer_tokens(chat: Chat, text: str, *, ended: bool, thought: str | None = None) -> Tokens:
    """Tokens of an answer as they stand behind a prompt; `ended` appends the end of its turn.

    `thought` is what stands before the answer, markers included. An answer without one stands behind the lead of the
    template. Text that spells a control token stays text: an answer cannot end its own turn.
    """
    rendering = chat.rendering
    trail = rendering.trail if ended else ""
    if thought is None:
        lead = _behind(chat.tokenizer, chat.context, [(rendering.lead, False)])
        before, pieces = chat.context + rendering.lead, [(rendering.space, False)]
    else:
        lead = []
        drawn = behind(rendering.opening, thought)
        before, pieces = chat.context, [(rendering.space, False), *_pieces(chat, drawn, marks_in(drawn))]
    completion = _behind(chat.tokenizer, before, [*pieces, *_pieces(chat, text), (trail, False)])
    return Tokens(lead=lead, completion=[*completion, chat.end_of_turn] if ended else completion)


def option_tokens(chat: Chat, options: Sequence[str]) -> tuple[list[int], list[int]]:
    """What a prompt goes on with before each option, and the one token of each. Raises BackendError if one has none."""
    tokens = [answer_tokens(chat, option, ended=False) for option in options]
    ids = [one.completion for one in tokens]
    common = 0
    while all(len(one) > common + 1 for one in ids) and len({one[common] for one in ids}) == 1:
        common += 1
    for option, own in zip(options, ids, strict=True):
        if len(own) != common + 1:
            raise BackendError(f"{option!r} is {len(own)} tokens to this model, an option must be one: choose others")
    if len({own[common] for own in ids}) < len(ids):
        raise BackendError(f"two of the options {', '.join(options)} are the same token to this model: choose others")
    return [*tokens[0].lead, *ids[0][:common]], [own[common] for own in ids]


def completion_of(
    chat: Chat, prompt: list[int], tokens: Sequence[int], logprobs: Sequence[float], stops: Sequence[int]
) -> Completion:
    """The answer up to and including its first stop token; what follows that is padding."""
    end = next((place for place, token in enumerate(tokens) if token in stops), None)
    drawn = list(tokens if end is None else tokens[: end + 1])
    finish: Finish = "length" if end is None else "stop"
    thought, text = _read_drawn(chat, drawn if end is None else drawn[:-1])
    again = answer_tokens(chat, text, ended=finish == "stop", thought=thought)
    return Completion(
        text=text,
        thought=thought,
        finish=finish,
        tokens=len(drawn),
        token_logprobs=tuple(logprobs[: len(drawn)]),
        prompt_tokens=len(prompt),
        respelled=bool(again.lead) or again.completion != drawn,
    )


def _read_drawn(chat: Chat, tokens: Sequence[int]) -> tuple[str | None, str]:
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


def stop_ids(chat: Chat, generation_config: Any) -> list[int]:
    """The end-of-turn token first, then every other token at which the model's author stops."""
    ids = [chat.end_of_turn, chat.tokenizer.eos_token_id, *author_stops(generation_config)]
    return list(dict.fromkeys(int(token) for token in ids if token is not None))


def author_stops(generation_config: Any) -> list[int]:
    """The tokens at which a generation config stops."""
    named = generation_config.eos_token_id
    return [] if named is None else [*named] if isinstance(named, list) else [named]


def pad_id(chat: Chat, vocabulary: int) -> int:
    """The token to pad with: the tokenizer's own where it is among the `vocabulary` of the model, else end of turn."""
    own = chat.tokenizer.pad_token_id
    known = own is not None and own < vocabulary
    return int(own) if known else chat.end_of_turn


def _turns_of(rendering: Rendering, messages: Sequence[Message]) -> list[dict[str, str]]:
    """The messages as a template takes them; a system turn that it would refuse goes before the first user's text."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    if rendering.system == "own" or not turns or turns[0]["role"] != "system":
        return turns
    system, first, *rest = turns if len(turns) > 1 else [*turns, {"role": "user", "content": ""}]
    return [{**first, "content": f"{system['content']}\n\n{first['content']}".strip()}, *rest]


def _pieces(chat: Chat, text: str, meant: Collection[str] = ()) -> Iterator[_Piece]:
    """`text` in pieces, each spelled-out control token one of its own unless it is among those that are `meant`."""
    end = 0
    for found in chat.control.finditer(text):
        if found[0] not in meant:
            yield text[end : found.start()], False
            yield found[0], True
            end = found.end()
    yield text[end:], False


def _behind(tokenizer: Any, before: str, pieces: Iterable[_Piece]) -> list[int]:
    """Token ids of `pieces` one after the other as they stand behind `before`, whose tokens are not among them."""
    ids: list[int] = []
    for spelled, group in itertools.groupby(pieces, key=lambda piece: piece[1]):
        text = "".join(text for text, _ in group)
        ids += _letters(tokenizer, text) if spelled else _continued(tokenizer, before, text)
        before = _NEUTRAL if ids else before
    return ids


def _continued(tokenizer: Any, before: str, text: str) -> list[int]:
    """Token ids of `text` as it stands behind `before`."""
    if not text:
        return []
    known, both = _ids(tokenizer, before), _ids(tokenizer, before + text)
    if both[: len(known)] == known:
        return both[len(known) :]
    # A token spans the border. A policy goes on from the tokens of its prompt, so the text begins anew.
    return _ids(tokenizer, text) if before == _NEUTRAL else _continued(tokenizer, _NEUTRAL, text)


def _letters(tokenizer: Any, text: str) -> list[int]:
    """A spelled-out control token as tokens of its letters."""
    return [token for letter in text for token in _continued(tokenizer, _NEUTRAL, letter)]


def _ids(tokenizer: Any, text: str) -> list[int]:
    return [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
