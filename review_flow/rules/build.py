"""Frozen dataclasses from plain data, by their annotations: one place instead of a reader for each class."""

import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any, TypeVar

T = TypeVar("T")


def build(cls: type[T], data: Mapping[str, Any]) -> T:
    """Return `cls` filled from a mapping of ints, strings, truths, lists and mappings.

    Decimals are written as ints or decimal strings. Keys the class does not know are left out (the JSON Schema has
    refused them already); a missing key takes the field's default, or raises TypeError where it has none.
    """
    hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable, whatever its metaclass may say
    names = [field.name for field in fields(cls) if field.name in data]  # type: ignore[arg-type]  # cls is a dataclass
    return cls(**{name: convert(hints[name], data[name]) for name in names})


@functools.cache
def _hints(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def convert(kind: Any, value: Any) -> Any:
    """Return a plain value as the annotated kind: Decimal, tuple[…], Mapping[str, …], dataclass, … | None."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else convert(arguments[0], value)
    if origin is tuple:
        parts = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(convert(part, item) for part, item in zip(parts, value, strict=True))
    if origin is not None:  # Mapping[str, …]
        return {key: convert(arguments[1], item) for key, item in value.items()}
    if is_dataclass(kind):
        return build(typing.cast("type[Any]", kind), value)
    return exact(value) if kind is Decimal else value


def exact(value: Any) -> Decimal:
    """Return a mark or weight as Decimal; a binary float has lost its digits already and is refused."""
    if isinstance(value, float):
        raise TypeError("marks and weights are never binary floats")
    return Decimal(value)
