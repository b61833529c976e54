"""Rows that a model draws tokens of: those that ended leave, and others join."""

from dataclasses import dataclass
from typing import Any

from selfreward.backends.forward import Prefix


@dataclass(slots=True, kw_only=True)
class LiveRows:
    """Rows by their places among those that are asked for, and how many tokens of each are drawn.

    The last token of each is not read yet: `cache` has the keys and values of all before it. `mask_RT` is 0 in columns
    that are none of the row's; the last column is that of the last token.
    """

    rows_R: Any
    steps_R: Any
    last_R: Any
    mask_RT: Any
    cache: Prefix

    def next_logits(self, model: Any) -> Any:
        """Reads the last tokens; the logits of those that follow, rows x vocabulary."""
        places_R1 = self.mask_RT.sum(-1, keepdim=True) - 1
        seen = {"attention_mask": self.mask_RT, "position_ids": places_R1, "past_key_values": self.cache}
        return model(self.last_R[:, None], **seen, use_cache=True).logits[:, -1].float()

    def add(self, tokens_R: Any) -> None:
        """Each row goes on with its token."""
        import torch

        self.last_R, self.steps_R = tokens_R, self.steps_R + 1
        self.mask_RT = torch.cat([self.mask_RT, torch.ones_like(self.mask_RT[:, :1])], dim=1)

    def keep(self, places_R: Any) -> None:
        """Leaves all others out."""
        self.cache.batch_select_indices(places_R)
        self.rows_R, self.steps_R = self.rows_R[places_R], self.steps_R[places_R]
        self.last_R, self.mask_RT = self.last_R[places_R], self.mask_RT[places_R]

    def join(self, others: "LiveRows") -> None:
        """Takes in `others`, of which none has drawn a token; columns that are no row's any more go."""
        import torch

        both = self, others
        columns = max(one.mask_RT.shape[1] - int(one.mask_RT.any(0).nonzero()[0, 0]) for one in both)
        for own, their in zip(self.cache.layers, others.cache.layers, strict=True):
            if not their.is_initialized:  # prompts of one token
                nothing = own.keys.new_zeros(len(others.rows_R), own.keys.shape[1], 0, own.keys.shape[3])
                their.keys = their.values = nothing
            own.keys = torch.cat([_last(one.keys, columns - 1, dim=2) for one in (own, their)])
            own.values = torch.cat([_last(one.values, columns - 1, dim=2) for one in (own, their)])
        self.mask_RT = torch.cat([_last(one.mask_RT, columns, dim=1) for one in both])
        self.rows_R = torch.cat([one.rows_R for one in both])
        self.steps_R = torch.cat([one.steps_R for one in both])
        self.last_R = torch.cat([one.last_R for one in both])


def _last(table: Any, columns: int, dim: int) -> Any:
    """The last columns of a table; zeros stand before them where there are fewer."""
    import torch

    missing = columns - table.shape[dim]
    if missing <= 0:
        return table.narrow(dim, -missing, columns)
    shape = [*table.shape]
    shape[dim] = missing
    return torch.cat([table.new_zeros(shape), table], dim=dim)
