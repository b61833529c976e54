"""Tokens are drawn from the model's own distribution, whatever is drawn beside them."""

from collections import Counter

import pytest
import torch

from selfreward.backends.base import Request, Sampling
from selfreward.backends.draw_plan import gpu_rows, plan_drawings
from selfreward.backends.drawing import Drawing, Row
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.token_backend import TokenRequest
from selfreward.backends.token_sampler import Sampler, uniforms
from selfreward.errors import BackendError
from tests.tiny import ask, make_tiny_policy

PROMPTS = [ask(text) for text in ("hello", "what is the name of it", "a", "why", "say it again, please", "why")]


def nothing(_done):
    """Progress that nobody watches."""


def sampling(**changes):
    return Sampling(**({"k": 2, "temperature": 1.0, "top_p": 1.0, "max_new_tokens": 6} | changes))


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny"), extra_stops=range(0, 256, 16))


def backend(policy, **changes):
    return HfBackend(HfSpec(**({"dtype": "float32", "device": "cpu", "workers": 1} | changes)), policy)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (2.0, 0.8)])
def test_tokens_are_drawn_as_often_as_they_are_likely(temperature, top_p):
    logits = torch.linspace(-3, 3, 9)
    count = 4000
    rows = [Row(prompt=0, temperature=temperature, limit=1, stream=(5, 0, n)) for n in range(count)]
    drawing = Drawing(prompts=[[1]], rows=rows, width=64, prefix=[], top_p=top_p, stops=[0], pad=0)
    chosen, logprobs = Sampler(drawing, "cpu")(
        logits.repeat(count, 1), torch.arange(count), torch.zeros(count, dtype=torch.int64)
    )
    drawn = Counter(chosen.tolist())
    assert torch.allclose(logprobs, logits.log_softmax(-1)[chosen])
    probabilities = (logits / temperature).softmax(-1)
    ascending = probabilities.sort().values.cumsum(0)
    kept = probabilities >= probabilities.sort().values[ascending > 1 - top_p + 1e-9].min()
    expected = torch.where(kept, probabilities, 0) / probabilities[kept].sum()
    for token, share in enumerate(expected.tolist()):
        deviation = (share * (1 - share) / count) ** 0.5
        assert abs(drawn[token] / count - share) <= 4.5 * deviation


def test_streams_do_not_depend_on_how_much_is_read_of_them():
    assert uniforms((1, 2, 3), 4) == uniforms((1, 2, 3), 9)[:4]
    assert uniforms((1, 2, 3), 4) != uniforms((1, 3, 2), 4)


def test_what_is_drawn_does_not_depend_on_company_or_batches(policy):
    requests = [
        Request(prompts=PROMPTS, sampling=sampling(k=1, temperature=0.0), seed=1),
        Request(prompts=PROMPTS, sampling=sampling(), seed=2),
        Request(prompts=PROMPTS[:2], sampling=sampling(max_new_tokens=9, top_p=0.7), seed=2),
    ]
    apart = [backend(policy, batch_size=1).generate_all([one], nothing)[0] for one in requests]
    for size in (2, 5, 64):
        together = backend(policy, batch_size=size).generate_all(requests, nothing)
        assert [[[one.text for one in row] for row in own] for own in together] == [
            [[one.text for one in row] for row in own] for own in apart
        ]


def test_equal_prompts_get_answers_of_their_own(policy):
    drawn = backend(policy).generate([PROMPTS[3], PROMPTS[5]], sampling(k=4, max_new_tokens=12), 1, nothing)
    assert [one.text for one in drawn[0]] != [one.text for one in drawn[1]]


def test_a_prompt_is_read_once_for_all_that_is_asked_about_it():
    rows = [[*range(1, 20), 30 + n] for n in range(6)]
    requests = [TokenRequest(prompts=rows, sampling=sampling(k=k), seed=k) for k in (1, 3)]
    drawings, owners = plan_drawings(requests, 12, processes=2, stops=[0], pad=0, gap=True)
    assert [(len(one.prompts), one.width) for one in drawings] == [(3, 12), (3, 12)]
    assert [one.prefix for one in drawings] == [rows[0][:-1]] * 2
    assert sorted(owner for own in owners for owner in own) == [
        (asked, place, n) for asked, k in ((0, 1), (1, 3)) for place in range(6) for n in range(k)
    ]


@pytest.mark.parametrize(("processes", "rows"), [(1, [4]), (2, [2, 2])])
def test_processes_share_what_one_call_could_draw(processes, rows):
    asked = [TokenRequest(prompts=[[1, 2], [1, 3, 4]], sampling=sampling(k=2), seed=0)]
    drawings, _ = plan_drawings(asked, 64, processes=processes, stops=[0], pad=0, gap=True)
    assert [len(one.rows) for one in drawings] == rows


@pytest.mark.parametrize(("prompt", "limit", "rows"), [(60, 64, 512), (200, 200, 327), (2000, 48, 64), (30_000, 1, 64)])
def test_a_gpu_draws_more_answers_at_once_the_shorter_they_may_be(prompt, limit, rows):
    short = TokenRequest(prompts=[[1]], sampling=sampling(max_new_tokens=1), seed=0)
    longest = TokenRequest(prompts=[[1], [1] * prompt], sampling=sampling(max_new_tokens=limit), seed=0)
    assert gpu_rows([short, longest]) == rows


def test_the_number_of_rows_that_a_cpu_draws_is_named_and_that_of_a_gpu_depends_on_what_is_asked(policy):
    named = {device: HfBackend(HfSpec(device=device), policy).identity["batch_size"] for device in ("cpu", "cuda")}
    assert named == {"cpu": 64, "cuda": "auto"}
    assert HfBackend(HfSpec(device="cuda", batch_size=32), policy).identity["batch_size"] == 32


def test_logits_that_are_no_numbers_are_refused():
    drawing = Drawing(
        prompts=[[1]],
        rows=[Row(prompt=0, temperature=1.0, limit=1, stream=(1,))],
        width=1,
        prefix=[],
        top_p=1.0,
        stops=[0],
        pad=0,
    )
    with pytest.raises(BackendError, match=r"set backend\.dtype=float32"):
        Sampler(drawing, "cpu")(torch.tensor([[0.0, float("nan")]]), torch.arange(1), torch.zeros(1, dtype=torch.int64))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_model_that_keeps_more_than_keys_and_values_draws_the_same(policy, monkeypatch, temperature):
    asked = [Request(prompts=PROMPTS, sampling=sampling(k=1, temperature=temperature, max_new_tokens=20), seed=3)]
    ((drawn,), (again,)) = backend(policy).generate_all(asked, nothing), backend(policy).generate_all(asked, nothing)
    monkeypatch.setattr("selfreward.backends.draw_tokens.goes_on", lambda _model: False)
    (generated,) = backend(policy).generate_all(asked, nothing)
    assert drawn == again
    assert [[one.text for one in row] for row in generated] == [[one.text for one in row] for row in drawn]
    assert temperature == 0 or len({one.tokens for row in drawn for one in row}) > 2
