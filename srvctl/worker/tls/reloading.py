"""The context the event loop holds for good, and the watch that gives it new files.

A listener keeps the context it was made with. `ReloadingContext` is that one, and hands each new connection
to the contexts that are in use now; connections that exist keep theirs. So whatever the files say can change,
certificate, key, names, authorities, and nothing is closed.
"""

from __future__ import annotations

import gc
import logging
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from srvctl.worker.tls.context import ALPN, Contexts, ServedContext, build, files_of
from srvctl.worker.tls.errors import TlsError
from srvctl.worker.tls.handshake import Handshake, ignore_names_that_are_no_text

if TYPE_CHECKING:
    from srvctl.settings.groups import TlsSettings

logger = logging.getLogger("srvctl.error")

_COLLECTION: Final = 0.5  #: seconds between two collections of garbage while handshakes are waited for

#: What tells one version of a file from another; None for one that is not there.
_Stamp = tuple[int, int, int, int] | None


class ReloadingContext(ssl.SSLContext):
    """Gives every new connection the contexts that are in use.

    Attributes:
        contexts: What new connections use.
        handshakes: Those that run.
    """

    contexts: Contexts
    handshakes: WeakSet[Handshake]

    @classmethod
    def using(cls, contexts: Contexts) -> ReloadingContext:
        """Return one that begins with these."""
        context = cls(ssl.PROTOCOL_TLS_SERVER)
        context.contexts = contexts
        context.handshakes = WeakSet()
        return context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection; this is what asyncio and uvloop call."""
        default = self.contexts.default
        connection = default.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        assert isinstance(connection, Handshake)  # noqa: S101 - the context's sslobject_class
        connection.outgoing = outgoing
        connection.running = self.handshakes
        self.handshakes.add(connection)
        return connection


class Tls:
    """TLS of one worker: its context, and the watch over its files.

    Args:
        settings: With a certificate.
        alpn: The protocols that are offered, best first.

    Raises:
        TlsError: A file or a value cannot be used.
    """

    def __init__(self, settings: TlsSettings, alpn: tuple[str, ...] = ALPN) -> None:
        self._settings = settings
        self._alpn = alpn
        self._files = files_of(settings)
        self._stamps = self._look()
        self._next_look = self._next_collection = 0.0
        self._trouble = ""  #: why the files as they are cannot be used
        self._is_logged = False
        self.context = ReloadingContext.using(build(settings, alpn))
        if self.context.contexts.by_name:
            ignore_names_that_are_no_text()
        self._tell_expired()
        if settings.keylog:
            text = "TLS keys are written to %s: whoever reads it can read all traffic (tls.keylog)."
            logger.warning(text, settings.keylog)

    def __repr__(self) -> str:
        return f"Tls({self._settings.certfile}{', cannot be renewed' if self._trouble else ''})"

    @property
    def is_shaking_hands(self) -> bool:
        """Whether a client that connected is no connection of the server yet; asked while draining."""
        now = time.monotonic()
        if self.context.handshakes and now >= self._next_collection:
            self._next_collection = now + _COLLECTION
            gc.collect()  # of a handshake that failed, asyncio leaves only a circle of references
        return len(self.context.handshakes) > 0

    def tick(self, now: float) -> None:
        """Take up files that changed, at most once in ``tls.reload_interval``.

        Args:
            now: Monotonic seconds.
        """
        interval = self._settings.reload_interval
        if not interval or now < self._next_look:
            return
        self._next_look = now + interval
        stamps = self._look()
        if stamps != self._stamps or self._trouble:
            self._take_up(stamps)

    def _take_up(self, stamps: list[_Stamp]) -> None:
        is_new = stamps != self._stamps
        self._stamps = stamps  # taken before the files are read: what changes from here on is seen again
        try:
            contexts = build(self._settings, self._alpn)
        except TlsError as error:
            self._complain(str(error), is_new=is_new)
            return
        self._trouble, self._is_logged = "", False
        self.context.contexts = contexts
        mine = contexts.default.certificate
        text = "New TLS files are in use: certificate %s, valid until %s"
        logger.info(text, mine.serial, f"{mine.not_after:%Y-%m-%d %H:%M} UTC")
        self._tell_expired()

    def _complain(self, trouble: str, *, is_new: bool) -> None:
        """Log once what is still wrong at a second look: the two files are written one after the other."""
        if is_new or trouble != self._trouble:
            self._trouble, self._is_logged = trouble, False
        elif not self._is_logged:
            self._is_logged = True
            logger.error("New TLS files cannot be used, those before stay in use: %s", trouble)

    def _tell_expired(self) -> None:
        contexts = self.context.contexts
        now = datetime.now(UTC)
        served: list[tuple[str, ServedContext]] = [("", contexts.default), *contexts.by_name.items()]
        for name, context in served:
            if context.certificate.not_after < now:
                until = f"{context.certificate.not_after:%Y-%m-%d %H:%M} UTC"
                logger.warning("The TLS certificate%s expired at %s.", f" of {name}" if name else "", until)

    def _look(self) -> list[_Stamp]:
        return [_stamp(path) for path in self._files]


def _stamp(path: str) -> _Stamp:
    """Follow links, so that the swap of a directory's link, as Kubernetes does it, is a change."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
