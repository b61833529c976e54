import os
import subprocess
import sys
from pathlib import Path

import pytest

from selfreward.backends.base import Answer, OptionScore, Sampling
from selfreward.backends.chat import render_prompt
from selfreward.backends.draw_plan import plan_drawings
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.token_backend import TokenRequest
from selfreward.errors import BackendError
from selfreward.policies import Policy
from tests.tiny import ask, completion, held, make_chat, make_tiny_policy, make_tokenizer

SPEC = HfSpec(dtype="float32", device="cpu", batch_size=6, workers=1)
PROMPTS = [ask(text) for text in ("hello", "what is the name of it", "a", "why", "say it again, please")]


def draw(backend, prompts=PROMPTS, seed=1, **changes):
    settings = {"k": 2, "temperature": 0.9, "top_p": 1.0, "max_new_tokens": 8} | changes
    return backend.generate(prompts, Sampling(**settings), seed, lambda _done: None)


def nothing(_done):
    """Progress that nobody watches."""


def options(backend, answers):
    return backend.score_options([answer.messages for answer in answers], ["1", "2"], nothing)


def flat(scores):
    return [number for one in scores for number in (one.logprobs if isinstance(one, OptionScore) else [one.logprob])]


def counted(backend, call):
    """What `call` returns, and how many tokens the model was shown for it, padding included."""
    seen = []
    layer = held(backend).get_input_embeddings()
    hook = layer.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0].numel()))
    try:
        return call(), sum(seen)
    finally:
        hook.remove()


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def backend(policy):
    return HfBackend(SPEC, policy)


def test_a_pattern_is_refused_before_anything_is_loaded(tmp_path):
    absent = HfBackend(SPEC, Policy(path=tmp_path / "absent", key="k", digest="d"))
    with pytest.raises(BackendError, match=r"set backend=vllm, or judge\.constrained=false"):
        draw(absent, pattern="a|b")


@pytest.mark.parametrize(("temperature", "top_p", "k"), [(0.7, 0.9, 3), (1.0, 1.0, 3), (0.0, 1.0, 1)])
def test_logprob_of_a_draw_is_the_untempered_one_of_the_same_tokens(backend, temperature, top_p, k):
    from selfreward.backends.forward import token_logprobs

    chat, model = backend._chat, held(backend)
    rows = [render_prompt(chat, messages) for messages in PROMPTS]
    stops = [chat.end_of_turn, *range(0, 256, 8)]
    sampling = Sampling(k=k, temperature=temperature, top_p=top_p, max_new_tokens=20)
    asked = TokenRequest(prompts=rows, sampling=sampling, seed=3)
    jobs, owners = plan_drawings([asked], 2, processes=2, stops=stops, pad=stops[0], gap=True)
    assert len(jobs) > 1
    drawn = {
        owner: draw
        for job, own in zip(jobs, owners, strict=True)
        for owner, draw in zip(own, backend._held.do(job, lambda _rows: None), strict=True)
    }
    ends = {
        owner: next((place + 1 for place, token in enumerate(row) if token in stops), len(row))
        for owner, (row, _) in drawn.items()
    }
    pairs = [(rows[owner[1]], row[: ends[owner]]) for owner, (row, _) in drawn.items()]
    scored = [sum(one) for one in token_logprobs(model, pairs, stops[0])]
    assert len(set(ends.values())) > 1
    assert [sum(logprobs[: ends[owner]]) for owner, (_, logprobs) in drawn.items()] == pytest.approx(scored, abs=1e-3)


def test_a_completion_counts_the_token_that_ended_it(tmp_path):
    eager = HfBackend(SPEC, make_tiny_policy(tmp_path, extra_stops=range(0, 256, 8)))
    drawn = [one for row in draw(eager, max_new_tokens=12, k=6, temperature=1.5) for one in row]
    assert {one.finish for one in drawn} == {"stop", "length"}
    assert all(one.tokens == 12 for one in drawn if one.finish == "length")
    assert min(one.tokens for one in drawn) < 12
    assert all("<|im_end|>" not in one.text and one.text == one.text.strip() for one in drawn)


def test_greedy_answers_do_not_depend_on_the_order_or_company_of_prompts(backend, policy):
    greedy = {"k": 1, "temperature": 0.0, "max_new_tokens": 12}
    forward = draw(backend, **greedy)
    backward = draw(
        HfBackend(HfSpec(dtype="float32", device="cpu", batch_size=2, workers=1), policy), PROMPTS[::-1], **greedy
    )
    assert [row[0].text for row in backward[::-1]] == [row[0].text for row in forward]
    assert [row[0].logprob for row in backward[::-1]] == pytest.approx([row[0].logprob for row in forward], abs=1e-3)


