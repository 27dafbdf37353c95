"""Reload again and again under load: what is lost, and what the master has more of afterwards."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.errors import BenchmarkError
from benchmarks.lifecycle.clients import LoadPlan
from benchmarks.lifecycle.load import Load
from benchmarks.lifecycle.service import until
from benchmarks.many.instance import Instance
from benchmarks.many.master import look

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.many.master import Look

_RATE: Final = 200.0  #: requests a second
_KEPT: Final = 12
_FRESH: Final = 4
_WARM_UP: Final = 10
_SETTLE_SECONDS: Final = 10.0
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Endured:
    """What came of it.

    Attributes:
        workers: How many.
        seconds: Of each reload, in order.
        requests: That were made meanwhile.
        lost: Of these, lost, refused or answered wrongly.
        retriable: Kept connections that were closed as a request came, which was then sent again.
        slowest: Seconds of the request that took the longest.
        looks: At the master, before the first reload, and ten times from then on, when nothing is on its way.
    """

    workers: int
    seconds: tuple[float, ...]
    requests: int
    lost: int
    retriable: int
    slowest: float
    looks: tuple[Look, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def endure(workers: int, reloads: int, progress: Callable[[str], None]) -> Endured:
    """Reload so many times.

    Raises:
        BenchmarkError: A reload fails, or the load does.
    """
    with Instance(workers) as instance:
        load = Load(LoadPlan(instance.port, _RATE, kept=_KEPT, fresh=_FRESH))
        try:
            for _ in range(_WARM_UP):
                instance.reload()
            looks, seconds = [_settled(instance)], []
            for number in range(1, reloads + 1):
                seconds.append(instance.reload())
                if number % max(reloads // 10, 1) == 0:
                    looks.append(_settled(instance))
                    told = f"{number} of {reloads} reloads, {load.look().broken} lost: {_shown(looks[-1])}"
                    progress(f"{workers} workers, {told}")
            tally = load.stop()
        finally:
            load.kill()
    if not tally.due:
        raise BenchmarkError("Nothing was asked meanwhile.")
    return Endured(
        workers, tuple(seconds), tally.due, tally.broken, tally.retriable, tally.slowest, tuple(looks)
    )


def _settled(instance: Instance) -> Look:
    """Look at the master once nobody is left of the generations before."""
    until(lambda: len(instance.root.children()) == instance.workers + 1, _SETTLE_SECONDS)  # and a mold
    return look(instance.root)


def _shown(seen: Look) -> str:
    return (
        f"RSS {seen.rss / _MIB:.2f} MiB, {seen.fds} files ({seen.memfds} boards), {seen.threads} threads, "
        f"{seen.children} children ({seen.zombies} zombies)"
    )


def text(endured: Sequence[Endured]) -> str:
    """Return some lines on each."""
    blocks = []
    for one in endured:
        part = max(1, min(100, len(one.seconds) // 3))
        first, last = median(one.seconds[:part]), median(one.seconds[-part:])
        middle = one.looks[len(one.looks) // 2]
        blocks.append(
            f"{len(one.seconds)} reloads, {one.workers} workers, {one.requests} requests meanwhile\n"
            f"  lost {one.lost}, sent again {one.retriable}, slowest {one.slowest * 1e3:.0f} ms\n"
            f"  a reload: first {part} {first * 1e3:.0f} ms, last {part} {last * 1e3:.0f} ms (median)\n"
            f"  before:    {_shown(one.looks[0])}\n"
            f"  half-way:  {_shown(middle)}\n"
            f"  after:     {_shown(one.looks[-1])}"
        )
    return "\n\n".join(blocks)
