"""The start model: a folder, one of the embedded models, a hub model at a pinned revision, or a scripted policy."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from selfreward.artifacts.files import folder_digest
from selfreward.backends.scripted import ScriptedState, write_state
from selfreward.data.assets import asset_model, model_names
from selfreward.errors import AssetError
from selfreward.records import Policy, digest_of
from selfreward.spec import Spec

_WEIGHTS = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]


class HfModel(Spec):
    """A model in the Hugging Face layout, with safetensors weights and a chat template.

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


def start_policy(spec: HfModel | ScriptedModel, store: Path) -> Policy:
    """The policy of iteration 0. Its key is its digest: it comes from no stage.

    Raises AssetError for a model that is missing, has no safetensors weights, or cannot be fetched.
    """
    match spec:
        case ScriptedModel():
            folder = store / ".models" / digest_of("scripted", spec.skill, spec.modes)
            write_state(folder, ScriptedState(skill=spec.skill, modes=spec.modes))
        case HfModel():
            folder = _folder_of(spec)
            if not list(folder.glob("*.safetensors")):
                raise AssetError(
                    f"{folder} has no *.safetensors weights: give model.path a folder saved with save_pretrained"
                )
    return folder_policy(folder, store)


def folder_policy(folder: Path, store: Path) -> Policy:
    """The policy in a folder from outside the store; its key is the digest of its files."""
    digest = folder_digest(folder, memory=store / ".digests.json")
    return Policy(path=folder, key=digest, digest=digest)


def _folder_of(spec: HfModel) -> Path:
    if spec.path is not None:
        if not spec.path.is_dir():
            raise AssetError(f"model.path={spec.path} is no folder: give the folder of a saved model")
        return spec.path.resolve()
    if spec.name in model_names():
        return asset_model(spec.name)
    if spec.revision is None:
        raise AssetError(f"model.name={spec.name} is a hub model: pin it with model.revision=<commit>")
    return _hub_folder(spec.name, spec.revision)


def _hub_folder(name: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=_WEIGHTS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        reason = str(error).splitlines()[0]
        raise AssetError(
            f"{name}@{revision} cannot be had ({reason}): check the name, the revision, the network"
        ) from error
