"""What a service manager asks of a service in its environment: where it is to be told, and how often. Pure.

NOTIFY_SOCKET of sd_notify(3), WATCHDOG_USEC and WATCHDOG_PID of sd_watchdog_enabled(3). Whoever asks for
nonsense gets a sentence about it, and the service runs all the same. Called by `systemd.Notifier`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_MICRO: Final = 1_000_000
#: USEC_INFINITY of systemd: 2**64-1 stands for no time at all.
_FOREVER: Final = 2**64 - 1
_MOST_DIGITS: Final = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked.

    Attributes:
        address: As `socket.sendto` takes it; empty where nobody is to be told, or nobody knows where.
        watchdog: Seconds after which the service is taken for dead, unless it says otherwise; 0 for never.
        mistakes: What is wrong with the variables, in sentences.
    """

    address: bytes = b""
    watchdog: float = 0.0
    mistakes: tuple[str, ...] = ()


def asked_of(environ: MutableMapping[str, str], pid: int) -> Asked:
    """Return what is asked of process ``pid``, and remove the variables: no child is to answer."""
    name = environ.pop("NOTIFY_SOCKET", "")
    microseconds, whose = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    address, wrong = _address(name)
    watchdog, mistake = _watchdog(microseconds, whose, pid) if microseconds else (0.0, "")
    if watchdog and not name:
        mistake = "WATCHDOG_USEC is set, but NOTIFY_SOCKET is not: there is nowhere to feed the watchdog."
    return Asked(address, watchdog if address else 0.0, tuple(filter(None, (wrong, mistake))))


def _address(name: str) -> tuple[bytes, str]:
    """Return the address that is meant, and what is wrong with it."""
    if not name:
        return b"", ""
    if name.startswith("/"):
        return os.fsencode(name), ""
    if name.startswith("@") and len(name) > 1:
        return b"\0" + os.fsencode(name[1:]), ""
    return b"", (
        f"NOTIFY_SOCKET={name!r} is no address that srvctl can send to, so the service manager is told "
        "nothing; it is to be an absolute path or, with @ before it, an abstract name."
    )


def _watchdog(microseconds: str, whose: str, pid: int) -> tuple[float, str]:
    """Return the seconds that are meant, and what is wrong with them."""
    if whose and whose != str(pid):
        return 0.0, (
            f"WATCHDOG_PID={whose} is not srvctl, which is process {pid}, so the watchdog is not fed; "
            "a script between the service manager and srvctl is to end with exec srvctl run."
        )
    is_number = microseconds.isascii() and microseconds.isdigit() and len(microseconds) <= _MOST_DIGITS
    if not is_number or not 0 < int(microseconds) < _FOREVER:
        return 0.0, (
            f"WATCHDOG_USEC={microseconds!r} is not a number of microseconds above 0, "
            "so the watchdog is not fed; whoever started srvctl set it."
        )
    return int(microseconds) / _MICRO, ""
