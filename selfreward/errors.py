"""The errors a user can meet, and the exit status each one ends with.

Where none of them fits a plain error is raised. `Store.run` adds stage, key and folder to whatever a stage raises.
"""


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
