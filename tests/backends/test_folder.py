"""Folders of models that are not whole, or whose parts do not belong together: one line each, and nothing is used."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfreward.backends import chat_template
from selfreward.backends import model_folder as folders
from selfreward.backends.base import Answer, Sampling
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.model_loading import load_chat
from selfreward.backends.one_line import one_line, plain
from selfreward.errors import BackendError
from selfreward.policies import Policy
from tests.tiny import ask, make_tiny_policy

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
Damage = Callable[[Path], object]


def config(**changes: object) -> Damage:
    return lambda folder: (folder / "config.json").write_text(
        json.dumps({**json.loads((folder / "config.json").read_text()), **changes})
    )


def content(name: str, written: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(written)


def half(name: str) -> Damage:
    def cut(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])

    return cut


def weights(change: Callable[[dict[str, Any]], object]) -> Damage:
    def write(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})

    return write


def index(content: object) -> Damage:
    def write(folder: Path) -> None:
        (folder / WEIGHTS).rename(folder / "model-00001-of-00001.safetensors")
        (folder / INDEX).write_text(json.dumps(content))

    return write


def points_to(name: object) -> Damage:
    return index({"metadata": {}, "weight_map": {"model.norm.weight": name}})


NORM = "model.norm.weight"
FAULTS: dict[str, tuple[Damage, str]] = {
    "a weight that is no number": (weights(lambda w: w[NORM][0].fill_(float("nan"))), f"{NORM} hold values"),
    "an infinite weight": (weights(lambda w: w[NORM][3].fill_(float("-inf"))), f"{NORM} hold values"),
    "half the weights": (half(WEIGHTS), "is not whole"),
    "no weights": (content(WEIGHTS, b""), "is not whole"),
    "weights that are none": (content(WEIGHTS, b"\x10" + bytes(7) + b"garbage, garbage"), "is not whole"),
    "half a tokenizer": (half("tokenizer.json"), "no tokenizer can be loaded"),
    "a tokenizer of no kind": (
        content("tokenizer.json", b'{"version": "1.0", "added_tokens": [], "model": {"type": "X"}}'),
        "no tokenizer can be loaded",
    ),
    "half a config": (half("config.json"), "can be loaded"),
    "a list as config": (content("config.json", b"[1]"), "can be loaded"),
    "half a generation config": (half("generation_config.json"), "no model can be loaded"),
    "a stop that is no number": (content("generation_config.json", b'{"eos_token_id": "x"}'), "which is no token"),
    "a stop that is no token": (content("generation_config.json", b'{"eos_token_id": 10000000}'), "which is no token"),
    "a hidden size that is a word": (config(hidden_size="\x1b[31mbig"), "can be loaded"),
    "no heads": (config(num_attention_heads=0), "can be loaded"),
    "an unknown activation": (config(hidden_act="none"), "no model can be loaded"),
    "a smaller vocabulary": (config(vocab_size=100, pad_token_id=None, eos_token_id=None), "lacks|no token|knows"),
    "more layers": (config(num_hidden_layers=5), "lacks 18 weights"),
    "fewer layers": (config(num_hidden_layers=1), "has 18 weights of layers that its config.json does not have"),
    "layers without end": (config(num_hidden_layers=10**9), "says num_hidden_layers=1000000000"),
    "no layers": (config(num_hidden_layers=0), "says num_hidden_layers=0"),
    "a size that cannot fit": (config(hidden_size=10**12), "says vocab_size=260, hidden_size=1000000000000"),
    "the folder of a classifier": (config(architectures=["LlamaForSequenceClassification"]), "no language model"),
    "an index that points outside": (points_to(f"../whole/{WEIGHTS}"), "which is no file in that folder"),
    "an index that points to the root": (points_to("/etc/hostname"), "which is no file in that folder"),
    "an index of an absent file": (points_to("model-00002-of-00002.safetensors"), "which is no file in that folder"),
    "an index of numbers": (points_to(1), "which is no file in that folder"),
    "an index that is none": (index([1]), "is no index of weights"),
    "a rendering of somebody else": (content("rendering.json", b'{"date": 1}'), "delete it, and it is settled anew"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_policy(tmp_path_factory.mktemp("models") / "whole").path


@pytest.fixture
def copied(whole: Path) -> Path:
    folder = whole.with_name("copy")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    return folder


def use(folder: Path) -> None:
    with HfBackend(
        HfSpec(dtype="float32", device="cpu", workers=1), Policy(path=folder, key="k", digest="d")
    ) as backend:
        backend.generate([ask("hello")], Sampling(k=2, temperature=1.0, top_p=1.0, max_new_tokens=4), 0, print)
        backend.score([Answer(messages=ask("a"), text="b")], print)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_does_not_fit_is_refused_in_one_line(copied: Path, fault: str) -> None:
    damage, told = FAULTS[fault]
    damage(copied)
    with pytest.raises(BackendError, match=told) as caught:
        use(copied)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


def test_training_refuses_the_same_folders(copied: Path) -> None:
    from selfreward.updates.rft import RftSpec
    from selfreward.updates.training import model_to_train

    policy = Policy(path=copied, key="k", digest="d")
    spec = RftSpec(device="cpu", trainable="full")
    assert model_to_train(spec, policy) is not None
    FAULTS["a weight that is no number"][0](copied)
    with pytest.raises(BackendError, match="hold values that are no numbers"):
        model_to_train(spec, policy)


def test_training_that_leaves_no_numbers_is_told(copied: Path, tmp_path: Path) -> None:
    from selfreward.errors import StageError
    from selfreward.updates.rft import RftSpec, train_rft
    from tests.tiny import make_example

    spec = RftSpec(device="cpu", trainable="full", learning_rate=1e38, max_grad_norm=1e38, batch_size=1)
    policy = Policy(path=copied, key="k", digest="d")
    with pytest.raises(StageError, match=r"holds? values that are no numbers: lower update\.learning_rate"):
        train_rft(
            spec, policy, [make_example(n) for n in range(4)], tmp_path / "out", tmp_path / "s", 0, lambda *_: None
        )


def test_logits_that_are_no_numbers_are_told(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfreward.backends.model_loading.check_numbers", lambda *_: None)
    FAULTS["a weight that is no number"][0](copied)
    with pytest.raises(BackendError, match="logits are no numbers"):
        use(copied)


def test_numbers_are_looked_at_without_a_copy(whole: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(whole)
    assert folders.first_without_numbers(model) is None


TEMPLATES = {
    "endless": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "too deep": "{% macro a(x) %}{{ a(x) }}{% endmacro %}{{ a(1) }}",
    "of two files": "{% include 'other' %}",
    "too long": "{{ 'a' * 10**15 }}",
    "too wide": "{% for i in range(10**9) %}a{% endfor %}",
    "a division by zero": "{{ 1 / 0 }}",
    "a forbidden thing": "{{ messages.__class__.__mro__ }}{{ messages.append(1) }}",
    "rude": "{{ raise_exception('\\x1b[31mno\\nno') }}",
    "half": "{% for m in messages %}",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_that_comes_to_no_end_or_fails_is_refused(
    copied: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_template, "SECONDS", 0.2)
    (copied / "chat_template.jinja").write_text(TEMPLATES[name])
    with pytest.raises(BackendError, match="is not done with" if name == "endless" else "refuses the") as caught:
        load_chat(copied, trust_remote_code=False)
    assert str(caught.value).isprintable()


def test_what_libraries_say_fits_a_line() -> None:
    assert plain("\x1b[1;31mred\x1b[0m\n\ttext\x1b]0;title\x07 \x9b2J \u202eback") == "red text 2J back"
    assert len(plain("a " * 10**5)) == 300
    assert one_line(KeyError("x")) == "KeyError 'x'"
    assert one_line(OSError()) == "OSError"


def test_threads_wait_without_spinning_for_long() -> None:
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    code = f"import selfreward, os; print(*map(os.environ.get, {names}))"
    for given, found in (
        ({}, "PASSIVE 1000"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE None"),
        ({"GOMP_SPINCOUNT": "7"}, "PASSIVE 7"),
    ):
        environment = {name: value for name, value in os.environ.items() if name not in names} | given
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == found
