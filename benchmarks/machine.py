"""Facts of the machine without which a figure means nothing."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def facts() -> dict[str, str]:
    """Return processor, CPUs this process may use, kernel and Python, by name."""
    return {
        "processor": _processor(),
        "CPUs": str(len(os.sched_getaffinity(0))),
        # What a distributor or a host calls its build says nothing to others.
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def busy_seconds(cpu: int) -> float:
    """Return how long a CPU has worked for processes or for other virtual machines (/proc/stat).

    Interrupts are left out, since the kernel may count them beside the process they serve.
    """
    for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines():
        name, *ticks = line.split()
        if name == f"cpu{cpu}":
            user, nice, system, _idle, _iowait, _irq, _softirq, steal, *_guests = map(int, ticks)
            return (user + nice + system + steal) / os.sysconf("SC_CLK_TCK")
    raise ValueError(f"There is no CPU {cpu}.")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
