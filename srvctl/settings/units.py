"""Durations and sizes as people write them: ``30``, ``1.5s``, ``5m``, ``6h``; ``512``, ``64KiB``, ``1GB``.

The markers `Seconds` and `Bytes` parse them when pydantic validates a settings group. They import
pydantic only then, because the long-lived processes read the values and never validate (ADR 2).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|d)?", re.ASCII)
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b?|b)?", re.ASCII | re.IGNORECASE)
_SECONDS_PER: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(value: object) -> float:
    """Return the seconds meant by ``value``.

    Args:
        value: A number of seconds, or a text with an optional unit: ``ms``, ``s``, ``m``, ``h`` or ``d``.

    Raises:
        ValueError: The text is not a duration, or is negative.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a duration; write seconds or a number with a unit: 30, 1.5s, 5m, 6h")
    return float(match[1]) * _SECONDS_PER[match[2] or "s"]


def parse_size(value: object) -> int:
    """Return the bytes meant by ``value``.

    Args:
        value: A number of bytes, or a text with an optional unit: ``KB``, ``MB``, ``GB``, ``TB`` count in
            thousands; ``KiB``, ``MiB``, ``GiB``, ``TiB`` and the bare letters ``K``, ``M``, ``G``, ``T`` in 1024s.

    Raises:
        ValueError: The text is not a size, or is negative.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a size; write bytes or a number with a unit: 65536, 64KiB, 512MB, 1GiB")
    unit = (match[2] or "b").lower()
    base = 1000 if unit.endswith("b") and "i" not in unit else 1024
    return int(float(match[1]) * base ** " kmgt".index(unit[0])) if unit != "b" else int(float(match[1]))


class _ParsedBy:
    """Annotation marker: run a parser before pydantic checks the type."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415 - only where settings are validated (ADR 2)

        return core_schema.no_info_before_validator_function(self._parser, handler(source))


Seconds = Annotated[float, _ParsedBy(parse_duration)]
Bytes = Annotated[int, _ParsedBy(parse_size)]
