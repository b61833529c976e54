"""What every backend promises; a new one adds a line to `BACKENDS`."""

import math
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from selfreward.backends import Backend, HfSpec, ScriptedSpec, VllmSpec
from selfreward.backends.base import Answer, NotScored, Sampling, TextScore
from selfreward.backends.scripted_policy import ScriptedState, write_state
from selfreward.errors import BackendError
from selfreward.policies import Policy
from selfreward.records import Message
from tests.tiny import make_tiny_policy


def scripted(folder: Path) -> Backend:
    write_state(folder, ScriptedState(skill=0.3, modes=6.0))
    return ScriptedSpec().open(Policy(path=folder, key="p", digest="p"))


def hf(folder: Path) -> Backend:
    # Every byte that spells a space or a letter e ends an answer now and then, so that some end by themselves.
    policy = make_tiny_policy(folder, extra_stops=[68, 220])
    return HfSpec(dtype="float32", device="cpu", workers=1).open(policy)


def vllm(folder: Path) -> Backend:
    policy = make_tiny_policy(folder, extra_stops=[68, 220], head_size=32)
    return VllmSpec(dtype="float32", kv_cache_gib=0.25).open(policy)


BACKENDS: dict[str, Callable[[Path], Backend]] = {"scripted": scripted, "hf": hf, "vllm": vllm}
NEEDS = {
    "vllm": [pytest.mark.vllm, pytest.mark.skipif(find_spec("vllm") is None, reason="run scripts/setup_vllm.sh")],
}
PROMPTS = [(Message(role="user", content=f"What is {n} + 2?"),) for n in range(5)]
SAMPLING = Sampling(k=3, temperature=0.9, top_p=1.0, max_new_tokens=8)
GREEDY = Sampling(k=1, temperature=0.0, top_p=1.0, max_new_tokens=8)


