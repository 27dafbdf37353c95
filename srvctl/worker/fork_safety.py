"""What an import left behind that a fork would tear apart: threads, sockets, event loops, processes.

A fork copies memory and shares open files, and only the thread that forks lives on in the child: a client's
thread is missing in every worker while its locks may be held for ever, and all of them write to one socket.
`Snapshot.take` looks (Linux: /proc/self), `objections` compares and knows no system. Memory, regular files
and devices may be shared: appending to a log from many processes is what files are made for. The mold calls
this; `srvctl.worker.describing` knows what a descriptor is.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.errors import printable
from srvctl.worker.describing import EPOLL, PLUMBING, Opened, opened_descriptors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: How many of a kind are named; the others are counted.
_NAMED: Final = 3
#: Seconds until each look: a thread that was joined, or a process that was killed, takes a moment to be gone.
_LOOKS: Final = (0.0, 0.01, 0.1)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a process has at a moment.

    Attributes:
        threads: By thread id: the name Python knows, or the one the kernel knows for those of native code.
        descriptors: By number: those whose sharing matters.
        children: By process id: the name of the program.
        loops: By `id`: the kind of each event loop that is not closed.
    """

    threads: Mapping[int, str]
    descriptors: Mapping[int, Opened]
    children: Mapping[int, str]
    loops: Mapping[int, str]

    @classmethod
    def take(cls) -> Snapshot:
        """Look at this process.

        Raises:
            OSError: /proc is not mounted.
        """
        tasks = list(Path("/proc/self/task").iterdir())
        descriptors = opened_descriptors()
        # Every loop waits with epoll(7); without one, there is no need to go through all objects there are.
        has_loop = any(opened.what == EPOLL for opened in descriptors.values())
        return cls(_threads(tasks), descriptors, _children(tasks), _loops() if has_loop else {})


def wait_objections(before: Snapshot) -> list[str]:
    """Compare a snapshot with this process, and look again before objecting to anything.

    Raises:
        OSError: /proc is not mounted.
    """
    found: list[str] = []
    for pause in _LOOKS:
        time.sleep(pause)
        found = objections(before, Snapshot.take())
        if not found:
            break
    return found


def objections(before: Snapshot, after: Snapshot) -> list[str]:
    """Return what was done between two snapshots that no worker should share, as the ends of a sentence."""
    loops = _new(before.loops, after.loops)
    opened = [
        new
        for fd, new in after.descriptors.items()
        # A loop has plumbing of its own; to name that as well would only hide what else there is.
        if new != before.descriptors.get(fd) and not (loops and new.what in PLUMBING)
    ]
    return [
        *_said("started the thread", "started the threads", _quoted(_new(before.threads, after.threads))),
        *_said(
            "started the process", "started the processes", _quoted(_new(before.children, after.children))
        ),
        *_said("made the event loop", "made the event loops", loops),
        *_said("opened", "opened", _counted(new.what for new in opened)),
    ]


def sentence(target: str, found: Sequence[str], *, is_decisive: bool) -> str:
    """Say objections in one sentence, and what to do about them; nothing where there are none.

    Args:
        target: The application.
        found: What `objections` returned.
        is_decisive: No worker is forked because of them; else, they are all the same.
    """
    if not found:
        return ""
    did = f"importing {target} {_joined(found)}"
    if is_decisive:
        return f"{did}; workers import it by themselves. Move that into the lifespan to get the mold."
    return (
        f"{did}; workers.preload is on, so workers are forked with it all the same. "
        "Whatever uses it may hang or fail in them; move that into the lifespan."
    )


# -- looking -------------------------------------------------------------------------------------------


def _threads(tasks: Iterable[Path]) -> dict[int, str]:
    known = {thread.native_id: thread.name for thread in threading.enumerate()}
    return {int(task.name): known.get(int(task.name)) or _text(task / "comm") for task in tasks}


def _children(tasks: Iterable[Path]) -> dict[int, str]:
    pids = [pid for task in tasks for pid in _text(task / "children").split()]
    return {int(pid): _text(Path("/proc", pid, "comm")) for pid in pids}


def _text(path: Path) -> str:
    """Read a file of a thread or process that may have ended meanwhile."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""


def _loops() -> dict[int, str]:
    """Find every loop there is: asyncio can be asked for the current one only, and may make it to answer."""
    found = {}
    for candidate in gc.get_objects():
        kind = type(candidate)  # isinstance() would ask the object, and a lazy one would wake up for it
        if issubclass(kind, asyncio.AbstractEventLoop) and not candidate.is_closed():
            found[id(candidate)] = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
    return found


# -- telling -------------------------------------------------------------------------------------------


def _new(before: Mapping[int, str], after: Mapping[int, str]) -> list[str]:
    return [name for number, name in after.items() if number not in before]


def _quoted(names: Iterable[str]) -> list[str]:
    return [f"'{printable(name)}'" for name in names]


def _counted(names: Iterable[str]) -> list[str]:
    """Merge what is called the same."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return [name if count == 1 else f"{name} ({count} times)" for name, count in counts.items()]


def _said(verb: str, verb_of_many: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    named = list(names[:_NAMED])
    if len(names) > _NAMED:
        named.append(f"{len(names) - _NAMED} more")
    return [f"{verb if len(names) == 1 else verb_of_many} {_joined(named)}"]


def _joined(parts: Sequence[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
