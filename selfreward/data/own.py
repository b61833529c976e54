"""Your own data: for each role a file or a data set of the hub, and the rule that makes several roles of one."""

import heapq
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, PositiveInt, Tag, model_validator

from selfreward.data.columns import Cells, Columns, RowError
from selfreward.data.formats import columns_read, read_row
from selfreward.data.gathered import gathered
from selfreward.data.held_out_sets import check_names, rows_in_set
from selfreward.data.overlap import OverlapSpec, normal_form
from selfreward.data.readers import Broken, Rows, content_digest, numbered, read_rows, stop
from selfreward.data.roles import ColumnsSeen, Kept, LeftOut, Role, Row, WhyUnfit, question_text, said_of, takes_any
from selfreward.data.winners import FIRST_ROWS, settled
from selfreward.errors import DataError
from selfreward.records import Prompt, digest_of
from selfreward.spec import Spec, execution, neutral


class FileSource(Spec):
    """A file or folder; it counts by its content. `columns` in place of `data.columns`, `limit` as in `HubSource`."""

    path: Path = execution(...)
    columns: Columns | None = None
    limit: PositiveInt | None = None

    def digest(self) -> str:
        """The digest of the bytes."""
        return content_digest(self.path)

    def rows(self, broken: Broken = stop) -> Rows:
        """The rows in order, but for those of `broken` lines. Raises DataError."""
        return read_rows(self.path, broken)


class HubSource(Spec):
    """A split of a hub data set at a pinned revision; `limit` takes the first rows by the digest of their content."""

    name: str
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    split: str = "train"
    subset: str | None = None
    columns: Columns | None = None
    limit: PositiveInt | None = None

    def digest(self) -> str:
        """The revision: a commit never changes."""
        return self.revision

    def rows(self, broken: Broken = stop) -> Rows:
        """The rows in order, fetched into the cache of `datasets` if they are not there. Raises DataError."""
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
        from huggingface_hub.errors import HfHubHTTPError

        try:
            rows = load_dataset(self.name, self.subset, split=self.split, revision=self.revision)
        except (DatasetsError, HfHubHTTPError, OSError, RuntimeError, ValueError) as error:
            told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            if "scripts are no longer supported" in told:
                raise DataError(
                    f"{self} is made by a script, which is never run: give the commit of its branch "
                    f"refs/convert/parquet as revision, or download its files and set data=files"
                ) from error
            raise DataError(f"{self} cannot be loaded ({told}): check name, revision, subset and split") from error
        yield from numbered(str(self), rows)

    def __str__(self) -> str:
        return f"{self.name}/{self.split}"


def _is_of_hub(value: Any) -> str:
    return "hub" if isinstance(value, HubSource) or (isinstance(value, dict) and "name" in value) else "file"


Source = Annotated[
    Annotated[FileSource, Tag("file")] | Annotated[HubSource, Tag("hub")],
    Discriminator(_is_of_hub),
    BeforeValidator(lambda value: {"path": value} if isinstance(value, str | Path) else value),
]

_SPLIT_OFF: tuple[Role, ...] = ("held_out", "probe")
SOURCE_FIELDS = FileSource.model_fields.keys() | HubSource.model_fields.keys()


def _is_of_sets(value: Any) -> str:
    # No name of a setting looks like these, which pydantic puts between those where something is wrong.
    return "by name" if isinstance(value, dict) and not value.keys() & SOURCE_FIELDS else "a source"


def _named(sets: dict[Any, Any]) -> dict[str, Any]:
    check_names(map(str, sets))
    return {str(name): source for name, source in sets.items()}


