"""Checkpoints of a training that was not done: written whole or not at all, believed by a digest, never unpickled."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from selfreward.artifacts.atomic_files import canonical, sha256_of, sync, write_atomically
from selfreward.errors import StageError
from selfreward.spec import Json

_PICKLED = "training_args.bin"
"""The only file of transformers' checkpoints that cannot be loaded as weights alone; nobody reads it."""
_PLACE = 6
"""So many last parts of its path say where a checkpoint lies: stage, key, folder for all, job, part of it, step."""


def train_on(trainer: Any, folder: Path) -> int:
    """The step that training ends at, with checkpoints in `folder`; it begins at the last whole one there.

    The last of them stays, also where training ends in a StageError, which then says so.
    """
    trainer.add_callback(keep_checkpoints())
    trainer.create_model_card = lambda *_, **__: None  # in a checkpoint it is nobody's to read
    begins = last_checkpoint(folder)
    try:
        return int(trainer.train(resume_from_checkpoint=None if begins is None else str(begins)).global_step)
    except StageError as error:
        kept = last_checkpoint(folder)
        if kept is None:
            raise
        raise StageError(
            f"{error}. The checkpoint of step {_step(kept)} stays in {kept}; with other settings training begins anew, "
            "so delete that folder then"
        ) from error


def last_checkpoint(folder: Path) -> Path | None:
    """The last whole checkpoint in a folder of an unfinished artifact; all others are deleted."""
    folders = [path for path in folder.glob("checkpoint-*") if path.is_dir() and not path.is_symlink()]
    found = next((path for path in sorted(folders, key=_step, reverse=True) if is_sealed(path)), None)
    _delete_all_but(found, folder)
    return found


def keep_checkpoints() -> Any:
    """The callback that seals each checkpoint of a trainer, and deletes the one before it."""
    from transformers import TrainerCallback

    class Keep(TrainerCallback):
        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    return Keep()


def seal(checkpoint: Path) -> None:
    """Writes the digest by which a checkpoint is believed; older ones go then."""
    (checkpoint / _PICKLED).unlink(missing_ok=True)
    for path in sorted(checkpoint.rglob("*"), reverse=True):
        sync(path)
    sync(checkpoint)
    write_atomically(_digest_file(checkpoint), f"{_digest(checkpoint)}\n".encode())
    _delete_all_but(checkpoint, checkpoint.parent)


def is_sealed(checkpoint: Path) -> bool:
    """Whether a folder was sealed and is as it was then."""
    try:
        return _digest_file(checkpoint).read_text().strip() == _digest(checkpoint)
    except (OSError, ValueError):  # missing, a folder, no text: made again
        return False


def _digest(checkpoint: Path) -> str:
    """The digest of all files of a checkpoint in its place."""
    found = (path for path in sorted(checkpoint.rglob("*")) if path.is_file())
    files: Json = {path.relative_to(checkpoint).as_posix(): sha256_of(path) for path in found}
    return hashlib.sha256(canonical([*checkpoint.absolute().parts[-_PLACE:], files])).hexdigest()


def _digest_file(checkpoint: Path) -> Path:
    return checkpoint.with_name(f"{checkpoint.name}.sha256")


def _step(path: Path) -> int:
    number = path.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def _delete_all_but(kept: Path | None, folder: Path) -> None:
    for path in folder.glob("checkpoint-*"):
        if kept is not None and path in (kept, _digest_file(kept)):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
