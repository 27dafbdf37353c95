"""Numbers as people read them: durations, sizes, counts and shares, long in sentences, short in tables."""

from __future__ import annotations

from typing import Final

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_KIBI: Final = 1024
_PLAIN: Final = 100_000
_MILLION: Final = 1_000_000
_TEN: Final = 10
_UNITS: Final = ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s"))
_SHORT: Final = {"min": "m"}


def duration(seconds: float) -> str:
    """Return a duration with its two largest units: ``3.4 s``, ``5 min 2 s``, ``2 h 0 min``, ``4 d 7 h``."""
    for unit, name, below, part in _UNITS:
        if seconds >= unit:
            return f"{int(seconds // unit)} {name} {int(seconds % unit // below)} {part}"
    return f"{seconds:.1f} s"


def short_duration(seconds: float) -> str:
    """Return a duration for a column: ``3s``, ``5m02s``, ``2h00m``, ``4d07h``."""
    for unit, name, below, part in _UNITS:
        if seconds >= unit:
            parts = int(seconds // unit), int(seconds % unit // below)
            return f"{parts[0]}{_SHORT.get(name, name)}{parts[1]:02}{_SHORT.get(part, part)}"
    return f"{int(seconds)}s"


def latency(seconds: float) -> str:
    """Return a time that something took: ``0.25ms``, ``8.4ms``, ``120ms``, ``1.2s``, ``2m05s``."""
    milliseconds = seconds * 1000
    if seconds >= _MINUTE:
        return short_duration(seconds)
    if milliseconds >= 999.5:  # noqa: PLR2004 - it would be rounded to 1000
        return f"{seconds:.1f}s"
    if milliseconds >= 9.95:  # noqa: PLR2004 - as above
        return f"{milliseconds:.0f}ms"
    return f"{milliseconds:.1f}ms" if milliseconds >= 1 or not milliseconds else f"{milliseconds:.2f}ms"


def short_size(size: float) -> str:
    """Return a number of bytes for a column, in the units that settings take: ``850K``, ``64M``, ``1.5G``."""
    for unit, bytes_of_it in (("K", _KIBI), ("M", _KIBI**2)):
        amount = size / bytes_of_it
        if amount < 999.5:  # noqa: PLR2004 - three digits, and no more once it is rounded
            return f"{amount:.0f}{unit}"
    amount = size / _KIBI**3
    return f"{amount:.1f}G" if amount < 9.95 else f"{amount:.0f}G"  # noqa: PLR2004 - as above


def count(amount: float) -> str:
    """Return a count for a column: ``99999``, ``123k``, ``4567k``, ``12M``."""
    if amount < _PLAIN:
        return f"{amount:.0f}"
    return f"{amount / 1000:.0f}k" if amount < _TEN * _MILLION else f"{amount / _MILLION:.0f}M"


def rate(per_second: float) -> str:
    """Return how often in a second: ``0``, ``0.3``, ``12.5``, ``850``, ``123k``."""
    if 0 < per_second < 99.95:  # noqa: PLR2004 - it would be rounded to 100.0
        return f"{per_second:.1f}"
    return count(per_second)


def share(processors: float) -> str:
    """Return how much of one processor was used: ``3%``, ``150%``."""
    return f"{processors * 100:.0f}%"
