import pytest

from selfreward.backends.draw_tokens import draw_tokens
from selfreward.backends.drawing import Drawing, Row
from selfreward.backends.forward import (
    can_share_prefix,
    compute_prefix,
    next_token_logprobs,
    one_behind_another,
    sees_all_places,
    token_logprobs,
)

START = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4]
SHAPE = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}


def full():
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**SHAPE))


def sliding():
    from transformers import MistralConfig, MistralForCausalLM

    return MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=7))


def learned_positions():
    from transformers import OPTConfig, OPTForCausalLM

    return OPTForCausalLM(
        OPTConfig(vocab_size=64, hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4, init_std=0.3)
    )


@pytest.fixture(scope="module", params=[full, sliding, learned_positions])
def model(request):
    import torch

    torch.manual_seed(0)
    return request.param().eval()


@pytest.mark.parametrize(
    "ends",
    [[[7]], [[7], [8, 2], [9, 9, 9, 1, 2, 3, 4, 5]], [[7, 1], [8, 2], [9, 3]], [[30], [30, 31, 32]]],
    ids=["one row", "unequal", "equal", "one begins the other"],
)
def test_a_shared_prefix_changes_no_score(model, ends):
    prompts = [START + end for end in ends]
    rows = [(prompt, [40 + place, *range(place)]) for place, prompt in enumerate(prompts)]
    prefix = compute_prefix(model, START)
    for _ in range(2):  # the prefix serves as many batches as there are
        for shared, whole in zip(token_logprobs(model, rows, 0, prefix), token_logprobs(model, rows, 0), strict=True):
            assert shared == pytest.approx(whole, abs=1e-3)
        shared = next_token_logprobs(model, prompts, [1, 2, 50], 0, prefix)
        whole = [next_token_logprobs(model, [prompt], [1, 2, 50], 0)[0] for prompt in prompts]
        assert shared == [pytest.approx(row, abs=1e-3) for row in whole]


RUN = [[7, 8, 9], [7, 8, 9], [7, 8], [7, 8, 9, 10, 11], [20], [20, 21]]
"""Ends of prompts that begin alike in every way: the same, shorter, longer, apart from the first token on."""


@pytest.mark.parametrize("start", [START, []], ids=["behind a prefix", "without one"])
def test_rows_one_behind_another_have_the_scores_they_have_alone(model, start):
    if not sees_all_places(model):
        pytest.skip("such a model computes every row alone")
    rows = [([*start, *end], [40 + place, 2, 3]) for place, end in enumerate(RUN)]
    prefix = compute_prefix(model, start) if start else None
    for _ in range(2):  # the prefix stays what it is
        found = [
            token_logprobs(model, batch, 0, cache, grow=True)
            for batch, cache in one_behind_another(model, [[row] for row in rows], start, prefix)
        ]
        assert found == [[pytest.approx(token_logprobs(model, [row], 0)[0], abs=1e-3)] for row in rows]
        asked = [(prompt, []) for prompt, _ in rows]
        options = [
            next_token_logprobs(model, [prompt], [1, 2, 50], 0, cache, grow=True)
            for ((prompt, _),), cache in one_behind_another(model, [[row] for row in asked], start, prefix)
        ]
        alone = [next_token_logprobs(model, [prompt], [1, 2, 50], 0)[0] for prompt, _ in rows]
        assert options == [[pytest.approx(one, abs=1e-3)] for one in alone]


def test_a_model_with_recurrent_layers_shares_nothing(model):
    from transformers import MambaConfig, MambaForCausalLM

    assert can_share_prefix(model)
    recurrent = MambaForCausalLM(MambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2, state_size=4))
    assert not can_share_prefix(recurrent)


def drawing(prompts, k, temperature=1.0, prefix=(), width=64):
    rows = [
        Row(prompt=place, temperature=temperature, limit=6 + 2 * (n % 4), stream=(3, place, n))
        for place in range(len(prompts))
        for n in range(k)
    ]
    return Drawing(prompts=prompts, rows=rows, width=width, prefix=prefix, top_p=1.0, stops=[63, 11, 5, 40], pad=0)


def drawn(asked, model, prefix=None):
    """Tokens up to the first stop, and as many log-probabilities."""
    rows, told = [], []
    for tokens, logprobs in draw_tokens(model, asked, prefix, told.append):
        end = next((place + 1 for place, token in enumerate(tokens) if token in asked.stops), len(tokens))
        rows.append((tokens[:end], pytest.approx(logprobs[:end], abs=1e-4)))
    assert sum(told) == len(asked.rows)
    return rows


@pytest.mark.parametrize("width", [1, 2, 7, 64])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_rows_that_end_and_others_that_take_their_places_change_no_draw(model, monkeypatch, temperature, width):
    # Prompts of one token up to more than the sliding window holds, in one batch.
    asked = drawing([START, START[:3], [7], START[:11]], 1 if temperature == 0 else 5, temperature, width=width)
    found = drawn(asked, model)
    monkeypatch.setattr("selfreward.backends.draw_tokens.goes_on", lambda _model: False)
    generated = drawn(asked, model)
    assert [tokens for tokens, _ in found] == [tokens for tokens, _ in generated]
    assert all(one == own.expected for (_, own), (_, one) in zip(found, generated, strict=True))
    assert temperature == 0 or len({tuple(tokens) for tokens, _ in found}) > 10
    assert all(len(tokens) <= row.limit for (tokens, _), row in zip(found, asked.rows, strict=True))


def test_a_row_that_ends_gives_its_place_to_the_next(model):
    if not sees_all_places(model):
        pytest.skip("rows of a model with a window begin together")
    limits = [8, 1, 2, 1, 3, 1, 7, 1]
    rows = [Row(prompt=0, temperature=1.0, limit=limit, stream=(n,)) for n, limit in enumerate(limits)]
    asked = Drawing(prompts=[START], rows=rows, width=2, prefix=(), top_p=1.0, stops=[64], pad=0)
    steps = []
    hook = model.register_forward_hook(lambda _model, _inputs, _output: steps.append(1))
    found = draw_tokens(model, asked, None, lambda _rows: None)
    hook.remove()
    assert [len(tokens) for tokens, _ in found] == limits
    # Two at once: 8 tokens beside 1 + 2 + 1 + 3 + 1, and then 7 beside 1.
    assert len(steps) == 8 + 7


def test_a_beginning_that_is_known_changes_no_draw(model):
    prompts = [START + end for end in ([7], [8, 2], [9, 9, 9, 1, 2, 3, 4, 5])]
    if not sees_all_places(model):
        pytest.skip("a window would count padding as tokens, so a beginning is not shared")
    prefix = compute_prefix(model, START)
    whole = drawn(drawing(prompts, 4), model)
    for _ in range(2):
        found = drawn(drawing(prompts, 4, prefix=START, width=3), model, prefix)
        assert [tokens for tokens, _ in found] == [tokens for tokens, _ in whole]
        assert all(one == own.expected for (_, own), (_, one) in zip(found, whole, strict=True))


def test_a_prompt_of_one_token_is_answered(model):
    assert len(drawn(drawing([[7]], 2), model)) == 2
