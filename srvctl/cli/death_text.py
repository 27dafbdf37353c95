"""Deaths of workers as ``srvctl why`` prints them: a block of text each, or a list of JSON objects.

Pure. Whatever a worker wrote to stderr, or somebody into the file, reaches the terminal as plain text.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from srvctl.errors import printable
from srvctl.ipc.verdicts import is_expected, size_text, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from srvctl.ipc.deaths import Death

_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_LABEL: Final = 10  # columns


def as_text(deaths: Sequence[Death], now: float) -> str:
    """Return a block of lines for each death, in their order.

    Args:
        deaths: What to show.
        now: Seconds since 1970.
    """
    return "\n\n".join("\n".join(_block(death, now)) for death in deaths)


def as_json(deaths: Sequence[Death]) -> str:
    """Return a list of objects: the fields of `Death`, the verdict, and whether the death was expected."""
    objects = [
        {**asdict(death), "verdict": verdict(death), "is_expected": is_expected(death)} for death in deaths
    ]
    return json.dumps(objects, indent=2)


def _block(death: Death, now: float) -> Iterator[str]:
    when = datetime.fromtimestamp(death.at).astimezone().isoformat(timespec="seconds")
    ago = f" ({_coarse(now - death.at)} ago)" if now >= death.at else ""  # else the clock was set back
    yield f"{when}{ago}: process {death.pid}, slot {death.slot}, generation {death.generation}"
    yield from _row("why", verdict(death))
    yield from _row("end", f"{death.cause}, {_fine(death.uptime)} after its start, while {death.state}")
    yield from _row("asked by", death.asked_by or "nobody")
    yield from _numbers(death)
    if death.stack:
        yield from _row("stacks", death.stack)
    for label, line in zip(["stderr", *[""] * len(death.stderr)], death.stderr, strict=False):
        yield from _row(label, line.expandtabs())


def _numbers(death: Death) -> Iterator[str]:
    if not death.is_measured:
        yield from _row("numbers", "none: what it told about itself could not be read")
        return
    yield from _row(
        "requests", f"{death.served} served, {death.in_flight} in flight, {death.cut} cut by its end"
    )
    sizes = [size for size in (*death.rss_trend, death.rss) if size]
    if sizes:
        yield from _row("memory", ", ".join(map(size_text, sizes)))
    yield from _row("loop", f"late by {death.lag:.3f} s at last, {death.lag_max:.3f} s at most")


def _row(label: str, text: str) -> Iterator[str]:
    yield f"  {label:{_LABEL}}{printable(text)}".rstrip()


def _fine(seconds: float) -> str:
    """Return a duration in two units: ``2 h 5 min``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    for (large, length), (small, part) in pairwise(_UNITS):
        if seconds >= length:
            return f"{seconds // length:.0f} {large} {seconds % length // part:.0f} {small}"
    raise AssertionError("a minute is among the units")


def _coarse(seconds: float) -> str:
    """Return a duration in one unit: ``2 h``."""
    name, length = next((unit for unit in _UNITS if seconds >= unit[1]), _UNITS[-1])
    return f"{seconds // length:.0f} {name}"
