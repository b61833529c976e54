"""The rows of a drawing, in the order in which they begin; their prompts are read when they are wanted."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from selfreward.backends.drawing import Drawing
from selfreward.backends.forward import Prefix, copied
from selfreward.backends.live_rows import LiveRows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """Prompts from the `first` on, all but the last token of each read; they are those of the rows up to `end`."""

    first: int
    end: int
    ids_PT: Any
    mask_PT: Any
    cache: Prefix


class RowQueue:
    """What is left of a drawing. Prompts are read as their rows begin, and kept for those of their rows that wait."""

    def __init__(self, model: Any, drawing: Drawing, prefix: Prefix | None) -> None:
        """`prefix` is what the model computed of that of the drawing, None where nothing was."""
        self._model, self._drawing, self._prefix = model, drawing, prefix
        self._begun = 0
        self._read: _Read | None = None

    def start(self, most: int) -> LiveRows | None:
        """The next rows, at most so many; fewer where those before them had to wait; None where no row is left."""
        import torch

        rows = self._drawing.rows
        if self._begun == len(rows):
            return None
        read = self._read or self._read_on(most)
        places = range(self._begun, min(self._begun + most, read.end))
        self._begun = places.stop
        waited_for = places.stop < read.end
        self._read = read if waited_for else None
        prompts_R = torch.tensor([rows[place].prompt - read.first for place in places], device=self._model.device)
        cache = copy.deepcopy(read.cache) if waited_for else read.cache
        cache.batch_select_indices(prompts_R)
        return LiveRows(
            rows_R=torch.tensor(places, device=self._model.device),
            steps_R=torch.zeros_like(prompts_R),
            last_R=read.ids_PT[prompts_R, -1],
            mask_RT=read.mask_PT[prompts_R],
            cache=cache,
        )

    def _read_on(self, count: int) -> _Read:
        """The prompts of the next rows, so many, and each for all of its rows."""
        from transformers import DynamicCache

        model, drawing, rows = self._model, self._drawing, self._drawing.rows
        end = min(self._begun + count, len(rows))
        while end < len(rows) and rows[end].prompt == rows[end - 1].prompt:
            end += 1
        first = rows[self._begun].prompt
        prompts = drawing.prompts[first : rows[end - 1].prompt + 1]
        known = 0 if self._prefix is None else len(drawing.prefix)
        ids_PT, mask_PT = padded(prompts, known, drawing.pad, model.device)
        cache = DynamicCache(config=model.config) if self._prefix is None else copied(self._prefix, len(prompts))
        if ids_PT.shape[1] > known + 1:
            places_PT = (mask_PT.cumsum(-1) - 1).clamp(min=0)
            model.base_model(
                ids_PT[:, known:-1],
                attention_mask=mask_PT[:, :-1],
                position_ids=places_PT[:, known:-1],
                past_key_values=cache,
                use_cache=True,
            )
        return _Read(first=first, end=end, ids_PT=ids_PT, mask_PT=mask_PT, cache=cache)


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
