"""The errors a user can meet, and the exit status each one ends with.

SelfrewardError                  exit 2: a mistake that the user can mend
├── ConfigError                  a setting, or two settings that contradict each other
├── DataError                    prompts, answers or pools that cannot be used
├── AssetError                   a model or data set that is missing, altered or out of reach
├── BackendError                 an engine that cannot do what was asked
├── StoreError                   the folder of artifacts
│   ├── CorruptArtifact          bytes on disk that no longer match their digest
│   └── CollectedArtifact        bytes that `selfreward gc` deleted and that are needed again
├── StageError                   a stage that failed; names stage, key and folder
└── StarvedLoop                  exit 3: too few rows to train on; the counts say where they went

Plugins (judges, backends, updates) raise plain errors where nothing here fits; `Store.run` is the
one boundary that adds stage, key and folder.
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


class StoreError(SelfrewardError):
    """The folder of artifacts cannot be used as it is."""


class CorruptArtifact(StoreError):
    """Bytes on disk no longer match the digest that was written with them."""


class CollectedArtifact(StoreError):
    """Bytes were deleted by `selfreward gc` and are needed again."""


class StageError(SelfrewardError):
    """A stage failed; the message names the stage, its key and its folder."""


class StarvedLoop(SelfrewardError):
    """Too few rows are left to train on; the message says where the others went."""

    exit_status = 3
