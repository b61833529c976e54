"""The rows of a drawing, in the order in which they begin; their prompts are read when they are wanted."""

import copy
from collections.abc import Sequence
from typing import Any

from selfreward.backends.drawing import Drawing
from selfreward.backends.forward import Prefix, copied
from selfreward.backends.live_rows import LiveRows


class RowQueue:
    """What is left of a drawing. Prompts are read together, those of as many rows as are drawn at once."""

    def __init__(self, model: Any, drawing: Drawing, prefix: Prefix | None) -> None:
        """`prefix` is what the model computed of that of the drawing, None where nothing was."""
        self._model, self._drawing, self._prefix = model, drawing, prefix
        self._begun = self._read_up_to = 0

    def start(self, most: int) -> LiveRows | None:
        """The next rows, at most so many of those whose prompts are read; None where no row is left."""
        import torch

        rows = self._drawing.rows
        if self._begun == len(rows):
            return None
        if self._begun == self._read_up_to:
            self._read()
        places = range(self._begun, min(self._begun + most, self._read_up_to))
        self._begun = places.stop
        device = self._model.device
        prompts_R = torch.tensor([rows[place].prompt - self._first for place in places], device=device)
        cache = copy.deepcopy(self._cache)
        cache.batch_select_indices(prompts_R)
        return LiveRows(
            rows_R=torch.tensor(places, device=device),
            steps_R=torch.zeros_like(prompts_R),
            last_R=self._ids_PT[prompts_R, -1],
            mask_RT=self._mask_PT[prompts_R],
            cache=cache,
        )

    def _read(self) -> None:
        """The keys and values of the next prompts, but for their last tokens; a prompt with all of its rows."""
        from transformers import DynamicCache

        model, drawing, rows = self._model, self._drawing, self._drawing.rows
        end = min(self._begun + drawing.width, len(rows))
        while end < len(rows) and rows[end].prompt == rows[end - 1].prompt:
            end += 1
        self._first, last = rows[self._begun].prompt, rows[end - 1].prompt
        known = 0 if self._prefix is None else len(drawing.prefix)
        prompts = drawing.prompts[self._first : last + 1]
        self._ids_PT, self._mask_PT = padded(prompts, known, drawing.pad, model.device)
        self._cache = DynamicCache(config=model.config) if self._prefix is None else copied(self._prefix, len(prompts))
        self._read_up_to = end
        if self._ids_PT.shape[1] > known + 1:
            places_PT = (self._mask_PT.cumsum(-1) - 1).clamp(min=0)
            model.base_model(
                self._ids_PT[:, known:-1],
                attention_mask=self._mask_PT[:, :-1],
                position_ids=places_PT[:, known:-1],
                past_key_values=self._cache,
                use_cache=True,
            )


def padded(prompts: Sequence[list[int]], known: int, pad: int, device: Any) -> tuple[Any, Any]:
    """Token ids and mask, prompts x places: `pad` stands before those that are shorter, behind the `known` first ones.

    The mask tells a model where the places are.
    """
    import torch

    width = max(map(len, prompts))
    ids, mask = [], []
    for prompt in prompts:
        gap = width - len(prompt)
        ids.append([*prompt[:known], *[pad] * gap, *prompt[known:]])
        mask.append([1] * known + [0] * gap + [1] * (len(prompt) - known))
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
