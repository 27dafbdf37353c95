"""How quiet the machine is while something is measured; reads the kernel's accounts."""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.machine import facts
from benchmarks.whole.values import Conditions

_STEAL: Final = 7  #: column of /proc/stat, proc_stat(5)
_BUSY: Final = (0, 1, 2)  #: user, nice, system


class Watch:
    """Begins when it is made."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._since = time.monotonic()
        self._ticks = _ticks()
        self._own = _own_seconds()

    def __repr__(self) -> str:
        return f"<Watch load={self._load:.2f}>"

    @property
    def seconds(self) -> float:
        """How long it has been."""
        return time.monotonic() - self._since

    def conditions(self) -> Conditions:
        """Return what it was like since then."""
        spent = [now - before for now, before in zip(_ticks(), self._ticks, strict=True)]
        hertz = os.sysconf("SC_CLK_TCK")
        whole = self.seconds * (os.cpu_count() or 1)
        busy = sum(spent[column] for column in _BUSY) / hertz
        others = max(0.0, busy - (_own_seconds() - self._own))
        return Conditions(self._load, spent[_STEAL] / hertz / whole, min(1.0, others / whole))


def machine() -> dict[str, str]:
    """Return what is worth knowing of the machine before a whole run begins."""
    return {
        **facts(),
        "frequency governor": _governor(),
        "load average at the start": " ".join(f"{one:.2f}" for one in os.getloadavg()),
    }


def _ticks() -> list[int]:
    first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
    return [int(one) for one in first.split()[1:]]


def _own_seconds() -> float:
    """Return the CPU time of us and of what we started and waited for."""
    ours = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in ours)


def _governor() -> str:
    found = set()
    for path in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"):
        with suppress(OSError):
            found.add(path.read_text(encoding="utf-8").strip())
    return ", ".join(sorted(found)) or "not known (a virtual machine, mostly)"
