import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from selfreward.backends import HfSpec, VllmSpec, vllm_worker
from selfreward.backends.base import Answer, NotScored, Sampling, TextScore
from selfreward.backends.chat import completion_of
from selfreward.backends.forward import token_logprobs
from selfreward.backends.hf import HfBackend
from selfreward.backends.vllm import VllmBackend
from selfreward.errors import BackendError
from selfreward.policies import Policy
from selfreward.spec import identity
from tests.tiny import CONTEXT, ask, held, make_tiny_policy

SPEC = VllmSpec(dtype="float32", kv_cache_gib=0.25)
PROMPTS = [ask(text) for text in ("hello", "what is the name of it", "a", "why", "say it again, please")]
HELLO = ask("hello")

needs_vllm = [pytest.mark.vllm, pytest.mark.skipif(find_spec("vllm") is None, reason="run scripts/setup_vllm.sh")]


def nothing(_: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def policy(tmp_path_factory) -> Policy:
    return make_tiny_policy(tmp_path_factory.mktemp("tiny"), extra_stops=[68, 220], head_size=32)


@pytest.fixture(scope="module")
def engine(policy):
    with VllmBackend(SPEC, policy) as opened:
        yield opened


@pytest.fixture(scope="module")
def reference(policy):
    with HfBackend(HfSpec(dtype="float32", device="cpu", workers=1), policy) as opened:
        yield opened


class TestWithAnEngine:
    pytestmark = needs_vllm

    @pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 0.8)])
    def test_tokens_are_drawn_as_often_as_with_transformers(self, engine, reference, temperature, top_p):
        sampling = Sampling(k=2000, temperature=temperature, top_p=top_p, max_new_tokens=1)
        ours, theirs = (
            Counter(one.text for one in answers)
            for backend in (engine, reference)
            for answers in backend.generate([HELLO], sampling, 1, nothing)
        )
        assert ours != theirs
        for text in ours | theirs:
            assert abs(ours[text] - theirs[text]) <= 5 * (ours[text] + theirs[text]) ** 0.5

    def test_scores_agree_with_transformers(self, engine, reference):
        answers = [Answer(messages=messages, text="hello" * size) for size, messages in enumerate(PROMPTS)]
        answers += [Answer(messages=HELLO, text="hello", ended=False), Answer(messages=HELLO, text="", ended=False)]
        ours, theirs = engine.score(answers, nothing), reference.score(answers, nothing)
        assert [one.logprob for one in ours] == pytest.approx([one.logprob for one in theirs], abs=1e-3)
        assert [(one.tokens, one.prompt_tokens) for one in ours] == [(one.tokens, one.prompt_tokens) for one in theirs]

    def test_options_agree_with_transformers(self, engine, reference):
        options = ["a", "b", "7"]
        ours, theirs = (one.score_options(PROMPTS, options, nothing) for one in (engine, reference))
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.logprobs == pytest.approx(other.logprobs, abs=1e-3)
            assert mine.prompt_tokens == other.prompt_tokens

    def test_greedy_answers_agree_with_transformers(self, engine, reference):
        greedy = Sampling(k=1, temperature=0.0, top_p=1.0, max_new_tokens=12)
        ours, theirs = (one.generate(PROMPTS, greedy, 0, nothing) for one in (engine, reference))
        for (mine,), (other,) in zip(ours, theirs, strict=True):
            assert (mine.text, mine.finish, mine.tokens) == (other.text, other.finish, other.tokens)
            assert mine.logprob == pytest.approx(other.logprob, abs=1e-3)

    @pytest.mark.parametrize(("temperature", "top_p"), [(0.5, 0.9), (1.0, 1.0)])
    def test_logprob_of_a_draw_is_the_untempered_one_of_its_tokens(
        self, engine, reference, temperature, top_p, monkeypatch
    ):
        drawn = []

        def spy(chat, prompt, tokens, logprobs, stops):
            drawn.append(((prompt, tokens), logprobs))
            return completion_of(chat, prompt, tokens, logprobs, stops)

        monkeypatch.setattr("selfreward.backends.token_backend.completion_of", spy)
        engine.generate(PROMPTS, Sampling(k=4, temperature=temperature, top_p=top_p, max_new_tokens=20), 3, nothing)
        scored = list(map(sum, token_logprobs(held(reference), [row for row, _ in drawn], pad=0)))
        assert len({len(tokens) for (_, tokens), _ in drawn}) > 1
        assert [sum(logprobs) for _, logprobs in drawn] == pytest.approx(scored, abs=1e-3)

    def test_no_token_is_ranked(self):
        code = """
import torch
from selfreward.backends.vllm_worker import _leave_ranks_out
from vllm.v1.sample.sampler import Sampler

_leave_ranks_out()
logprobs = torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.6, 0.1]]).log()
found = Sampler.gather_logprobs(logprobs, 0, torch.tensor([0, 2]))
print(found.selected_token_ranks.tolist() == [0, 0])
print(torch.equal(found.logprobs, logprobs[[0, 1], [0, 2]][:, None]))
"""
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert told.split() == ["True"] * 2

    def test_a_draw_does_not_depend_on_its_company(self, engine):
        sampling = Sampling(k=2, temperature=0.9, top_p=1.0, max_new_tokens=8)
        together = engine.generate(PROMPTS, sampling, 5, nothing)
        (alone,) = engine.generate(PROMPTS[2:3], sampling, 5, nothing)
        assert [one.text for one in alone] == [one.text for one in together[2]]
        assert alone[0].text != alone[1].text
        twice = engine.generate([HELLO, HELLO], sampling, 5, nothing)
        assert twice[0] != twice[1]

    def test_answers_are_held_to_a_pattern(self, engine):
        pattern = r"(?:[a-df-z,.]{1,9}\n\n?)?Mark:(?:[0-4]|10)"
        free = Sampling(k=4, temperature=1.0, top_p=1.0, max_new_tokens=60)
        held = replace(free, pattern=pattern)
        drawn = [one for row in engine.generate(PROMPTS, held, 3, nothing) for one in row]
        assert {one.finish for one in drawn} == {"stop"}
        # An "e" that stops this model is the end of its turn, and is text to its tokenizer.
        texts = [one.text.removesuffix("e") for one in drawn]
        assert [text for text in texts if not re.fullmatch(pattern, text)] == []
        assert len(set(texts)) > len(PROMPTS)
        assert [one for row in engine.generate(PROMPTS, held, 3, nothing) for one in row] == drawn
        plain = [one.text.removesuffix("e") for row in engine.generate(PROMPTS, free, 3, nothing) for one in row]
        assert not any(re.fullmatch(pattern, text) for text in plain)

    def test_a_held_answer_is_cut_as_any_other(self, engine):
        cut = Sampling(k=1, temperature=0.0, top_p=1.0, max_new_tokens=3, pattern="Mark:[0-4]")
        ((drawn,),) = engine.generate([HELLO], cut, 0, nothing)
        assert (drawn.text, drawn.finish) == ("Mar", "length")

    def test_more_prompts_than_one_pass_holds(self, engine):
        prompts = [ask(f"{number} " + "b" * 60) for number in range(80)]
        drawn = engine.generate(prompts, Sampling(k=2, temperature=1.0, top_p=1.0, max_new_tokens=4), 0, nothing)
        assert [len(row) for row in drawn] == [2] * len(prompts)

    def test_reading_the_identity_imports_nothing_heavy(self, policy):
        code = (
            "import sys; from pathlib import Path;"
            "from selfreward.backends import *; from selfreward.policies import *;"
            f"policy = Policy(path=Path({str(policy.path)!r}), key='k', digest='d');"
            "print(VllmSpec().open(policy).identity['kind']);"
            "assert not {'torch', 'transformers', 'vllm'} & set(sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.stdout.strip(), done.stderr) == ("vllm", "")

    def test_another_interpreter_says_the_same_of_itself(self, engine, policy):
        elsewhere = VllmSpec(python=Path(sys.executable), dtype="float32")
        assert VllmBackend(elsewhere, policy).identity == engine.identity

    def test_an_answer_may_fill_the_context_and_no_more(self, engine, reference):
        room = CONTEXT - reference.score([Answer(messages=HELLO, text="")], nothing)[0].prompt_tokens
        fits, too_long = Answer(messages=HELLO, text="b" * (room - 1)), Answer(messages=HELLO, text="b" * room)
        done = []
        (ours, refused), (theirs, _) = engine.score([fits, too_long], done.append), reference.score([fits] * 2, nothing)
        assert isinstance(ours, TextScore)
        assert ours.logprob == pytest.approx(theirs.logprob, abs=1e-2)
        assert isinstance(refused, NotScored)
        assert refused.outcome == "truncated"
        assert sum(done) == 2
        full = Sampling(k=1, temperature=1.0, top_p=1.0, max_new_tokens=room)
        ((drawn,),) = engine.generate([HELLO], full, 0, nothing)
        assert drawn.tokens <= room

    def test_one_process_serves_everything_and_is_gone_afterwards(self, policy):
        with VllmBackend(SPEC, policy) as opened:
            assert opened.count_tokens(["hello"])
            assert opened._worker is None
            opened.score([Answer(messages=HELLO, text="a")], nothing)
            worker = opened._worker
            opened.score_options([HELLO], ["a"], nothing)
            assert opened._worker is worker
            assert worker._folder.is_dir()
        assert gone(worker.pid)
        assert not worker._folder.exists()

    def test_an_interrupted_call_leaves_no_process(self, policy):
        def interrupt(done: int) -> None:
            if done:
                raise KeyboardInterrupt

        with VllmBackend(SPEC, policy) as opened:
            opened._worker = worker = opened._start()
            with pytest.raises(KeyboardInterrupt):
                opened.score([Answer(messages=messages, text="hello") for messages in PROMPTS], interrupt)
            assert opened._worker is None
            assert gone(worker.pid)

    def test_a_killed_parent_leaves_no_worker(self, policy, tmp_path):
        code = (
            "from pathlib import Path; from selfreward.backends import *; from selfreward.backends.base import *;"
            "from selfreward.policies import *; from selfreward.records import *;"
            f"spec, path = VllmSpec.model_validate({SPEC.model_dump()!r}), Path({str(policy.path)!r});"
            "from selfreward.backends.vllm import VllmBackend;"
            "backend = VllmBackend(spec, Policy(path=path, key='k', digest='d'));"
            "backend._worker = backend._start(); print(backend._worker.pid, flush=True);"
            "backend.score([Answer(messages=(Message(role='user', content='a'),), text='a')] * 10**5, print)"
        )
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
        with parent:
            pid = int(parent.stdout.readline())
            os.kill(pid, 0)
            parent.kill()
        assert gone(pid)

    def test_a_worker_that_dies_says_why(self, policy, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the log stays
        hungry = VllmSpec(dtype="float32", kv_cache_gib=10**6)
        with VllmBackend(hungry, policy) as opened, pytest.raises(BackendError) as caught:
            opened.score([Answer(messages=HELLO, text="a")], nothing)
        told = str(caught.value)
        assert "\n" not in told
        assert "GiB" in told
        assert "its log is" in told

    def test_a_killed_worker_is_an_error_and_the_next_call_starts_another(self, policy, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the log stays
        with VllmBackend(SPEC, policy) as opened:
            opened._worker = opened._start()
            os.kill(opened._worker.pid, signal.SIGKILL)
            with pytest.raises(BackendError, match="status -9"):
                opened.score([Answer(messages=HELLO, text="a")], nothing)
            assert opened._worker is None


def gone(pid: int) -> bool:
    """Whether a process and its group end within ten seconds."""
    for _ in range(100):
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


COMPARE_KERNELS = """
import runpy, sys, torch
from vllm import LLMEngine, ir
from vllm.platforms import current_platform

setting = runpy.run_path(sys.argv[1])["_norms_by_one_kernel"]()
made = torch.Generator().manual_seed(0)
x, rest, weight = (torch.randn(*shape, 96, generator=made, dtype=torch.float32) for shape in ((6,), (6,), ()))
if current_platform.is_cpu():
    found = []
    for provider in ("native", *setting["ir_op_priority"]["fused_add_rms_norm"]):
        found.append(ir.ops.fused_add_rms_norm.impls[provider].impl_fn(x.clone(), rest.clone(), weight, 1e-5))
    print(max((own - by_torch).abs().max().item() for own, by_torch in zip(*found)), len(found))
"""


class TestOfItsKernel:
    pytestmark = needs_vllm

    def test_vllms_own_kernel_adds_and_normalises_as_torch_does(self):
        command = [sys.executable, "-c", COMPARE_KERNELS, vllm_worker.__file__]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        if done.stdout:
            apart, ways = done.stdout.splitlines()[-1].split()
            assert float(apart) < 1e-5
            assert ways == "2"


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory) -> Path:
    """An interpreter without packages."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


def test_a_python_without_vllm_is_named_with_what_to_do(bare_python, tmp_path):
    policy = Policy(path=tmp_path, key="k", digest="d")
    with pytest.raises(BackendError, match=r"not installed for .*bin/python: type `bash scripts/setup_vllm\.sh`"):
        _ = VllmBackend(VllmSpec(python=bare_python), policy).identity
    with pytest.raises(BackendError, match=r"backend\.python=.*absent is no Python"):
        _ = VllmBackend(VllmSpec(python=tmp_path / "absent"), policy).identity


def test_where_the_engine_runs_is_no_part_of_a_key():
    spec = VllmSpec(python=Path("/elsewhere"), kv_cache_gib=1, threads=1, max_num_seqs=8, gpu_memory_utilization=0.1)
    assert identity(spec) == identity(VllmSpec())


def test_what_vllm_cannot_draw_is_refused_before_it_starts(tmp_path):
    policy = make_tiny_policy(tmp_path, head_size=32)
    with VllmBackend(SPEC, policy) as opened:
        for changes, message in (
            ({"temperature": 2.5}, "at most 2.0"),
            ({"temperature": 0.0}, "set k=1"),
            ({"max_new_tokens": CONTEXT}, r"max_new_tokens=128 exceed .* or set max_new_tokens to at most \d\d"),
        ):
            settings = {"k": 2, "temperature": 1.0, "top_p": 1.0, "max_new_tokens": 4, **changes}
            with pytest.raises(BackendError, match=message):
                opened.generate([HELLO], Sampling(**settings), 0, nothing)
        assert opened._worker is None


def test_max_model_len_lowers_the_limit(tmp_path):
    policy = make_tiny_policy(tmp_path, head_size=32)
    backend = VllmBackend(VllmSpec(max_model_len=40), policy)
    (refused,) = backend.score([Answer(messages=HELLO, text="b" * 40)], nothing)
    assert isinstance(refused, NotScored)
    assert "holds 40" in refused.reason
