"""The TLS of one connection, which notes when its handshake is over: a drain waits for those that run.

Event loops call a protocol only once its handshake has succeeded, and nobody at all when it fails.
"""

from __future__ import annotations

import logging
import ssl
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from weakref import WeakSet

logger = logging.getLogger("srvctl.error")


class Handshake(ssl.SSLObject):
    """The TLS state of one connection, for as long as it lives.

    Attributes:
        running: Those whose handshake runs. Weak: one that is given up is forgotten by everybody.
        outgoing: What the client is to be sent.
    """

    running: WeakSet[Handshake] | None = None
    outgoing: ssl.MemoryBIO | None = None
    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """Go on with the handshake.

        Raises:
            ssl.SSLWantReadError: The client's turn.
            ssl.SSLError: It failed.
        """
        if self._failure is not None:
            raise self._failure
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self._end()
            # Scanners and browsers that dislike a certificate do it all day: not the operator's business.
            logger.debug("A TLS handshake failed: %s.", error.reason or error)
            if self.outgoing is not None and self.outgoing.pending:
                # Event loops throw away what a failed handshake would still send: the alert, from which a
                # client learns why (RFC 8446 section 6.2). So they are told to send it and to read on; the
                # client closes, or says more and is left, or is left when its time for a handshake is over.
                self._failure = error.with_traceback(None)  # which would hold us
                raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the alert is to be sent") from None
            raise
        self._end()

    def _end(self) -> None:
        if self.running is not None:
            self.running.discard(self)


def ignore_names_that_are_no_text() -> None:
    """Keep Python from printing a traceback for each client that asks for a name beyond ASCII.

    Where contexts have names, ssl decodes what was asked for before any code of ours runs, and hands its
    failure to `sys.unraisablehook`; the handshake fails as it should.
    """
    sys.unraisablehook = _Ignoring(sys.unraisablehook)


class _Ignoring:
    """A hook for exceptions that nobody can catch, which passes on all others."""

    def __init__(self, others: Callable[[sys.UnraisableHookArgs], object]) -> None:
        self._others = others

    def __call__(self, unraisable: sys.UnraisableHookArgs) -> None:
        error = unraisable.exc_value
        if not (isinstance(error, UnicodeDecodeError) and error.object == unraisable.object):
            self._others(unraisable)
