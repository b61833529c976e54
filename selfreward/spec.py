"""The base of every settings class, and the rule for which settings decide a result."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_EXECUTION = "execution"
_NEUTRAL = "neutral"


class Spec(BaseModel):
    """Settings of one part: frozen, typed, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True)


Part = TypeVar("Part", bound=Spec)


def part_of(spec: Spec, part: type[Part]) -> Part:
    """The settings of `spec` that `part`, one of its bases, declares: all that a stage working by those alone needs."""
    return part(**{field.alias or name: getattr(spec, name) for name, field in part.model_fields.items()})


def execution(default: Any, **constraints: Any) -> Any:
    """A setting that changes how fast or where, never what: it is left out of every key."""
    return Field(default, json_schema_extra={_EXECUTION: True}, **constraints)


def neutral(default: Any, **constraints: Any) -> Any:
    """A setting left out of the key while it stands at its default, so that adding it keeps old keys."""
    return Field(default, json_schema_extra={_NEUTRAL: True}, **constraints)


def identity(spec: Spec) -> dict[str, Json]:
    """The settings of `spec` that decide its result, as plain JSON values."""
    chosen: dict[str, Json] = {}
    for name, field in type(spec).model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        value = getattr(spec, name)
        if extra.get(_EXECUTION) or (extra.get(_NEUTRAL) and value == field.default):
            continue
        chosen[field.alias or name] = _plain(value)
    return chosen


def _plain(value: Any) -> Json:
    if isinstance(value, Spec):
        return identity(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} has no stable form in a key: use a str, number, list or Spec")
