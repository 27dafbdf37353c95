"""What an application is told about the TLS of its connection: ``scope["extensions"]["tls"]``.

ASGI TLS extension 0.2 (asgiref, specs/tls.rst). Computed once for a connection.
"""

from __future__ import annotations

import ssl
import sys
from typing import TYPE_CHECKING, Any, Final

from srvctl.worker.tls.certificate import read_certificate
from srvctl.worker.tls.context import ServedContext

if TYPE_CHECKING:
    from asyncio import BaseTransport

_VERSIONS: Final = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


def tls_extension(transport: BaseTransport) -> dict[str, Any] | None:
    """Return the value of the extension for a connection, or None where it is not over TLS.

    Call from ``connection_made`` on: the handshake is over by then. The dict is the caller's own.
    """
    connection = transport.get_extra_info("ssl_object")
    return None if connection is None else describe(connection)


def describe(connection: ssl.SSLObject) -> dict[str, Any]:
    """Describe a connection whose handshake is over."""
    context = connection.context
    served = context if isinstance(context, ServedContext) else None
    cipher = connection.cipher()
    chain = _client_chain(connection)
    return {
        "server_cert": served.server_cert if served is not None else None,
        "client_cert_chain": [ssl.DER_cert_to_PEM_cert(der) for der in chain],
        "client_cert_name": read_certificate(chain[0]).subject if chain else None,
        "client_cert_error": None,  # a client whose certificate is wrong gets no connection
        "tls_version": _VERSIONS.get(connection.version() or ""),
        "cipher_suite": served.suites.get(cipher[0]) if served is not None and cipher is not None else None,
    }


def _client_chain(connection: ssl.SSLObject) -> list[bytes]:
    """Return the client's certificate and what it sent of the chain, each signing the one before it.

    Before Python 3.13 only its own is known; and so it is when a session is resumed.
    """
    leaf = connection.getpeercert(binary_form=True)
    if leaf is None:
        return []
    if sys.version_info >= (3, 13):
        verified: list[bytes] = connection.get_verified_chain() or []
        sent: list[bytes] = connection.get_unverified_chain() or []
        return [leaf, *(der for der in verified[1:] if der in sent)]
    return [leaf]
