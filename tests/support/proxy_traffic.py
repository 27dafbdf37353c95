"""Clients of a proxy that go on asking while something happens behind it, with an account of every outcome.

The tests of proxies use it. It knows nothing of srvctl: what it sees is what a user's client would see. No
request is ever sent twice.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Final, Self

from tests.support.client import Connection, ConnectionEnded
from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from types import TracebackType

    from tests.support.front_proxy import FrontProxy

OK: Final = "answered"
#: A kept connection that had ended before the next request was on it. Any server may do that at any time,
#: and a client asks again (RFC 9112, 9.5), which this one only counts.
STALE: Final = "stale"


class Traffic:
    """Four clients: each of GET and POST, over one kept connection and over new ones.

    Args:
        proxy: Whom they ask.
        clients: How often there are these four.

    Attributes:
        outcomes: How often what happened: "GET answered", "POST 502", "POST stale", "GET TimeoutError"...
    """

    def __init__(self, proxy: FrontProxy, clients: int = 1) -> None:
        self._proxy = proxy
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._numbers = count(1)
        self.outcomes: Counter[str] = Counter()
        self._threads = [
            threading.Thread(target=self._ask, args=(method, keeps), daemon=True)
            for _ in range(clients)
            for method in ("GET", "POST")
            for keeps in (True, False)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.wait_answered()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def finish(self) -> None:
        """Stop; every request that was sent has its outcome by then."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)
            assert not thread.is_alive(), "a client hangs"

    @property
    def answered(self) -> int:
        """How many requests were answered with 200 and the right body."""
        with self._changed:
            return sum(n for what, n in self.outcomes.items() if what.endswith(OK))

    def wait_answered(self, more: int = 40) -> None:
        """Wait until so many more are answered, each after the last event before this call."""
        goal = self.answered + more
        with self._changed:
            if not self._changed.wait_for(
                lambda: sum(n for what, n in self.outcomes.items() if what.endswith(OK)) >= goal, PATIENCE
            ):
                raise NeverHappened(f"the clients are stuck: {self.outcomes}")

    def errors(self, *allowed: str) -> dict[str, int]:
        """Return every outcome but right answers, and what is allowed."""
        return {what: n for what, n in self.outcomes.items() if not what.endswith(OK) and what not in allowed}

    # -- in the threads --------------------------------------------------------------------------------

    def _ask(self, method: str, keeps: bool) -> None:
        while not self._stop.is_set():
            try:
                with self._proxy.connect() as connection:
                    self._use(connection, method, keeps)
            except OSError as error:  # it could not connect
                self._note(method, type(error).__name__)

    def _use(self, connection: Connection, method: str, keeps: bool) -> None:
        is_kept = False
        while not self._stop.is_set():
            body = f"number {next(self._numbers)}".encode() * (50 if method == "POST" else 0)
            try:
                connection.send(request(method, body, keeps=keeps))
                answer = connection.read_response()
            except ConnectionEnded as ended:
                self._note(method, STALE if is_kept and not ended.received else "cut off")
                return
            except (ConnectionResetError, BrokenPipeError) as error:
                self._note(method, STALE if is_kept else type(error).__name__)
                return
            except OSError as error:
                self._note(method, type(error).__name__)
                return
            is_right = answer.body == b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode())
            self._note(method, OK if answer.status == 200 and is_right else str(answer.status))
            is_kept = True
            if answer.is_last or not keeps:
                return

    def _note(self, method: str, what: str) -> None:
        with self._changed:
            self.outcomes[f"{method} {what}"] += 1
            self._changed.notify_all()


def request(method: str, body: bytes, *, path: str = "/digest", keeps: bool = True) -> bytes:
    """Return a whole request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: test"]
    lines += [] if keeps else ["Connection: close"]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body
