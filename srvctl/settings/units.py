"""Durations and sizes as people write them: ``30``, ``1.5s``, ``5m``, ``6h``; ``512``, ``64KiB``, ``1GB``.

The markers `Seconds` and `Bytes` parse them when pydantic validates a settings group. They import
pydantic only then, because the long-lived processes read the values and never validate (ADR 2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

DURATION_FORM: Final = "seconds or a number with a unit: 30, 1.5s, 5m, 6h"
SIZE_FORM: Final = "bytes or a number with a unit: 65536, 64KiB, 512MB, 1GiB"

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|d)?", re.ASCII)
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b?|b)?", re.ASCII | re.IGNORECASE)
_SECONDS_PER: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

#: Timers and the kernel count in machine integers; what lies beyond is a slip of the keyboard.
_LONGEST: Final = 36_500 * 86_400.0
_LARGEST: Final = 2**63 - 1


def parse_duration(value: object) -> float:
    """Return the seconds meant by ``value``.

    Args:
        value: A number of seconds, or a text with an optional unit: ``ms``, ``s``, ``m``, ``h`` or ``d``.

    Raises:
        ValueError: The text is not a duration, is negative or is longer than a century.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        number, unit = value, "s"
    else:
        match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f"is not a duration; write {DURATION_FORM}")
        number, unit = float(match[1]), match[2] or "s"
    # Compared before it is multiplied or converted: an integer too large for a float cannot be either.
    if number > _LONGEST / _SECONDS_PER[unit]:
        raise ValueError(f"is too long; write {DURATION_FORM}")
    return float(number) * _SECONDS_PER[unit]


def parse_size(value: object) -> int:
    """Return the bytes meant by ``value``.

    Args:
        value: A number of bytes, or a text with an optional unit: ``KB``, ``MB``, ``GB``, ``TB`` count in
            thousands; ``KiB``, ``MiB``, ``GiB``, ``TiB`` and the bare letters ``K``, ``M``, ``G``, ``T`` in
            1024s.

    Raises:
        ValueError: The text is not a size, is negative or does not fit 63 bits.
    """
    number: float
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        number, factor = value, 1
    else:
        match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f"is not a size; write {SIZE_FORM}")
        unit = (match[2] or "b").lower()
        base = 1000 if unit.endswith("b") and "i" not in unit else 1024
        number, factor = _number(match[1]), base ** "bkmgt".index(unit[0])
    if number > _LARGEST // factor:
        raise ValueError(f"is too large; write {SIZE_FORM}")
    return int(number * factor)


def _number(digits: str) -> float:
    """Return the number, exactly when it is whole; `int` refuses texts of thousands of digits."""
    return float(digits) if "." in digits or len(digits) > len(str(_LARGEST)) else int(digits)


@dataclass(frozen=True, slots=True)
class ParsedBy:
    """Annotation marker: run ``parser`` before pydantic checks the type."""

    parser: Callable[[object], float]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415 - only where settings are validated (ADR 2)

        return core_schema.no_info_before_validator_function(self.parser, handler(source))


Seconds = Annotated[float, ParsedBy(parse_duration)]
Bytes = Annotated[int, ParsedBy(parse_size)]