def test_a_score_is_the_sum_over_the_answer_only(backend):
    import torch

    model = held(backend)
    prompt, answer = render_prompt(make_chat(), PROMPTS[0]), completion("hello")
    with torch.inference_mode():
        logprobs = model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    expected = sum(float(logprobs[len(prompt) - 1 + place, token]) for place, token in enumerate(answer))
    (score,) = backend.score([Answer(messages=PROMPTS[0], text="hello")], lambda _done: None)
    assert score.logprob == pytest.approx(expected, abs=1e-4)
    assert (score.tokens, score.prompt_tokens) == (len(answer), len(prompt))


def test_what_prompts_begin_with_is_computed_once_and_changes_no_score(backend):
    prompts = [ask("Is the answer right? Say 1 or 2. The question and the answer: " + "why" * n) for n in range(8)]
    answers = [Answer(messages=messages, text="hello") for messages in prompts]
    for score in (lambda asked: backend.score(asked, nothing), lambda asked: options(backend, asked)):
        together, tokens = counted(backend, lambda score=score: score(answers))
        alone, all_tokens = counted(backend, lambda score=score: [score([answer])[0] for answer in answers])
        assert [one.prompt_tokens for one in together] == [one.prompt_tokens for one in alone]
        assert flat(together) == pytest.approx(flat(alone), abs=1e-3)
        assert tokens < all_tokens / 2


def test_an_answer_can_be_scored_without_its_end(backend):
    ended, open_end, empty, nothing = backend.score(
        [
            Answer(messages=PROMPTS[0], text="hello"),
            Answer(messages=PROMPTS[0], text="hello", ended=False),
            Answer(messages=PROMPTS[0], text=""),
            Answer(messages=PROMPTS[0], text="", ended=False),
        ],
        lambda _done: None,
    )
    assert ended.tokens == open_end.tokens + 1
    assert ended.logprob < open_end.logprob
    assert empty.tokens == 1
    assert empty.logprob < 0
    assert (nothing.tokens, nothing.logprob) == (0, 0.0)


def test_an_answer_cannot_spell_its_own_end():
    end = make_chat().end_of_turn
    assert completion("a<|im_end|>b").count(end) == 1
    assert completion("hello") == [*completion("hello", ended=False), end]


def test_reading_the_identity_imports_no_torch(policy):
    code = (
        "import sys; from pathlib import Path; from selfreward.backends.hf import HfBackend, HfSpec;"
        "from selfreward.policies import Policy;"
        f"print(HfBackend(HfSpec(), Policy(path=Path({str(policy.path)!r}), key='k', digest='d')).identity['kind']);"
        "assert not {'torch', 'transformers', 'trl', 'peft', 'datasets'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("hf", "")


def test_leaving_the_backend_frees_the_model(policy):
    with HfBackend(SPEC, policy) as backend:
        draw(backend, PROMPTS[:1])
        assert backend._held is not None
    assert backend._held is None


def test_folders_that_cannot_be_used(tmp_path, policy):
    def error_of(folder: Path, method: str) -> str:
        backend = HfBackend(SPEC, Policy(path=folder, key="k", digest="d"))
        with pytest.raises(BackendError) as caught:
            draw(backend) if method == "draw" else backend.count_tokens(["a"])
        return str(caught.value)

    assert "is no folder" in error_of(tmp_path / "absent", "count")
    assert "no tokenizer" in error_of(tmp_path, "count")
    make_tokenizer().save_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").touch()
    assert "safetensors" in error_of(tmp_path, "draw")
    bare = make_tiny_policy(tmp_path / "bare").path
    (bare / "chat_template.jinja").unlink()
    assert "no chat template" in error_of(bare, "count")


CACHE = Path(os.environ.get("SELFREWARD_CACHE", Path.home() / ".cache" / "selfreward")).expanduser()
SMOLLM = CACHE / "models" / "smollm2-135m-instruct"


@pytest.mark.model
@pytest.mark.skipif(not SMOLLM.is_dir(), reason="run `selfreward assets` first")
def test_the_real_model_answers_and_prefers_a_right_answer():
    question = ask("What is the capital of France?")
    with HfBackend(HfSpec(device="cpu"), Policy(path=SMOLLM, key="smollm2", digest="smollm2")) as backend:
        ((answer,),) = draw(backend, [question], k=1, temperature=0.0, max_new_tokens=32)
        right, wrong, again = backend.score(
            [Answer(messages=question, text=text) for text in ("Paris", "Banana", answer.text)], lambda _done: None
        )
    assert "Paris" in answer.text
    assert answer.finish == "stop"
    assert right.logprob > wrong.logprob
    assert again.tokens == answer.tokens
    assert again.logprob == pytest.approx(answer.logprob, abs=0.05 * answer.tokens)
