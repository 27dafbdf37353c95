"""What the settings of a process mean: limits, a umask, users and groups.

Pure: it reads texts and knows no system. The checks of the settings call it, so that a mistake is told when
they are read, and `srvctl.worker.privileges` acts on what it returns. Whether a user exists, or a limit can
be had, is asked there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from srvctl.settings.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: RLIM_INFINITY as the kernel counts it (setrlimit(2)): larger than every other limit, so limits compare.
UNLIMITED: Final = 2**64 - 1

_UMASK: Final = re.compile(r"(?:0o)?0*([0-7]{1,3})", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,20}", re.ASCII)
#: (uid_t) -1 means "leave it" to the system calls, so it is nobody's number.
_LARGEST_ID: Final = 2**32 - 2
#: Beyond it Python's setrlimit takes nothing but "no limit".
_LARGEST_LIMIT: Final = 2**63 - 1
_UNLIMITED_WORDS: Final = frozenset({"unlimited", "infinity"})
#: A name may have blanks on other systems, but none has these (passwd(5)).
_NOT_IN_A_NAME: Final = re.compile(r"[:/\s\x00]")


def parse_umask(text: str) -> int:
    """Return the mode bits of a umask in octal, such as ``027``.

    Raises:
        ValueError: It is none; the message begins behind the text.
    """
    match = _UMASK.fullmatch(text.strip())
    if match is None:
        raise ValueError("is not a umask; write up to three octal digits, for example 027")
    return int(match[1], 8)


def parse_id(text: str) -> int | str:
    """Return the number of a user or group, or its name. All digits are a number, as no name is.

    Raises:
        ValueError: It can be neither; the message begins behind the text.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        if int(text) > _LARGEST_ID:
            raise ValueError(f"is no number of a user or group; the largest is {_LARGEST_ID}")
        return int(text)
    if not text or text.startswith("-") or _NOT_IN_A_NAME.search(text):
        raise ValueError("is no user or group; write a name or a number")
    return text


@dataclass(frozen=True, slots=True)
class Rlimit:
    """A limit of the kernel.

    Attributes:
        name: As in setrlimit(2), in small letters and without ``RLIMIT_``.
        soft: What is enforced; `UNLIMITED` for none.
        hard: How far the process may raise it; None keeps what there is, or raises it to the soft limit.
    """

    name: str
    soft: int
    hard: int | None

    def hard_over(self, current: int) -> int:
        """Return the hard limit to set where it is ``current`` now."""
        return max(current, self.soft) if self.hard is None else self.hard


def _parse_count(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("is not a number")
    return int(text)


_COUNTED: Final = ("cpu", "nice", "nofile", "nproc", "rtprio", "rttime", "sigpending")
_SIZED: Final = ("as", "core", "data", "fsize", "memlock", "msgqueue", "rss", "stack")
_PARSERS: Final[Mapping[str, Callable[[str], int]]] = MappingProxyType(
    dict.fromkeys(_COUNTED, _parse_count) | dict.fromkeys(_SIZED, parse_size)
)
#: Of the limits that a text can name.
RLIMIT_NAMES: Final = tuple(sorted(_PARSERS))


def parse_rlimit(text: str) -> Rlimit:
    """Return the limit of a text such as ``nofile=4096``, ``nofile=4096:65536`` or ``core=unlimited``.

    Limits of bytes take units: ``as=2GiB``.

    Raises:
        ValueError: It is none; the message begins behind the text.
    """
    name, separator, value = text.partition("=")
    name = name.strip().lower().removeprefix("rlimit_")
    if not separator:
        raise ValueError("is not a limit; write NAME=SOFT or NAME=SOFT:HARD, for example nofile=65536")
    if name not in _PARSERS:
        raise ValueError(f"names a limit there is not; write one of {', '.join(RLIMIT_NAMES)}")
    soft_text, separator, hard_text = value.partition(":")
    soft = _parse_limit(name, soft_text)
    hard = _parse_limit(name, hard_text) if separator else None
    if hard is not None and soft > hard:
        raise ValueError(f"has a soft limit above the hard one; write {name}={hard_text}:{soft_text}")
    return Rlimit(name, soft, hard)


def _parse_limit(name: str, text: str) -> int:
    text = text.strip()
    if text.lower() in _UNLIMITED_WORDS:
        return UNLIMITED
    try:
        value = _PARSERS[name](text)
    except ValueError:
        unit = "a size such as 512MiB" if name in _SIZED else "a number"
        raise ValueError(f'has "{text}" for a limit; write {unit}, or unlimited') from None
    if value > _LARGEST_LIMIT:
        raise ValueError("has a limit that is too large; write unlimited")
    return value


def spell_limit(value: int) -> str:
    """Return a limit as `parse_rlimit` reads it."""
    return "unlimited" if value >= UNLIMITED else str(value)
