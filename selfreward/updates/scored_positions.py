"""The positions at which a training step computes probabilities of the whole vocabulary: those that it trains on."""

from contextlib import AbstractContextManager

from selfreward.replaced import replaced


def trained_positions_alone() -> AbstractContextManager[None]:
    """Training in which TRL's language model head computes the trained positions alone, on a CPU as on a GPU.

    TRL 1.16 leaves the others out where it has Triton. Elsewhere it computes those of the prompt and the padding too
    and throws them away, which takes a third of a step on a CPU. Its question is answered where it decides that and
    nowhere else: its kernels ask by a name of their own. A TRL that asks otherwise trains on the same numbers.
    """
    from trl.trainer import utils

    return replaced(utils, _use_triton=lambda device: True)
