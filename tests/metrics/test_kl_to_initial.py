"""KL to the initial policy: right on policies whose KL is known, and honest about what k3 misses."""

import numpy as np
import pytest

from selfreward.metrics.kl_to_initial import DrawnLogprobs, KlToInitial, kl_to_initial


def drawn(own: np.ndarray, initial: np.ndarray, prompts: int, tokens: int) -> KlToInitial:
    """Prompts with two answers each, every token an independent draw of `own`."""
    rng = np.random.default_rng(0)
    answers = {}
    for prompt in range(prompts):
        rows = rng.choice(len(own), size=(2, tokens), p=own)
        answers[str(prompt)] = [DrawnLogprobs(own=np.log(own[row]), initial=np.log(initial[row])) for row in rows]
    found = kl_to_initial(answers, seed=0)
    assert found is not None
    return found


def test_both_estimates_hold_the_true_kl_in_nats_per_answer() -> None:
    own, initial = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.3, 0.3])
    found = drawn(own, initial, prompts=400, tokens=10)
    true = 10 * float((own * np.log(own / initial)).sum())
    for one in (found.plain, found.k3):
        assert one.low < true < one.high and one.n == 400
    assert found.k3.high - found.k3.low < 0.5 * (found.plain.high - found.plain.low)


def test_k3_misses_what_is_no_longer_drawn_and_the_plain_one_does_not() -> None:
    own, initial = np.array([1 - 1e-9, 1e-9]), np.array([0.4, 0.6])
    found = drawn(own, initial, prompts=50, tokens=1)
    assert found.plain.value == pytest.approx(np.log(1 / 0.4), rel=1e-6)
    assert found.k3.value < 0.5 * found.plain.value


def test_the_initial_policy_is_at_zero_and_a_prompt_counts_once() -> None:
    same = DrawnLogprobs(own=[-1.0, -2.0], initial=[-1.0, -2.0])
    found = kl_to_initial({"a": [same], "b": [same, same], "empty": []}, seed=0)
    assert found is not None and (found.plain.value, found.k3.value, found.plain.n) == (0, 0, 2)
    moved = DrawnLogprobs(own=[-1.0], initial=[-3.0])
    uneven = kl_to_initial({"a": [same, same, same], "b": [moved]}, seed=0)
    assert uneven is not None and uneven.plain.value == 1.0


def test_nothing_drawn_is_no_number_and_a_missing_log_probability_is_refused() -> None:
    assert kl_to_initial({}, seed=0) is None
    for initial in ([-1.0], [-1.0, float("-inf")]):
        with pytest.raises(ValueError, match="each token needs a finite one of each policy"):
            kl_to_initial({"a": [DrawnLogprobs(own=[-1.0, -2.0], initial=initial)]}, seed=0)
