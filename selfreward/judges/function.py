"""A judge that is a Python function of the user's own, called as TRL calls a reward function."""

import asyncio
import atexit
import functools
import hashlib
import inspect
import json
import math
import reprlib
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from itertools import groupby
from numbers import Real
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PositiveInt

from selfreward.artifacts.parquet import in_batches
from selfreward.backends.base import Advance
from selfreward.backends.one_line import plain
from selfreward.errors import StageError
from selfreward.judges.base import Item, Judge, JudgeBase, Means
from selfreward.judges.pointwise import pointwise
from selfreward.records import Judgment, Prompt, RowPrompt, digest_of
from selfreward.spec import Spec, execution, identity


class FunctionFile(Spec):
    """A function in a file, which counts by the function's name and the file's content, wherever that lies."""

    path: Path = execution(...)
    name: str
    content: str

    def __str__(self) -> str:
        return f"{self.path}:{self.name}"


def _read(given: Any) -> Any:
    """The settings of a FunctionFile in `rewards.py:score`. Raises ValueError where no such function can be loaded."""
    if not isinstance(given, str):
        return given
    path, _, name = given.rpartition(":")
    if not path or not name.isidentifier():
        raise ValueError("should be a file and a function in it, as in judge.function=rewards.py:score")
    try:
        file = FunctionFile(path=Path(path), name=name, content=_digest(Path(path).read_bytes()))
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): give the path of your Python file") from error
    try:
        loaded(file)
    except StageError as error:
        raise ValueError(str(error)) from error
    return file


class FunctionSpec(JudgeBase):
    """Scores by a function `FILE.py:NAME`, which is given the answers to `batch_prompts` prompts at a time.

    What it raises, or returns that is no finite number, is a failed judgment; None is an unparsed one.
    """

    kind: Literal["function"] = "function"
    function: Annotated[FunctionFile, BeforeValidator(_read)]
    batch_prompts: PositiveInt = 32

    @property
    def draws(self) -> bool:
        """A function is taken to give an answer the same score again."""
        return False

    @property
    def wants(self) -> frozenset[str]:
        """What of a prompt the function cannot do without: `references`, and columns of its row."""
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        parameters = inspect.signature(loaded(self.function)).parameters.values()
        wanted = {one.name for one in parameters if one.kind in named and one.default is inspect.Parameter.empty}
        return frozenset(wanted - {"prompts", "completions"})

    @property
    def why_not_gold(self) -> str | None:
        """Gold pairs have neither references nor columns."""
        wants = ", ".join(sorted(self.wants))
        return f"{self.function} needs {wants}, and gold pairs have none" if wants else None

    def why_lacking(self, name: str, columns: Collection[str]) -> str | None:
        """The columns that the function wants and nobody brings, and what to set."""
        if not (lacking := self.wants - {"references", *columns}):
            return None
        return (
            f"{name}.function={self.function} needs {', '.join(sorted(lacking))}, which training prompts do not bring: "
            f"set data.columns.extra=[{','.join(sorted(lacking | {*columns}))}], or give the parameter a default"
        )

    def build(self, means: Means) -> Judge:
        """The judge; it uses no policy."""
        name = digest_of("function", identity(self))
        return Judge(name, functools.partial(judge_by_function, name, self))


def judge_by_function(
    name: str, spec: FunctionSpec, items: Sequence[Item], seed: int, advance: Advance
) -> list[Judgment]:
    """One judgment for each item, in order. Raises StageError where the file is no longer what it was.

    An answer is unparsed, and the function not asked, where its prompt lacks what the function needs.
    """
    function, wants = loaded(spec.function), spec.wants
    judgments: dict[str, Judgment] = {}
    by_prompt = (list(group) for _, group in groupby(items, key=lambda item: item[0].id))
    for groups in in_batches(by_prompt, spec.batch_prompts):
        _source(spec.function)
        batch = [item for group in groups for item in group]
        asked = [item for item in batch if wants <= _offered(item[0]).keys()]
        given = dict(zip((candidate.id for _, candidate in asked), _scores(function, asked), strict=True))
        for item in batch:
            id_ = item[1].id
            judgments[id_] = _judgment(name, item, given[id_]) if id_ in given else _unasked(name, item, wants)
        advance(len(batch))
    return [judgments[candidate.id] for _, candidate in items]