Sets = Annotated[dict[str, Source], BeforeValidator(_named)]
HeldOut = Annotated[Annotated[Source, Tag("a source")] | Annotated[Sets, Tag("by name")], Discriminator(_is_of_sets)]


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

    `held_out` may be several of these by name: sets that every policy is evaluated on together and each by itself.
    `columns` says where things stand in every source that has none of its own; `system` is the system turn of
    conversations that bring none, empty for none. `on_bad_row` says whether a row that cannot be read stops the run or
    is left out and counted.
    """

    kind: Literal["files"] = "files"
    system: str = ""
    train: Source
    held_out: HeldOut | None = None
    probe: Source | None = None
    target: Source | None = None
    human: Source | None = None
    human_pairs: Source | None = None
    feedback: Source | None = neutral(None)
    red_team: Source | None = neutral(None)
    gold_gate: Source | None = None
    gold_final: Source | None = None
    columns: Columns = Columns()
    on_bad_row: Literal["stop", "skip"] = neutral("stop")
    split: SplitSpec = SplitSpec()
    overlap: OverlapSpec = execution(OverlapSpec())

    @model_validator(mode="after")
    def _two_roles_of_one_source_are_split(self) -> "OwnData":
        given = {
            role if name is None else f"{role}.{name}": source
            for role in _SPLIT_OFF
            for name, source in self._given(role)
        }
        taken = {_place(self.train): "train"}
        for name, source in given.items():
            other = taken.setdefault(_place(source), name)
            if other == "train" and name in _SPLIT_OFF:
                raise ValueError(f"data.{name} is data.train: leave data.{name} out and set data.split.{name}")
            if other != name:
                either = "leave both out, or " if {name, other} == {*_SPLIT_OFF} else ""
                raise ValueError(f"data.{name} is data.{other}: {either}give each its own file")
        too = None if self.red_team is None else taken.get(_place(self.red_team))
        if too is not None:
            raise ValueError(f"data.red_team is data.{too}, and is measured apart from it: give it a file of its own")
        return self

    @property
    def extra(self) -> tuple[str, ...]:
        """The columns that training prompts bring."""
        extra = (self.train.columns or self.columns).extra
        return (extra,) if isinstance(extra, str) else extra or ()

    def has(self, role: Role) -> bool:
        """Whether there is a table of a role: of feedback and red_team where given, of others at least an empty one."""
        return role not in ("feedback", "red_team") or getattr(self, role) is not None

    def fingerprint(self, role: Role) -> str:
        """What stands for the content behind the rows of `role`."""
        sources = self._sources(role)
        if all(name is None for name, _ in sources):
            return next((self._content(role, source) for _, source in sources), "none")
        return digest_of("sets", [(name, source.digest()) for name, source in sources])

    def rows(self, role: Role, why_unfit: WhyUnfit = takes_any) -> Iterator[Row]:
        """The rows of a role, and last which columns were read; a repeated row is left out.

        Held-out sets with names come one by one, each prompt in the first set that it stands in. Raises DataError for a
        set that gives no prompt, and, naming the place, for a row that is unfit or cannot be read, unless bad rows are
        skipped: then where there is no other row.
        """
        earlier: set[str] = set()
        for name, source in self._sources(role):
            rows = self._rows_of(role, source, earlier, why_unfit)
            yield from rows if name is None else rows_in_set(name, rows, earlier)

    def _rows_of(self, role: Role, source: FileSource | HubSource, earlier: set[str], why: WhyUnfit) -> Iterator[Row]:
        """The rows of one source of a role without those of `earlier` sets."""
        seen: set[str] = set()
        kept: list[Kept] = []
        limit = self._limit(role, source)
        for row in self._read(role, source, why):
            if isinstance(row, LeftOut | ColumnsSeen):
                yield row
            elif (digest := said_of(row)) in seen:
                yield LeftOut("repeated")
            elif digest in earlier:
                yield LeftOut("in_an_earlier_set")
            else:
                seen.add(digest)
                if limit is None:
                    yield row
                else:
                    kept.append(row)
        yield from heapq.nsmallest(limit or 0, kept, key=said_of)

    def _given(self, role: Role) -> list[tuple[str | None, FileSource | HubSource]]:
        """The sources that a role was given, behind the name of their set; None for a source without one."""
        given: FileSource | HubSource | dict[str, FileSource | HubSource] | None = getattr(self, role)
        if isinstance(given, dict):
            return [*given.items()]
        return [] if given is None else [(None, given)]

    def _sources(self, role: Role) -> list[tuple[str | None, FileSource | HubSource]]:
        """As `_given`, or the train rows where a share of them stands in."""
        return self._given(role) or ([(None, self.train)] if role in _SPLIT_OFF else [])

    @property
    def _shares(self) -> dict[Role, float]:
        """The share of the train rows that falls to each role that has no data of its own."""
        return {role: getattr(self.split, role) for role in _SPLIT_OFF if getattr(self, role) is None}

    def _limit(self, role: Role, source: FileSource | HubSource) -> int | None:
        """How many rows a role has of a source at most: where train rows are split, its share of their limit."""
        if source.limit is None or source is not self.train:
            return source.limit
        parts = {one: max(1, round(source.limit * share)) for one, share in self._shares.items() if share}
        return parts.get(role, max(1, source.limit - sum(parts.values())))

    def _content(self, role: Role, source: FileSource | HubSource) -> str:
        limit = self._limit(role, source)
        return source.digest() if limit == source.limit else digest_of("share", [limit, source.digest()])

    def _read(self, role: Role, source: FileSource | HubSource, why_unfit: WhyUnfit) -> Iterator[Row]:
        columns = source.columns or self.columns
        broken: list[DataError] = []
        found_broken = stop if self.on_bad_row == "stop" else broken.append
        rows = gathered(source.rows(found_broken), columns)
        first = list(islice(rows, FIRST_ROWS))
        again = gathered(source.rows(lambda _: None), columns)
        columns = settled(role, columns, [row for _, row in first], lambda: (row for _, row in again))
        read: Counter[tuple[str, str]] = Counter()
        unread: Counter[str] = Counter()
        kept, first_bad = False, None
        for place, row in chain(first, rows):
            try:
                found = self._found(role, row, columns, why_unfit)
                used = columns_read(role, row, columns)
            except RowError as error:
                told = f"{place} ({role}) {error}; see docs/data.md"
                if self.on_bad_row == "stop":
                    raise DataError(told) from error
                first_bad = first_bad or told
                found = [LeftOut(error.reason)]
            else:
                kept = True
                read.update(used.items())
                unread.update(str(column) for column in row if column not in used)
            yield from (one for one in found if self._belongs(role, one))
        yield from (one for one in [LeftOut("broken_line")] * len(broken) if self._belongs(role, one))
        first_bad = first_bad or next(map(str, broken), None)
        if first_bad is not None and not kept:
            raise DataError(f"no row can be read; the first: {first_bad}")
        yield ColumnsSeen(read=read, unread=unread)

    def _found(self, role: Role, row: Cells, columns: Columns, why_unfit: WhyUnfit) -> list[Kept | LeftOut]:
        """What a row gives for a role. Raises RowError, also where the model cannot be asked a prompt of it."""
        found = list(read_row(role, row, columns, self.system, skip=self.on_bad_row == "skip"))
        for one in found:
            if not isinstance(one, LeftOut) and self._belongs(role, one) and (unfit := why_unfit(one)) is not None:
                shorten = ": shorten it, lower max_new_tokens where that helps, or set data.on_bad_row=skip"
                told = unfit.told + (shorten if unfit.reason == "prompt_too_long" else "")
                raise RowError(f"makes no prompt for this model: {told}", unfit.reason)
        return found

    def _belongs(self, role: Role, row: Kept | LeftOut) -> bool:
        """Whether a row of the train source falls to `role`; rows of other sources always do."""
        if role != "train" and getattr(self, role) is not None:
            return True
        if not isinstance(row, Prompt):
            return role == "train"
        held_out, probe = (self._shares.get(one, 0.0) for one in _SPLIT_OFF)
        place = int(digest_of("split", normal_form(question_text(row.messages))), 16) / 16**16
        part = "held_out" if place < held_out else "probe" if place < held_out + probe else "train"
        return part == role


def _place(source: FileSource | HubSource) -> object:
    """What two sources of the same rows share."""
    return source.path.resolve() if isinstance(source, FileSource) else (source.name, source.subset, source.split)
