"""Your own data: for each role a file or a data set of the hub, and the rule that makes several roles of one."""

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, PositiveInt, Tag, model_validator

from selfreward.data.columns import Columns, RowError
from selfreward.data.files import Rows, content_digest, read_rows
from selfreward.data.formats import read_row
from selfreward.data.overlap import OverlapSpec
from selfreward.data.roles import HumanAnswer, HumanPair, LeftOut, Role, Row, WhyUnfit, asked, messages_of, takes_any
from selfreward.data.wording import normal_form
from selfreward.errors import DataError
from selfreward.records import GoldPair, Prompt, digest_of
from selfreward.spec import Spec, execution


class FileSource(Spec):
    """A file or folder; it counts by its content. `columns` in place of `data.columns`, `limit` as in `HubSource`."""

    path: Path = execution(...)
    columns: Columns | None = None
    limit: PositiveInt | None = None

    def digest(self) -> str:
        """The digest of the bytes."""
        return content_digest(self.path)

    def rows(self) -> Rows:
        """The rows in order. Raises DataError."""
        return read_rows(self.path)

    def __str__(self) -> str:
        return str(self.path)


class HubSource(Spec):
    """A split of a data set on the hub at a pinned revision.

    With `limit` those rows are taken that come first by the digest of their content, so that the order of the file
    plays no part.
    """

    name: str
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    split: str = "train"
    subset: str | None = None
    columns: Columns | None = None
    limit: PositiveInt | None = None

    def digest(self) -> str:
        """The revision: a commit never changes."""
        return self.revision

    def rows(self) -> Rows:
        """The rows in order, fetched into the cache of `datasets` if they are not there. Raises DataError."""
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
        from huggingface_hub.errors import HfHubHTTPError

        try:
            rows = load_dataset(self.name, self.subset, split=self.split, revision=self.revision)
        except (DatasetsError, HfHubHTTPError, OSError, ValueError) as error:
            told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise DataError(f"{self} cannot be loaded ({told}): check name, revision, subset and split") from error
        for number, row in enumerate(rows, start=1):
            yield f"{self} row {number}", row

    def __str__(self) -> str:
        return f"{self.name}/{self.split}"


def _from_path(value: Any) -> Any:
    return {"path": value} if isinstance(value, str | Path) else value


def _is_of_hub(value: Any) -> str:
    return "hub" if isinstance(value, HubSource) or (isinstance(value, dict) and "name" in value) else "file"


Source = Annotated[
    Annotated[FileSource, Tag("file")] | Annotated[HubSource, Tag("hub")],
    Discriminator(_is_of_hub),
    BeforeValidator(_from_path),
]


class SplitSpec(Spec):
    """The shares of the `train` rows that stand in for a role without data of its own; train keeps the rest.

    A row falls to a role by the digest of its prompt, case and punctuation aside, so other rows never move it.
    """

    held_out: float = Field(0.1, ge=0, lt=1)
    probe: float = Field(0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _leaves_train_something(self) -> "SplitSpec":
        if self.held_out + self.probe >= 1:
            raise ValueError(f"split.held_out={self.held_out} and split.probe={self.probe} leave nothing to train")
        return self


class OwnData(Spec):
    """For each role a path, or {path, columns, limit}, or {name, revision, split, subset, columns, limit} of the hub.

    `columns` says where things stand in every source that has none of its own; `system` is the system turn of
    conversations that bring none, empty for none.
    """

    kind: Literal["files"] = "files"
    system: str = ""
    train: Source
    held_out: Source | None = None
    probe: Source | None = None
    target: Source | None = None
    human: Source | None = None
    human_pairs: Source | None = None
    gold_gate: Source | None = None
    gold_final: Source | None = None
    columns: Columns = Columns()
    split: SplitSpec = SplitSpec()
    overlap: OverlapSpec = execution(OverlapSpec())

    @model_validator(mode="after")
    def _two_roles_of_one_source_are_split(self) -> "OwnData":
        for role in ("held_out", "probe"):
            if _same(getattr(self, role), self.train):
                raise ValueError(f"data.{role} is data.train: leave data.{role} out and set data.split.{role}")
        if self.held_out is not None and _same(self.held_out, self.probe):
            raise ValueError("data.probe is data.held_out: leave both out, or give each its own file")
        return self

    def fingerprint(self, role: Role) -> str:
        """What stands for the content behind the rows of `role`."""
        source = self._source(role)
        return "none" if source is None else source.digest()

    def rows(self, role: Role, why_unfit: WhyUnfit = takes_any) -> Iterator[Row]:
        """The rows of a role; a repeated one is left out. Raises DataError, naming the place of one that is unfit."""
        source = self._source(role)
        if source is None:
            return
        rows = _without_repeats(row for row in self._read(role, source, why_unfit) if self._belongs(role, row))
        if source.limit is None:
            yield from rows
        else:
            every = list(rows)
            yield from (row for row in every if isinstance(row, LeftOut))
            kept = (row for row in every if not isinstance(row, LeftOut))
            yield from heapq.nsmallest(source.limit, kept, key=_digest)

    def _source(self, role: Role) -> FileSource | HubSource | None:
        source: FileSource | HubSource | None = getattr(self, role)
        return self.train if source is None and role in ("held_out", "probe") else source

    def _read(self, role: Role, source: FileSource | HubSource, why_unfit: WhyUnfit) -> Iterator[Row]:
        columns = source.columns or self.columns
        for place, row in source.rows():
            try:
                found = list(read_row(role, row, columns, self.system))
            except RowError as error:
                raise DataError(f"{place} ({role}) {error}; see docs/data.md") from error
            for one in found:
                messages = messages_of(one)
                if messages is not None and (reason := why_unfit(messages)) is not None:
                    raise DataError(f"{place} ({role}) makes no prompt for this model: {reason}")
                yield one

    def _belongs(self, role: Role, row: Row) -> bool:
        """Whether a row of the train source falls to `role`; rows of other sources always do."""
        if role != "train" and getattr(self, role) is not None:
            return True
        if not isinstance(row, Prompt):
            return role == "train"
        held_out = self.split.held_out if self.held_out is None else 0.0
        probe = self.split.probe if self.probe is None else 0.0
        place = int(digest_of("split", normal_form(asked(row.messages))), 16) / 16**16
        part = "held_out" if place < held_out else "probe" if place < held_out + probe else "train"
        return part == role


def _same(left: FileSource | HubSource | None, right: FileSource | HubSource | None) -> bool:
    if isinstance(left, FileSource) and isinstance(right, FileSource):
        return left.path.resolve() == right.path.resolve()
    if isinstance(left, HubSource) and isinstance(right, HubSource):
        return (left.name, left.subset, left.split) == (right.name, right.subset, right.split)
    return False


def _digest(row: Prompt | HumanAnswer | HumanPair | GoldPair) -> str:
    """The digest of what the row says."""
    match row:
        case HumanAnswer() | HumanPair():
            return digest_of(*row.said)
        case _:
            return row.id


def _without_repeats(rows: Iterator[Row]) -> Iterator[Row]:
    seen: set[str] = set()
    for row in rows:
        if isinstance(row, LeftOut):
            yield row
        elif (digest := _digest(row)) in seen:
            yield LeftOut("repeated")
        else:
            seen.add(digest)
            yield row
