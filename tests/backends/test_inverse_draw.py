"""A token is drawn where the running sum of its weights says, and never one without weight."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selfreward.backends.inverse_draw import inverse


@given(
    st.lists(st.sampled_from([0.0, 1e-30, 1e-6, 0.3, 1.0, 7.0]), min_size=1, max_size=700).filter(any),
    st.floats(0, 1, exclude_max=True),
)
@settings(max_examples=200)
def test_a_token_is_drawn_where_the_running_sum_passes_the_uniform(weights, uniform):
    chosen = int(inverse(torch.tensor([weights]), torch.tensor([uniform], dtype=torch.float64))[0])
    sums = np.cumsum(np.array(weights, dtype=np.float32).astype(np.float64))
    share = 1e-6 * sums[-1]
    assert weights[chosen] > 0
    assert sums[chosen] >= uniform * sums[-1] - share
    assert sums[chosen] - np.float32(weights[chosen]) <= uniform * sums[-1] + share


def test_no_token_without_weight_is_drawn_at_either_end():
    weights = torch.zeros(2, 1000)
    weights[:, 300] = 1e-20
    last = torch.tensor([0.0, np.nextafter(1.0, 0.0)], dtype=torch.float64)
    assert inverse(weights, last).tolist() == [300, 300]
