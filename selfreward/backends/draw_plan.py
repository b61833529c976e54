"""Which answers one process draws: a prompt is read once, and what all prompts begin with too."""

import heapq
import math
from collections import defaultdict
from collections.abc import Sequence

from selfreward.backends.drawing import Drawing, Row
from selfreward.backends.shared_prefixes import common_length
from selfreward.backends.token_backend import TokenRequest

Owner = tuple[int, int, int]
"""The place of a request, of a prompt in it, and of an answer to that."""

ROWS = 64
"""How many answers a CPU draws at once."""

# A step takes a GPU about as long for many rows as for few, until it is filled or its memory is.
_MOST_GPU_ROWS = 512
_GPU_TOKENS = ROWS * 2048
# Tokens; a shorter beginning is not worth a call of the model.
_FEW = 8
# The rows of a drawing for each that is drawn at once: many, as the last steps of a drawing draw few rows, and no more
# than processes that take the next drawing as they come end together.
_ROUNDS = 32


def plan_drawings(
    requests: Sequence[TokenRequest], batch_size: int, *, processes: int, stops: list[int], pad: int, gap: bool
) -> tuple[list[Drawing], list[list[Owner]]]:
    """What is to be drawn, by so many `processes` that are to end together, and whose answer each of its rows is.

    A drawing has all rows to a prompt, prompts in the order of their length, and `batch_size` rows at once. An answer's
    stream is made of its request's seed and its place there. With `gap`, prompts may stand apart from what they begin
    with.
    """
    alike: dict[float, dict[tuple[int, ...], list[Owner]]] = defaultdict(lambda: defaultdict(list))
    for asked, request in enumerate(requests):
        sampling = request.sampling
        for place, prompt in enumerate(request.prompts):
            owners = [(asked, place, n) for n in range(sampling.k)]
            alike[sampling.top_p][tuple(prompt)] += owners
    drawings, owners_of = [], []
    for top_p, by_prompt in alike.items():
        begun = common_length(min(by_prompt)[:-1], max(by_prompt)[:-1]) if gap else 0
        for batch in _batches(by_prompt, batch_size, processes):
            owned = [(number, owner) for number, prompt in enumerate(batch) for owner in by_prompt[prompt]]
            drawing = Drawing(
                prompts=list(map(list, batch)),
                rows=[_row(number, requests[owner[0]], owner) for number, owner in owned],
                width=batch_size,
                prefix=list(batch[0][: begun if begun >= _FEW else 0]),
                top_p=top_p,
                stops=stops,
                pad=pad,
            )
            drawings.append(drawing)
            owners_of.append([owner for _, owner in owned])
    return drawings, owners_of


def gpu_rows(requests: Sequence[TokenRequest]) -> int:
    """How many answers a GPU draws at once: fewer, for the memory's sake, where one of these requests may be long."""
    longest = max((len(prompt) + one.sampling.max_new_tokens for one in requests for prompt in one.prompts), default=1)
    return max(ROWS, min(_MOST_GPU_ROWS, _GPU_TOKENS // longest))


def _row(number: int, request: TokenRequest, owner: Owner) -> Row:
    sampling, stream = request.sampling, (request.seed, *owner[1:])
    return Row(prompt=number, temperature=sampling.temperature, limit=sampling.max_new_tokens, stream=stream)


def cost_of(drawing: Drawing) -> int:
    """About how many tokens a model computes for it."""
    read = len(drawing.prompts) * (max(map(len, drawing.prompts)) - len(drawing.prefix))
    return read + sum(row.limit for row in drawing.rows)


def _batches(by_prompt: dict[tuple[int, ...], list[Owner]], size: int, processes: int) -> list[list[tuple[int, ...]]]:
    """Prompts by length, dealt to batches of about equally many rows: as many batches for each process."""
    total = sum(map(len, by_prompt.values()))
    count = processes * math.ceil(total / (processes * _ROUNDS * size))
    batches: list[list[tuple[int, ...]]] = [[] for _ in range(count)]
    fewest = [(0, number) for number in range(count)]
    for prompt in sorted(by_prompt, key=len):
        rows, number = fewest[0]
        batches[number].append(prompt)
        heapq.heapreplace(fewest, (rows + len(by_prompt[prompt]), number))
    return [batch for batch in batches if batch]
