"""The gradient that a frozen head passes on, without a float32 copy of the head at every step."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selfreward.replaced import replaced
from selfreward.updates.autocast_weights import Cast


@contextmanager
def head_kept_whole(cast: Cast) -> Iterator[None]:
    """Inside, TRL's language model head passes its gradient on by the float32 weights that `cast` has kept.

    TRL 1.16 multiplies it in float32, as sums of rounded products would bias training, and on a CPU casts the bfloat16
    head to float32 at every step: 26 ms of a step of one pair with a vocabulary of 49,152. The kept weights are those
    that were rounded. A TRL that multiplies by another name casts as before.
    """
    from trl.kernels import chunked_logprob

    plain: Any = getattr(chunked_logprob, "_addmm_fp32", None)
    whole = {inside.untyped_storage().data_ptr(): before.detach() for inside, before in cast}

    def multiply(total: Any, left: Any, weights: Any) -> None:
        kept = whole.get(weights.untyped_storage().data_ptr())
        if kept is not None:
            weights = kept[weights.storage_offset() // kept.shape[1] :][: len(weights)]
        plain(total, left, weights)

    with replaced(chunked_logprob, _addmm_fp32=multiply):
        yield
