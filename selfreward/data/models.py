"""Models that people bring: a folder, one embedded, one of the hub at a pinned revision, or a scripted policy."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from selfreward.artifacts.atomic_files import folder_digest, locked, sha256_of
from selfreward.backends.chat_template import TOKENS
from selfreward.backends.model_folder import check_weights
from selfreward.backends.model_loading import load_tokenizer, settle_rendering
from selfreward.backends.new_tokens import FILE as NEW_TOKENS
from selfreward.backends.rendering import FILE, ChatSpec, write_rendering
from selfreward.backends.scripted_policy import STATE_FILE, ScriptedState, write_state
from selfreward.data.wheels import asset_model, model_names
from selfreward.errors import AssetError, BackendError
from selfreward.installed import version
from selfreward.policies import Policy
from selfreward.records import digest_of
from selfreward.spec import Json, Spec, identity, part_of

_WEIGHTS = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.py"]
TEMPLATE = "chat_template.jinja"
_OF_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?:@([0-9a-f]{40}))?")
# Raise it where the same template may be settled otherwise.
_SETTLING = 1


class HfModel(ChatSpec):
    """A model in the Hugging Face layout, with safetensors weights.

    `path` is a local folder. Otherwise `name` is an embedded model (see `selfreward assets`) or a hub id, which
    needs `revision`, a commit.
    """

    kind: Literal["hf"] = "hf"
    name: str = "smollm2-135m-instruct"
    revision: str | None = None
    path: Path | None = None


class ScriptedModel(Spec):
    """A scripted policy: `skill` is its chance of a right answer, `modes` how far its other answers spread."""

    kind: Literal["scripted"] = "scripted"
    skill: float = Field(0.3, gt=0, lt=1)
    modes: float = Field(6.0, gt=0)


ModelSpec = Annotated[HfModel | ScriptedModel, Field(discriminator="kind")]


def start_policy(spec: HfModel | ScriptedModel, store: Path, *, trusted: bool = False) -> Policy:
    """The policy of iteration 0. Its key is its digest: it comes from no stage.

    `trusted` lets the code run that a model brings. Raises AssetError where the model is missing or cannot be fetched,
    and BackendError where it has no safetensors weights or no chat template that can be used.
    """
    if isinstance(spec, HfModel):
        return model_policy(folder_of(spec), part_of(spec, ChatSpec), store, trusted=trusted)
    folder = store / ".models" / digest_of("scripted", spec.skill, spec.modes)
    write_state(folder, ScriptedState(skill=spec.skill, modes=spec.modes))
    return folder_policy(folder, store)


def model_policy(folder: Path, chat: ChatSpec, store: Path, *, trusted: bool) -> Policy:
    """The policy that the model in `folder` is when talked to as `chat` says.

    What is settled about rendering counts in its digest, so it lies beside the weights: in a folder of links to the
    model's files, made once. A policy that was trained here brings its own, which `chat` overrules where it says
    anything.
    """
    if (folder / STATE_FILE).exists():  # a script, which is told nothing in a template
        return folder_policy(folder, store)
    check_weights(folder)
    if chat == ChatSpec() and (folder / FILE).exists():
        return folder_policy(folder, store)
    base = folder_policy(folder, store)
    name = digest_of("rendering", _SETTLING, version("transformers"), base.digest, told_of(chat))
    with made_once(name, store) as (settled, scratch):
        if scratch is not None:
            _settle(folder, chat, scratch, trusted=trusted)
    return folder_policy(settled, store)


def told_of(chat: ChatSpec) -> dict[str, Json]:
    """What `chat` says, a template by its text, as it counts in the name of a folder."""
    told = identity(chat)
    if chat.chat_template is not None and Path(chat.chat_template).is_file():
        told["chat_template"] = sha256_of(Path(chat.chat_template))
    return told


@contextmanager
def made_once(name: str, store: Path) -> Iterator[tuple[Path, Path | None]]:
    """The folder of this name for a settled model, and where to write what becomes it; None where it is there."""
    settled = store / ".models" / name
    with locked(store / ".locks" / f"model-{name}", on_wait=lambda: None):
        if (settled / FILE).exists() and all(path.exists() for path in settled.iterdir()):
            yield settled, None
            return
        scratch = settled.with_name(f".{settled.name}")
        for old in (scratch, settled):
            shutil.rmtree(old, ignore_errors=True)
        scratch.mkdir(parents=True)
        yield settled, scratch
        scratch.rename(settled)


def named_folder(named: Path, setting: str) -> Path:
    """The folder `named`, or that of a hub model, which `setting` names by id and commit as `OWNER/NAME@COMMIT`.

    A commit that was fetched before is read from the hub's cache, without a network. Raises AssetError for what is
    neither, and for what cannot be fetched.
    """
    if named.is_dir():
        return named
    of_hub = _OF_HUB.fullmatch(str(named))
    if of_hub is None or of_hub[2] is None:
        pinned = f"{of_hub[1]}@COMMIT" if of_hub else "OWNER/NAME@COMMIT"
        raise AssetError(
            f"{setting}={named} is no folder: give the folder of a saved model, or a hub model as {pinned}, by all 40 "
            "digits of the commit"
        )
    return _fetched(of_hub[1], of_hub[2])


def _settle(folder: Path, chat: ChatSpec, out: Path, *, trusted: bool) -> None:
    """Writes links to the files in `folder`, the chosen template and what is settled about it to `out`."""
    tokenizer = load_tokenizer(folder, trust_remote_code=trusted)
    lacking = [token for token in TOKENS.get(chat.chat_template or "", ()) if token not in tokenizer.get_vocab()]
    if lacking:
        raise BackendError(
            f"chat_template={chat.chat_template} is written with {' and '.join(lacking)}, which the model in {folder} "
            "lacks: `selfreward seed-judge` adds and teaches them, chat_template=plain needs none"
        )
    rendering = settle_rendering(folder, tokenizer, chat, trust_remote_code=trusted)
    link_files(folder, out)
    write_template(out, tokenizer.chat_template)
    write_rendering(out, rendering)


def link_files(folder: Path, out: Path) -> None:
    """Links the files in `folder` to `out`, but for those that are settled here and that no model brings."""
    for path in folder.iterdir():
        if path.is_file() and not path.name.startswith(".") and path.name not in (TEMPLATE, FILE, NEW_TOKENS):
            (out / path.name).symlink_to(path.resolve())


def write_template(out: Path, template: str) -> None:
    """Writes a chat template to the folder of a policy."""
    (out / TEMPLATE).write_text(template)


def folder_policy(folder: Path, store: Path) -> Policy:
    """The policy in a folder from outside the store; its key is the digest of its files."""
    digest = folder_digest(folder, memory=store / ".digests.json")
    return Policy(path=folder, key=digest, digest=digest)


def folder_of(spec: HfModel) -> Path:
    """The folder of a model. Raises AssetError where it is missing or cannot be fetched."""
    if spec.path is not None:
        if not spec.path.is_dir():
            raise AssetError(f"model.path={spec.path} is no folder: give the folder of a saved model")
        return spec.path.resolve()
    if spec.name in model_names():
        return asset_model(spec.name)
    if spec.revision is None:
        raise AssetError(f"model.name={spec.name} is a hub model: pin it with model.revision=<commit>")
    return _fetched(spec.name, spec.revision)


def _fetched(name: str, revision: str) -> Path:
    """The folder of a hub model in the hub's cache. Raises AssetError where it is not there and cannot be had."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=_WEIGHTS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise AssetError(
            f"{name}@{revision} cannot be had ({str(error).splitlines()[0]}): check the name, the revision and the "
            "network, or give a folder that has it"
        ) from error
