"""Tokens drawn from a transformers model: each prompt is read once, and each row has a random stream of its own."""

from typing import Any

from selfreward.backends.base import Advance
from selfreward.backends.drawing import Drawing
from selfreward.backends.forward import Prefix, goes_on, sees_all_places
from selfreward.backends.live_rows import LiveRows
from selfreward.backends.one_query import one_query_at_a_time
from selfreward.backends.row_queue import RowQueue, padded
from selfreward.backends.token_sampler import Sampler


def draw_tokens(
    model: Any, drawing: Drawing, prefix: Prefix | None, advance: Advance
) -> list[tuple[list[int], list[float]]]:
    """For each row its tokens, and the log-probability in nats of each token at temperature 1.

    `advance` is told of rows as they end. What comes after the first stop token of a row means nothing. `prefix` is
    what the model computed of the tokens of that name, None where nothing was. What is drawn depends on the other rows
    by rounding alone.
    """
    import torch

    sampler = Sampler(drawing, model.device)
    with torch.inference_mode():
        draw = _decoded if goes_on(model) else _generated
        tokens, logprobs = draw(model, drawing, prefix, sampler, advance)
    drawn = zip(drawing.rows, tokens.tolist(), logprobs.tolist(), strict=True)
    return [(own[: row.limit], likely[: row.limit]) for row, own, likely in drawn]


def _decoded(
    model: Any, drawing: Drawing, prefix: Prefix | None, sampler: Sampler, advance: Advance
) -> tuple[Any, Any]:
    """Tokens and log-probabilities, rows x steps.

    Rows that ended are left out when they are a quarter, and others take their places where a model lets them join.
    """
    import torch

    joins = sees_all_places(model)
    queue = RowQueue(model, drawing, prefix)
    # Rows that ended and were not left out yet have a column to write to, behind the last step.
    tokens = torch.full((len(drawing.rows), drawing.steps + 1), drawing.stops[0], device=model.device)
    logprobs = torch.zeros(tokens.shape, device=model.device)
    live = queue.start(drawing.width)
    while live is not None:
        with one_query_at_a_time(model):
            going_R = _step_on(model, live, drawing, sampler, tokens, logprobs)
        advance(int((~going_R).sum()))
        if not going_R.any():
            live = queue.start(drawing.width)
            continue
        live.keep(going_R.nonzero()[:, 0])
        while joins and (room := drawing.width - len(live.rows_R)) and (others := queue.start(room)) is not None:
            live.join(others)
    return tokens[:, :-1], logprobs[:, :-1]


def _step_on(model: Any, live: LiveRows, drawing: Drawing, sampler: Sampler, tokens: Any, logprobs: Any) -> Any:
    """Draws a token of each row, and again until a quarter of the rows has ended; which of them go on."""
    import torch

    ended_R = torch.zeros_like(live.rows_R, dtype=torch.bool)
    while 4 * ended_R.sum() < len(ended_R):
        logits_RV = live.next_logits(model)
        place_R = live.steps_R.clamp(max=drawing.steps)
        chosen_R, tokens_logprobs_R = sampler(logits_RV, live.rows_R, place_R)
        tokens[live.rows_R, place_R], logprobs[live.rows_R, place_R] = chosen_R, tokens_logprobs_R
        live.add(chosen_R)
        ended_R |= sampler.ends(chosen_R, live.rows_R, live.steps_R)
    return ~ended_R


def _generated(
    model: Any, drawing: Drawing, _prefix: Prefix | None, sampler: Sampler, advance: Advance
) -> tuple[Any, Any]:
    """The same by generate(), which knows what a model needs that keeps more than keys and values."""
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    tokens = torch.full((len(drawing.rows), drawing.steps), drawing.stops[0], device=model.device)
    logprobs = torch.zeros(tokens.shape, device=model.device)
    # All that could change what is drawn is named.
    limits = {"max_new_tokens": drawing.steps, "eos_token_id": drawing.stops, "pad_token_id": drawing.pad}
    for rows in torch.arange(len(drawing.rows), device=model.device).split(drawing.width):
        steps: list[Any] = []

        def choose(_ids: Any, scores: Any, rows: Any = rows, steps: list[Any] = steps) -> Any:
            # Logits of which one is finite, so that greedy decoding takes that one.
            chosen_R, logprobs_R = sampler(scores, rows, torch.full_like(rows, len(steps)))
            steps.append(logprobs_R)
            return torch.full_like(scores, -torch.inf).scatter_(1, chosen_R[:, None], 0.0)

        prompts = [drawing.prompts[drawing.rows[row].prompt] for row in rows.tolist()]
        ids_RT, mask_RT = padded(prompts, 0, drawing.pad, model.device)
        sequences = model.generate(
            ids_RT,
            attention_mask=mask_RT,
            generation_config=GenerationConfig(do_sample=False, **limits),
            logits_processor=LogitsProcessorList([choose]),
        )
        tokens[rows, : len(steps)] = sequences[:, ids_RT.shape[1] :]
        logprobs[rows, : len(steps)] = torch.stack(steps, dim=1)
        advance(len(rows))
    return tokens, logprobs
