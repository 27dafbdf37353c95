"""Which worker is meant by what a user writes: a slot, a pid, or one of them said plainly. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli.values import shown, workers
from srvctl.errors import ExitCode, SrvctlError, UsageError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD: Final = re.compile(r"(?:(?P<kind>slot|pid):)?(?P<number>[0-9]{1,9})", re.ASCII)


class NoSuchWorkerError(SrvctlError):
    """An instance has no worker of this slot or pid."""

    exit_code = ExitCode.REFUSED


def target_of(word: str, status: Mapping[str, Any]) -> str:
    """Return the target that a master understands: ``slot:N`` or ``pid:N``.

    Args:
        word: What the user writes; a bare number is a slot if there is such a slot, else a pid.
        status: The instance's.

    Raises:
        UsageError: It is nothing that could name a worker.
        NoSuchWorkerError: There is no such worker; names those there are.
    """
    match = _WORD.fullmatch(word)
    if match is None:
        raise UsageError(printable(f"{word!r} names no worker; write its slot or pid, slot:N or pid:N"))
    found = workers(status)
    for kind in (match["kind"],) if match["kind"] else ("slot", "pid"):
        if any(worker.get(kind) == int(match["number"]) for worker in found):
            return f"{kind}:{int(match['number'])}"
    there = ", ".join(f"{shown(w.get('pid'))} (slot {shown(w.get('slot'))})" for w in found if w.get("pid"))
    what = f"{match['kind']} {match['number']}" if match["kind"] else f"slot or pid {match['number']}"
    raise NoSuchWorkerError(f"no worker has {what}; there are {there}" if there else "no worker is there")
