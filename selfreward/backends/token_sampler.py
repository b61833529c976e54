"""How the next token of a row is drawn, by one uniform number of its stream, and whether it ends the row."""

from typing import Any

import numpy as np

from selfreward.backends.drawing import Drawing
from selfreward.backends.inverse_draw import inverse
from selfreward.errors import BackendError


def uniforms(stream: tuple[int, ...], count: int) -> list[float]:
    """The first `count` numbers in [0, 1) of a stream."""
    found: list[float] = np.random.Generator(np.random.PCG64(list(stream))).random(count).tolist()
    return found


class Sampler:
    """Draws the next token of each row by one uniform of the row's stream."""

    def __init__(self, drawing: Drawing, device: Any) -> None:
        import torch
        from transformers import TopPLogitsWarper

        self._temperatures_R1 = torch.tensor([[row.temperature or 1.0] for row in drawing.rows], device=device)
        greedy = [row.temperature == 0 for row in drawing.rows]
        self._greedy_R = torch.tensor(greedy, device=device)
        self._some_greedy, self._all_greedy = any(greedy), all(greedy)
        streams = [uniforms(row.stream, drawing.steps + 1) for row in drawing.rows]
        self._uniforms_RT = torch.tensor(streams, dtype=torch.float64, device=device)
        self._nucleus = TopPLogitsWarper(drawing.top_p) if drawing.top_p < 1 else None
        self._stops = torch.tensor(drawing.stops, device=device)
        self._limits_R = torch.tensor([row.limit for row in drawing.rows], device=device)

    def __call__(self, logits_RV: Any, rows_R: Any, steps_R: Any) -> tuple[Any, Any]:
        """The tokens of rows, each at a step of its own, and their log-probabilities.

        Raises BackendError for logits that are no numbers.
        """
        import torch

        total_R = logits_RV.logsumexp(-1)
        if not total_R.isfinite().all():
            raise BackendError(
                "the model's logits are no numbers, so nothing can be drawn from it: set backend.dtype=float32 if it "
                "is another, else give another model"
            )
        chosen_R = logits_RV.argmax(-1) if self._all_greedy else self._drawn(logits_RV, rows_R, steps_R)
        if self._some_greedy and not self._all_greedy:
            chosen_R = torch.where(self._greedy_R[rows_R], logits_RV.argmax(-1), chosen_R)
        return chosen_R, logits_RV.gather(1, chosen_R[:, None])[:, 0] - total_R

    def _drawn(self, logits_RV: Any, rows_R: Any, steps_R: Any) -> Any:
        tempered_RV = logits_RV / self._temperatures_R1[rows_R]
        if self._nucleus is not None:
            tempered_RV = self._nucleus(None, tempered_RV)
        weights_RV = tempered_RV.sub_(tempered_RV.amax(-1, keepdim=True)).exp_()
        return inverse(weights_RV, self._uniforms_RT[rows_R, steps_R])

    def ends(self, chosen_R: Any, rows_R: Any, drawn_R: Any) -> Any:
        """Which of rows end with the token that was chosen, so many being drawn of each."""
        import torch

        return torch.isin(chosen_R, self._stops) | (drawn_R == self._limits_R[rows_R])