def loaded(file: FunctionFile) -> Callable[..., Any]:
    """The function. Raises StageError where the file cannot be loaded, or is no longer what it was."""
    function: Callable[..., Any] | None = getattr(_module(file), file.name, None)
    if not callable(function):
        known = [one for one, value in vars(_module(file)).items() if inspect.isfunction(value)]
        raise StageError(f"{file.path} has no function {file.name}; it has {', '.join(known) or 'none'}: name another")
    return function


@functools.cache
def _module(file: FunctionFile) -> ModuleType:
    source = _source(file)
    module = ModuleType(f"selfreward_function_{file.content}")
    module.__file__ = str(file.path)
    sys.modules[module.__name__] = module  # where dataclasses and pickle look for it
    try:
        with redirect_stdout(sys.stderr):
            exec(compile(source, str(file.path), "exec"), module.__dict__)  # noqa: S102 - the user's own file
    except Exception as error:
        raise StageError(
            f"{file.path} cannot be loaded ({_told(error)}): mend it, or install what it imports"
        ) from error
    return module


def _source(file: FunctionFile) -> bytes:
    """What the file holds. Raises StageError where that is not what it held when the settings were read."""
    try:
        source = file.path.read_bytes()
    except OSError:
        source = b""
    if _digest(source) != file.content:
        raise StageError(
            f"{file.path} was changed while this command was using it: run the same command again, which judges anew"
        )
    return source


def _digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()[:16]


def _offered(prompt: Prompt) -> Mapping[str, Any]:
    """What a prompt brings: its references, if any, and the columns of its row."""
    columns = json.loads(prompt.columns) if isinstance(prompt, RowPrompt) and prompt.columns is not None else {}
    return {**columns, **({"references": list(prompt.references)} if prompt.references else {})}


def _scores(function: Callable[..., Any], items: Sequence[Item]) -> list[Any]:
    """What the function gives each item; where it raises, it is asked about each by itself, so that one costs one."""
    try:
        return _called(function, items) if items else []
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises is an outcome
        if len(items) == 1:
            return [error]
        return [given for item in items for given in _scores(function, [item])]


def _called(function: Callable[..., Any], items: Sequence[Item]) -> list[Any]:
    offered = [_offered(prompt) for prompt, _ in items]
    columns = dict.fromkeys(name for one in offered for name in one)
    given: dict[str, list[Any]] = {name: [one.get(name) for one in offered] for name in columns}
    given["prompts"] = [[asdict(message) for message in prompt.messages] for prompt, _ in items]
    given["completions"] = [[{"role": "assistant", "content": candidate.text}] for _, candidate in items]
    given["references"] = [list(prompt.references) for prompt, _ in items]
    parameters = inspect.signature(function).parameters
    if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        given = {name: values for name, values in given.items() if name in parameters}
    with redirect_stdout(sys.stderr):
        result = function(**given)
        if inspect.isawaitable(result):
            result = _loop().run(_awaited(result))
    values = result.tolist() if hasattr(result, "tolist") else result  # an array or a tensor
    if not isinstance(values, list | tuple) or len(values) != len(items):
        count = f"{len(values)} values" if isinstance(values, list | tuple) else f"a {type(values).__name__}"
        return [ValueError(f"the function returned {count} for {len(items)} answers")] * len(items)
    return list(values)


async def _awaited(result: Any) -> Any:
    return await result


@functools.cache
def _loop() -> asyncio.Runner:
    """One for all calls: what a function keeps open, such as a client, belongs to the loop that it was opened in."""
    runner = asyncio.Runner()
    atexit.register(runner.close)
    return runner


def _unasked(name: str, item: Item, wants: frozenset[str]) -> Judgment:
    lacking = sorted(wants - _offered(item[0]).keys())
    return pointwise(item, judge=name, outcome="unparsed", raw=f"the prompt has no {' and no '.join(lacking)}")


def _judgment(name: str, item: Item, given: Any) -> Judgment:
    if given is None:
        return pointwise(item, judge=name, outcome="unparsed", raw="the function gave no score")
    if isinstance(given, Exception):
        return pointwise(item, judge=name, outcome="failed", raw=_told(given))
    try:
        score = float(given) if isinstance(given, Real) else None
    except OverflowError:
        score = math.inf
    if score is None or not math.isfinite(score):
        shown = score if score is not None else f"{type(given).__name__} {reprlib.repr(given)}"
        return pointwise(item, judge=name, outcome="failed", raw=plain(f"the function gave {shown}, no finite number"))
    return pointwise(item, judge=name, score=score, raw=f"{score:g}")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {plain(str(error))}"
