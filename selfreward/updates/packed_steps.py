"""A training step that computes neither padding nor the same beginning twice."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from selfreward.backends.forward import can_pack
from selfreward.backends.packed_rows import packed
from selfreward.replaced import replaced

_IGNORED = -100
"""The label of a token that is not trained on."""

_NEEDED = {"input_ids", "attention_mask", "labels", "fused_lm_head"}
_ALLOWED = _NEEDED | {"use_cache", "num_items_in_batch"}
"""What a call must give and may give; one with anything else is left as it comes."""

_SHORT = 160
"""Up to how many tokens a line of a step on a CPU is faster by plain products than by torch's fused attention."""

_BY_TOKEN = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")


@contextmanager
def rows_packed(model: Any) -> Iterator[None]:
    """Inside, `model` computes the rows of a call to TRL's fused head in the layout that costs the least.

    It returns what it returned before, but for the rounding of sums, and dropout that draws once for what is shared.
    Rows of uneven length and pairs behind one prompt are half as much to compute. A model that cannot be packed, and
    one without that head, is left as it is.
    """
    plain = model.forward
    config = model.config.get_text_config()
    if "forward" not in vars(model) or not can_pack(model) or getattr(config, "output_router_logits", False):
        yield
        return

    def forward(*args: Any, **given: Any) -> Any:
        named = {name for name, value in given.items() if value is not None}
        if args or not _NEEDED <= named <= _ALLOWED:
            return plain(*args, **given)
        # Asked at every call, as a trainer may turn checkpointing on when it begins: both passes are to be alike.
        spare = model.device.type == "cpu" and not model.is_gradient_checkpointing
        return _in_layout(plain, config.hidden_size, short=_SHORT if spare else 0, **given)

    with replaced(model, forward=forward):
        yield


def _in_layout(
    plain: Any, hidden: int, *, short: int, input_ids: Any, attention_mask: Any, labels: Any, **given: Any
) -> Any:
    """What `plain` returns for rows x width tokens, of which `attention_mask` tells the padding."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    ids, held, wanted = (part.cpu().numpy() for part in (input_ids, attention_mask.bool(), labels))
    ahead = np.pad(wanted[:, 1:], ((0, 0), (0, 1)), constant_values=_IGNORED)
    # Rows share a place where they hold the same token and are asked for the same one behind it.
    tokens, targets = ([row[some].tolist() for row, some in zip(part, held, strict=True)] for part in (ids, ahead))
    pairs = [list(zip(*row, strict=True)) for row in zip(tokens, targets, strict=True)]
    layout = packed(pairs, hidden)
    if layout is None:
        return plain(input_ids=input_ids, attention_mask=attention_mask, labels=labels, **given)

    def tensor(values: np.ndarray) -> Any:
        return torch.from_numpy(values).to(input_ids.device)

    with sdpa_kernel(SDPBackend.MATH) if layout.width <= short else nullcontext():
        outputs = plain(
            **{name: tensor(table) for name, table in layout.inputs(tokens).items()},
            shift_labels=tensor(layout.filled(targets, empty=_IGNORED)),
            **given,
        )
    place = np.zeros(ids.shape, dtype=np.int64)
    place[held] = np.concatenate(layout.paths)
    asked = tensor(held[:, :-1] & (wanted[:, 1:] != _IGNORED))
    index = tensor(place[:, :-1])
    told = {name: value for name in _BY_TOKEN if (value := getattr(outputs, name)) is not None}
    by_row = {name: value.flatten()[index].masked_fill(~asked, 0) for name, value in told.items()}
    count = asked.sum().clamp(min=1) if given.get("num_items_in_batch") is None else given["num_items_in_batch"]
    return replace(outputs, **by_row, label_mask=asked, loss=-by_row["log_probs"].sum() / count)
