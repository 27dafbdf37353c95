"""When a log file is full or old, and what it is called afterwards. Pure; called by `log_file`."""

from __future__ import annotations

from itertools import pairwise


def is_due(size: int, more: int, most: int, written: float, now: float, age: float) -> bool:
    """Return whether a new file is to be begun before more is written.

    Time is divided into periods of `age`, counted from the epoch: one of a day ends at midnight, UTC. So it
    does not matter how often the service is restarted meanwhile.

    Args:
        size: Bytes of the file.
        more: Bytes that are to be written.
        most: Bytes it may have; 0 for any number.
        written: When it was last written, in seconds since the epoch.
        now: The same of now.
        age: Seconds of a period; 0 for one that never ends.
    """
    if not size:
        return False
    is_full = bool(most) and size + more > most
    is_old = age > 0 and written // age < now // age
    return is_full or is_old


def moves(path: str, backups: int) -> list[tuple[str, str]]:
    """Return what is to be renamed, one after the other; the last of the backups is overwritten by that.

    Args:
        path: The file.
        backups: How many are kept beside it; 0 keeps none.
    """
    names = [path, *(f"{path}.{number}" for number in range(1, backups + 1))]
    return list(pairwise(names))[::-1]
