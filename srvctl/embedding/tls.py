"""TLS with a context that the program made: ``ssl_context_factory``."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from srvctl.errors import UsageError
from srvctl.worker.serving import make_tls
from srvctl.worker.tls.context import build, offered
from srvctl.worker.tls.reloading import Tls

if TYPE_CHECKING:
    from srvctl.embedding.config import Config
    from srvctl.settings.groups import Settings


class GivenTls(Tls):
    """Speaks TLS with the program's context, which is never renewed; its handshakes are not counted."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context  # type: ignore[assignment]  # to the event loop they are the same

    def __repr__(self) -> str:
        return f"GivenTls({self.context!r})"

    @property
    def is_shaking_hands(self) -> bool:
        """Never known; who accepts the connection waits for it all the same."""
        return False

    def tick(self, now: float) -> None:
        """Do nothing: there is no file to look at."""


def tls_of(config: Config, settings: Settings) -> Tls | None:
    """Return the TLS of a server; None for plain HTTP.

    Raises:
        AppError: A certificate cannot be used.
        UsageError: The factory returned something else than a context.
    """
    if config.ssl_context_factory is None:
        return make_tls(settings.tls, http2=settings.http.http2)
    context: object = config.ssl_context_factory(config, lambda: _default(settings))
    if not isinstance(context, ssl.SSLContext):
        kind = type(context).__name__
        raise UsageError(f"ssl_context_factory: returned a {kind}; it has to return an ssl.SSLContext")
    return GivenTls(context)


def _default(settings: Settings) -> ssl.SSLContext:
    """Return the context that there would be without a factory.

    Raises:
        TlsError: The files cannot be used, or there is no certificate.
    """
    return build(settings.tls, offered(http2=settings.http.http2)).default
