"""Very many open connections over many workers: how even, how heavy, and what a reload makes of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any, Final, Self

from benchmarks import usage
from benchmarks.errors import BenchmarkError
from benchmarks.many.instance import Instance
from benchmarks.many.master import look
from benchmarks.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.many.master import Look

_HOLDERS: Final = 4  #: client processes
_SLOW_MS: Final = 1000  #: what a request under way takes
_SETTLE_SECONDS: Final = 1.0
_KIB: Final = 1024
_FLAGS: Final = ("--timeout-keep-alive=1h", "--timeout-drain-idle=0.2")


@dataclass(frozen=True, slots=True)
class Crowded:
    """What came of it.

    Attributes:
        workers: How many.
        connections: How many, each of which has been answered once.
        open_seconds: Until the last of them was.
        p50: Seconds from connecting to that answer, median.
        p99: The same, 99th percentile.
        slowest: The same, the longest.
        spread: Connections that each worker had, most first.
        cv: Standard deviation over mean of these.
        each: Bytes that a connection takes in all processes of the server (not in the kernel).
        reload: Seconds of a reload with all of them open.
        in_flight: Requests under way when it began, on as many of them.
        answered: Of these.
        fates: What became of the connections: ``open``, ``closed`` as it should be, ``cut``, ``reset``.
        before: The master, before the connections.
        after: The same, after the reload.
    """

    workers: int
    connections: int
    open_seconds: float
    p50: float
    p99: float
    slowest: float
    spread: tuple[int, ...]
    cv: float
    each: float
    reload: float
    in_flight: int
    answered: int
    fates: Mapping[str, int]
    before: Look
    after: Look

    @property
    def lost(self) -> int:
        """Requests that were not answered, or connections that ended otherwise than by a plain close."""
        rough = sum(count for fate, count in self.fates.items() if fate not in {"open", "closed"})
        return max(self.in_flight - self.answered, rough)

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self) | {"lost": self.lost}


def crowd(workers: int, connections: int, in_flight: int, progress: Callable[[str], None]) -> Crowded:
    """Open connections, reload with them open, and see what became of them.

    Raises:
        BenchmarkError: Not all could be opened.
    """
    with Instance(workers, *_FLAGS) as instance, ExitStack() as stack:
        each = connections // _HOLDERS
        holders = [
            stack.enter_context(_Process(instance.port, each, f"127.0.0.{2 + number}"))
            for number in range(_HOLDERS)
        ]
        time.sleep(_SETTLE_SECONDS)
        before, memory = look(instance.root), usage.pss_bytes(usage.tree(instance.root))
        begun = time.monotonic()
        opened = _all(holders, "open")
        open_seconds = time.monotonic() - begun
        waits = sorted(wait for one in opened for wait in one["waits"])
        per_worker = sum((Counter(one["workers"]) for one in opened), Counter[str]())
        if per_worker.total() != each * _HOLDERS:
            raise BenchmarkError(f"{per_worker.total()} of {each * _HOLDERS} connections were answered.")
        time.sleep(_SETTLE_SECONDS)
        weight = (usage.pss_bytes(usage.tree(instance.root)) - memory) / per_worker.total()
        progress(f"{per_worker.total()} connections are open after {open_seconds:.1f} s")
        asked = sum(one["asked"] for one in _all(holders, f"ask {in_flight // _HOLDERS} {_SLOW_MS}"))
        reload = instance.reload()
        progress(f"reloaded in {reload:.1f} s")
        time.sleep(_SETTLE_SECONDS)
        ended = _all(holders, "closed")
        after = look(instance.root)
    spread = sorted([*per_worker.values(), *[0] * (workers - len(per_worker))], reverse=True)
    return Crowded(
        workers=workers,
        connections=per_worker.total(),
        open_seconds=open_seconds,
        p50=waits[len(waits) // 2],
        p99=waits[len(waits) * 99 // 100],
        slowest=waits[-1],
        spread=tuple(spread),
        cv=pstdev(spread) / fmean(spread),
        each=weight,
        reload=reload,
        in_flight=asked,
        answered=sum(one["answered"] for one in ended),
        fates=dict(sum((Counter(one["fates"]) for one in ended), Counter[str]())),
        before=before,
        after=after,
    )


def _all(holders: Sequence[_Process], word: str) -> list[dict[str, Any]]:
    """Tell all clients at once, and return what each answers."""
    for holder in holders:
        holder.tell(word)
    return [holder.hear() for holder in holders]


class _Process:
    """A client, as ``holding.py`` is one."""

    def __init__(self, port: int, count: int, address: str) -> None:
        command = [sys.executable, "-m", "benchmarks.many.holding", str(port), str(count), address]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self._process.kill()
        self._process.communicate()

    def tell(self, word: str) -> None:
        """Ask for something."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Return the answer.

        Raises:
            BenchmarkError: The client has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkError(f"A client ended with code {self._process.wait()}.")
        found: dict[str, Any] = json.loads(line)
        return found


def text(one: Crowded) -> str:
    """Return some lines."""
    fates = ", ".join(f"{count} {fate}" for fate, count in sorted(one.fates.items()))
    return (
        f"{one.connections:,} connections, {one.workers} workers\n"
        f"  opened and answered in {one.open_seconds:.1f} s; each after {one.p50 * 1e3:.0f} ms (median), "
        f"{one.p99 * 1e3:.0f} ms (p99), {one.slowest * 1e3:.0f} ms (slowest)\n"
        f"  a worker has {one.spread[-1]} to {one.spread[0]}: coefficient of variation {one.cv:.3f}\n"
        f"  each takes {one.each / _KIB:.1f} KiB\n"
        f"  a reload with all of them open: {one.reload:.2f} s; of {one.in_flight} requests under way "
        f"{one.answered} answered; connections: {fates}; lost {one.lost}\n"
        f"  master: {one.before.fds} files before, {one.after.fds} after; "
        f"RSS {one.before.rss / 2**20:.1f} MiB, {one.after.rss / 2**20:.1f} MiB"
    )