def nothing(_: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module", params=[pytest.param(name, marks=NEEDS.get(name, ())) for name in BACKENDS])
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with BACKENDS[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        yield opened


def test_k_completions_for_each_prompt(backend: Backend) -> None:
    drawn = backend.generate(PROMPTS, SAMPLING, 0, nothing)
    assert [len(completions) for completions in drawn] == [3] * 5
    for completion in (one for completions in drawn for one in completions):
        assert completion.finish in ("stop", "length")
        assert completion.tokens > 0
        assert completion.logprob < 0
        assert math.isfinite(completion.logprob)


def test_the_same_seed_draws_the_same_and_another_does_not(backend: Backend) -> None:
    first = backend.generate(PROMPTS, SAMPLING, 7, nothing)
    assert backend.generate(PROMPTS, SAMPLING, 7, nothing) == first
    assert backend.generate(PROMPTS, SAMPLING, 8, nothing) != first


def test_greedy_needs_no_luck(backend: Backend) -> None:
    assert backend.generate(PROMPTS, GREEDY, 1, nothing) == backend.generate(PROMPTS, GREEDY, 2, nothing)


def test_no_prompts_no_answers(backend: Backend) -> None:
    assert backend.generate([], SAMPLING, 0, nothing) == []
    assert backend.score([], nothing) == []
    assert backend.count_tokens([]) == []


def test_progress_adds_up(backend: Backend) -> None:
    steps: list[int] = []
    backend.generate(PROMPTS, SAMPLING, 0, steps.append)
    assert sum(steps) == 15
    steps.clear()
    backend.score([Answer(messages=prompt, text="The answer is 3.") for prompt in PROMPTS], steps.append)
    assert sum(steps) == 5


def test_the_scripted_policy_scores_what_it_drew(tmp_path: Path) -> None:
    backend = scripted(tmp_path)
    for prompt, completions in zip(PROMPTS, backend.generate(PROMPTS, SAMPLING, 3, nothing), strict=True):
        for drawn in completions:
            (score,) = backend.score([Answer(messages=prompt, text=drawn.text)], nothing)
            assert isinstance(score, TextScore)
            assert (score.logprob, score.tokens) == (drawn.logprob, drawn.tokens)


def test_scores_do_not_depend_on_their_company(backend: Backend) -> None:
    answers = [Answer(messages=prompt, text=f"The answer is {n}.") for n, prompt in enumerate(PROMPTS)]
    together = backend.score(answers, nothing)
    for answer, score in zip(answers, together, strict=True):
        (alone,) = backend.score([answer], nothing)
        assert isinstance(alone, TextScore)
        assert isinstance(score, TextScore)
        assert alone.logprob == pytest.approx(score.logprob, abs=1e-3)
        assert alone.tokens == score.tokens


def test_each_token_of_a_scored_answer_is_told(backend: Backend) -> None:
    for score in backend.score([Answer(messages=one, text="The answer is 3.") for one in PROMPTS], nothing):
        assert isinstance(score, TextScore) and score.token_logprobs is not None
        assert len(score.token_logprobs) == score.tokens
        assert sum(score.token_logprobs) == pytest.approx(score.logprob)


def test_counted_tokens_are_scored_tokens(backend: Backend) -> None:
    text = "The answer is 3."
    (score,) = backend.score([Answer(messages=PROMPTS[0], text=text)], nothing)
    assert isinstance(score, TextScore)
    assert backend.count_tokens([text]) == [score.tokens]


def test_a_thought_is_scored_with_its_answer(backend: Backend) -> None:
    thought, text = "<think>Two and two more.</think>\n", "The answer is 3."
    results = backend.score([Answer(messages=PROMPTS[0], text=text, thought=said) for said in (None, thought)], nothing)
    alone, both = results
    assert isinstance(alone, TextScore) and isinstance(both, TextScore)
    assert both.tokens > alone.tokens


def test_a_prompt_without_room_is_refused(backend: Backend) -> None:
    long = (Message(role="user", content="word " * 4000),)
    steps: list[int] = []
    with pytest.raises(BackendError, match="shorten the prompt") as caught:
        backend.generate([long, PROMPTS[0]], SAMPLING, 0, steps.append)
    assert "at most 0" not in str(caught.value)
    assert steps == [], "nothing is drawn before"


def test_identity_is_plain_and_stable(backend: Backend) -> None:
    assert backend.identity == backend.identity
    assert all(isinstance(value, str | int | float | bool) for value in backend.identity.values())


def test_what_cannot_be_scored_says_why(tmp_path: Path) -> None:
    write_state(tmp_path / "s", ScriptedState(skill=0.3, modes=6.0))
    faulty = ScriptedSpec(unscored_share=1.0).open(Policy(path=tmp_path / "s", key="p", digest="p"))
    tiny = hf(tmp_path / "t")
    too_long = Answer(messages=PROMPTS[0], text="word " * 200)
    for engine in (faulty, tiny):
        steps: list[int] = []
        (result,) = engine.score([too_long], steps.append)
        assert isinstance(result, NotScored)
        assert result.outcome == "truncated"
        assert result.reason
        assert steps == [1]


def test_a_prompt_is_unfit_where_it_cannot_be_drawn_from(backend: Backend) -> None:
    """What fits is drawn from; one token more for the answer does not fit and is told beforehand."""
    (asked,) = PROMPTS[:1]
    (drawn,) = backend.generate([asked], GREEDY, 0, nothing)[0]
    limit = next(room for room in range(1, 5000) if backend.why_unfit(asked, room + 1) is not None)
    assert backend.why_unfit(asked, limit) is None
    unfit = backend.why_unfit(asked, limit + 1)
    assert unfit is not None and unfit.reason == "prompt_too_long" and "\n" not in unfit.told
    assert str(drawn.prompt_tokens) in unfit.told
    with pytest.raises(BackendError, match="prompt"):
        backend.generate([asked], Sampling(k=1, temperature=0.0, top_p=1.0, max_new_tokens=limit + 1), 0, nothing)
