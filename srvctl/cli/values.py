"""Reads what a master says as what it should be: masters may be older, newer, or no masters at all. Pure."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from srvctl.errors import printable

if TYPE_CHECKING:
    from collections.abc import Mapping


def amount(value: object) -> float:
    """Return a value as a number; 0 if it could not be one."""
    if not isinstance(value, int | float):
        return 0.0
    try:
        return float(value) if isfinite(value) else 0.0
    except OverflowError:  # JSON may have hundreds of digits
        return 0.0


def number(values: Mapping[str, Any], key: str) -> float:
    """Return a number; 0 where there is none that could be one."""
    return amount(values.get(key))


def items(values: Mapping[str, Any], key: str) -> list[Any]:
    """Return a list; empty where there is none."""
    value = values.get(key)
    return value if isinstance(value, list) else []


def table(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an object; empty where there is none."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def workers(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the workers by slot; in one slot, the older first."""
    found = [worker for worker in items(values, "workers") if isinstance(worker, dict)]
    return sorted(found, key=lambda worker: (number(worker, "slot"), number(worker, "generation")))


def programs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what runs beside the workers, in the order of the settings."""
    return [program for program in items(values, "programs") if isinstance(program, dict)]


def shown(value: object) -> str:
    """Return a value as a terminal may show it."""
    return printable(str(value))
