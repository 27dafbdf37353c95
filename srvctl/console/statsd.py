"""The figures as StatsD takes them: lines of text in datagrams that nobody answers.

What to send is computed purely by `Changes`; `Statsd` sends it. Counters are sent as what was added since the
last time, gauges as they are. There are no labels: their values are parts of the name.
"""

from __future__ import annotations

import asyncio
import re
import socket
from typing import TYPE_CHECKING, Final

from srvctl.console.figures import FIGURES, PREFIX, Kind, bounds_of, durations
from srvctl.ipc.quantiles import quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from srvctl.console.figures import Answer

#: Bytes of a datagram that are sure to fit into one packet of Ethernet, as StatsD's own documents say.
MOST_BYTES: Final = 1432
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]")
_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class Changes:
    """Turns answers of the master into lines.

    Args:
        prefix: What each name begins with.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{prefix.strip('.')}." if prefix.strip(".") else ""
        self._told: dict[str, float] = {}
        self._counts: dict[str, tuple[int, ...]] = {}

    def lines(self, answer: Answer) -> list[bytes]:
        """Return what is to be sent after an answer; counters are only remembered the first time."""
        return [line.encode() for line in (*self._figures(answer), *self._durations(answer))]

    def _figures(self, answer: Answer) -> Iterator[str]:
        for figure in FIGURES:
            for labels, value in figure.read(answer):
                name = self._name(figure.name.removeprefix(PREFIX), labels)
                if figure.kind is Kind.GAUGE:
                    yield f"{name}:{_written(value)}|g"
                elif figure.kind is Kind.COUNTER:
                    before, self._told[name] = self._told.get(name), value
                    if before is not None and (added := value - before) > 0:
                        yield f"{name}:{_written(added)}|c"

    def _durations(self, answer: Answer) -> Iterator[str]:
        """Yield quantiles of what was answered since the last time, in milliseconds."""
        bounds = bounds_of(answer)
        for one in durations(answer):
            before, self._counts[one.name] = self._counts.get(one.name), one.counts
            if before is None or len(before) != len(one.counts):
                continue
            added = [max(new - old, 0) for new, old in zip(one.counts, before, strict=True)]
            for name, share in _SHARES.items():
                if (seconds := quantile(share, bounds, added)) is not None:
                    full = self._name("request_duration_ms", (one.name, name))
                    yield f"{full}:{_written(seconds * 1000)}|g"

    def _name(self, name: str, labels: Iterable[str]) -> str:
        return self._prefix + ".".join([name, *(_UNFIT.sub("_", label) or "_" for label in labels)])


def _written(value: float) -> str:
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return text or "0"


def datagrams(lines: Iterable[bytes], most: int = MOST_BYTES) -> Iterator[bytes]:
    """Yield the lines, as many of them in each datagram as fit; one that is longer goes by itself."""
    packed = b""
    for line in lines:
        if packed and len(packed) + 1 + len(line) > most:
            yield packed
            packed = b""
        packed = packed + b"\n" + line if packed else line
    if packed:
        yield packed


class Statsd:
    """Sends datagrams to one server, whose name is looked up each time: it may move.

    Args:
        host: Name or address.
        port: Its port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def send(self, packets: Iterable[bytes]) -> None:
        """Send; whatever is wrong with the network or the server is nothing that could be done about.

        Raises:
            OSError: The name is unknown; for the log.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setblocking(False)
            # Not connected: so an ICMP error of one datagram does not fail the next (udp(7)).
            for packet in packets:
                try:
                    sock.sendto(packet, address)
                except BlockingIOError:  # more at once than the kernel keeps: the rest is lost
                    return
