"""What an update reports of its training."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What an update saw and did; None of what its kind does not have.

    `tokens_trained` counts the tokens of thoughts and answers that bore loss, once for each epoch. `mean_loss` is
    averaged over the steps, in nats: per such token of RFT, per pair of DPO.

    Of pairs, `*_logprob_*` are means of the summed log-probability of an answer, in nats, before and after.
    `displaced_share` is the share whose chosen answer became less likely although its margin over the rejected one grew
    (likelihood displacement, 2410.08847). `sft_weight` is that of the likelihood of the chosen answer in the loss, 0
    without. `rows_without_margin` counts the pairs that carry none, where a margin weighs.

    `skill` and `modes` are the state of a scripted policy.
    """

    rows_trained: int
    rows_too_long: int | None = None
    tokens_trained: int | None = None
    steps: int | None = None
    mean_loss: float | None = None
    trainable_parameters: int | None = None
    total_parameters: int | None = None
    sft_weight: float | None = None
    rows_without_margin: int | None = None
    chosen_logprob_before: float | None = None
    chosen_logprob_after: float | None = None
    rejected_logprob_before: float | None = None
    rejected_logprob_after: float | None = None
    margin_growth: float | None = None
    displaced_share: float | None = None
    skill: float | None = None
    modes: float | None = None
