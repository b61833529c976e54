"""The errors a user can meet, and the exit status each one ends with.

Where none of them fits a plain error is raised. `Store.run` adds stage, key and folder to whatever a stage raises.
"""

import errno
import os
import re

_ADVICE = {
    errno.ENOSPC: "free some (`selfreward gc RUN` deletes old weights)",
    errno.EDQUOT: "free some of your quota (`selfreward gc RUN` deletes old weights)",
    errno.EROFS: "choose a folder that can be written to, store.runs=FOLDER",
    errno.EACCES: "give yourself the right to it, or choose another folder, store.runs=FOLDER",
    errno.EPERM: "give yourself the right to it, or choose another folder, store.runs=FOLDER",
    errno.EFBIG: "choose a disk that takes larger files, store.runs=FOLDER",
    errno.EIO: "look after the disk, or choose a folder on another, store.runs=FOLDER",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EMFILE: "let this shell open more files, ulimit -n 4096",
    errno.ENFILE: "let this machine open more files",
    errno.ENOMEM: "close other programs, or lower what is done at once (docs/configuration.md)",
}
# Libraries written in Rust tell the number of a system's error in their text, in exceptions of many kinds.
_IN_RUST = re.compile(r"\(os error (\d+)\)")
_MEMORY = re.compile(r"can't allocate memory|Unable to allocate|out of memory|bad allocation", re.IGNORECASE)


class SelfrewardError(Exception):
    """A one-line message for the user; `exit_status` is what the process ends with."""

    exit_status = 2


class ConfigError(SelfrewardError):
    """A setting has a value that is not allowed, or two settings contradict each other."""


class DataError(SelfrewardError):
    """Prompts, answers or pools cannot be used as they are."""


class AssetError(SelfrewardError):
    """A model or data set is missing, altered or out of reach."""


class BackendError(SelfrewardError):
    """An engine cannot do what was asked of it."""


class TemplateRefusal(BackendError):
    """A chat template raises an error on the turns that it is given."""


class StoreError(SelfrewardError):
    """The folder of artifacts cannot be used as it is."""


class CorruptArtifact(StoreError):
    """Bytes on disk no longer match the digest that was written with them."""


class CollectedArtifact(StoreError):
    """Bytes were deleted by `selfreward gc` and are needed again."""


class StageError(SelfrewardError):
    """Too much of what a stage asked for failed."""


class StarvedLoop(SelfrewardError):
    """Too few rows are left to train on; the message says where the others went."""

    exit_status = 3


def of_system(error: BaseException, at: str = "") -> StoreError | None:
    """What the operating system refused, in one line with what to do; None for an error of another kind.

    `at` says what was being done, where that is known.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := _IN_RUST.search(str(error))) is not None:
        number = int(found[1])
    if number is None and (isinstance(error, MemoryError) or _MEMORY.search(str(error))):
        number = errno.ENOMEM
    if number is None:
        return None
    file = f": {error.filename}" if isinstance(error, OSError) and error.filename is not None else ""
    advice = _ADVICE.get(number, "mend that")
    return StoreError(
        f"{os.strerror(number)}{f' for {at}' if at else ''}{file}: {advice} and run the same command again"
    )
