"""Dataclasses that were JSON for a while, maybe written by another version of srvctl. Pure."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

Kind = TypeVar("Kind", bound="DataclassInstance")


def unpacked(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """Return an instance with these values of its fields.

    What it has no field for is passed over, and fields without a value get their default: another version may
    have more or fewer. Nested dataclasses are the caller's.

    Args:
        kind: A dataclass; a list is for a field that holds a tuple or a list.
        values: By field.

    Raises:
        TypeError: A field without a default has no value.
    """
    found = {field.name: values[field.name] for field in fields(kind) if field.name in values}
    return kind(**{name: _as_declared(kind, name, value) for name, value in found.items()})


def _as_declared(kind: type, name: str, value: object) -> object:
    """Return a list as a tuple, which JSON has no word for, where the field is one."""
    declared = str(kind.__annotations__.get(name, ""))
    return tuple(value) if isinstance(value, list) and declared.startswith("tuple") else value
