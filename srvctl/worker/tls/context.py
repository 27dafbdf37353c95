"""From the settings and their files to contexts that serve: one for each name, or the reason why not.

Reads files and never waits: a private key that asks for a password which is not configured is an error, where
OpenSSL would ask at the terminal. Called by the command line to check the settings, and by workers: when they
boot, and whenever a file has changed.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from srvctl.worker.tls.certificate import Certificate, read_certificate
from srvctl.worker.tls.errors import TlsError
from srvctl.worker.tls.handshake import Handshake
from srvctl.worker.tls.names import Entry, Names, parse_entry
from srvctl.worker.tls.pair import NO_CERTIFICATE, load_pair, why

if TYPE_CHECKING:
    from srvctl.settings.groups import TlsSettings

ALPN: Final = ("http/1.1",)  #: what is spoken, best first (RFC 7301)
ALPN_HTTP2: Final = "h2"
_PROTOCOL_TLS: Final = 2  #: of `ssl.PROTOCOL_TLS`, which uvicorn also takes, and which warns
_PROTOCOL_TLS_1_2: Final = 5  #: of `ssl.PROTOCOL_TLSv1_2`, which warns too
_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


class ServedContext(ssl.SSLContext):
    """What new connections of one name use; never changed once it is built.

    Attributes:
        server_cert: The certificate that clients are shown, as PEM.
        certificate: What it says of itself.
        suites: The number of each cipher suite (IANA) by OpenSSL's name.
    """

    server_cert: str
    certificate: Certificate
    suites: dict[str, int]


@dataclass(frozen=True, slots=True)
class Contexts:
    """All that one reading of the files gave.

    Attributes:
        default: For clients that ask for no name, or for an unknown one.
        by_name: The contexts of ``tls.sni``.
    """

    default: ServedContext
    by_name: dict[str, ServedContext]


def offered(*, http2: bool) -> tuple[str, ...]:
    """Return the protocols that clients may choose from, best first."""
    return (ALPN_HTTP2, *ALPN) if http2 else ALPN


def build(settings: TlsSettings, alpn: tuple[str, ...] = ALPN) -> Contexts:
    """Read the files and make the contexts.

    Args:
        settings: With a certificate.
        alpn: The protocols that are offered, best first.

    Raises:
        TlsError: A file or a value cannot be used; says which and why.
    """
    if settings.certfile is None:
        raise TlsError("tls.certfile", "is missing")
    default = _context(settings, "tls.certfile", Entry("", settings.certfile, settings.keyfile), alpn)
    by_name: dict[str, ServedContext] = {}
    for entry in entries_of(settings):
        by_name[entry.name] = _context(settings, "tls.sni", entry, alpn)
    if by_name:
        names = Names(by_name)

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, asked: str | None, _: ssl.SSLContext) -> None:
            # Of an unknown name the default certificate is for the client to judge (RFC 6066 section 3).
            if asked is not None and (found := names.find(asked)) is not None:
                connection.context = found

        default.sni_callback = choose
    return Contexts(default, by_name)


def check(settings: TlsSettings) -> None:
    """Find whatever would keep a worker from serving these settings; nothing is wrong where TLS is off.

    Raises:
        TlsError: A file or a value cannot be used; or a setting that protects something is without effect.
    """
    if settings.certfile is not None:
        build(settings)
        return
    without_effect = {
        "tls.keyfile": settings.keyfile is not None,
        "tls.sni": bool(settings.sni),
        "tls.ca_certs": settings.ca_certs is not None,
        "tls.cert_reqs": settings.cert_reqs != ssl.CERT_NONE,
    }
    for key, is_given in without_effect.items():
        if is_given:
            raise TlsError(key, "has no effect without a certificate; set tls.certfile (--ssl-certfile) too")


def entries_of(settings: TlsSettings) -> list[Entry]:
    """Return the entries of ``tls.sni``.

    Raises:
        TlsError: One has another form, or two are for the same name.
    """
    entries: dict[str, Entry] = {}
    for text in settings.sni:
        try:
            entry = parse_entry(text)
        except ValueError as error:
            raise TlsError("tls.sni", f"{text!r} {error}") from None
        if entry.name in entries:
            raise TlsError("tls.sni", f"{entry.name} has two certificates; remove one")
        entries[entry.name] = entry
    return list(entries.values())


def files_of(settings: TlsSettings) -> list[str]:
    """Return the paths of all files the contexts are made of."""
    pairs = [(settings.certfile, settings.keyfile)]
    pairs += [(entry.certfile, entry.keyfile) for entry in entries_of(settings)]
    paths = [path for pair in pairs for path in pair] + [settings.ca_certs]
    return list(dict.fromkeys(path for path in paths if path is not None))


def _context(settings: TlsSettings, key: str, entry: Entry, alpn: tuple[str, ...]) -> ServedContext:
    context = ServedContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = Handshake
    context.options |= ssl.OP_NO_RENEGOTIATION  # a client could have it computed over and over
    _limit_versions(context, settings)
    _limit_ciphers(context, settings)
    der = load_pair(context, key, entry, settings.keyfile_password)
    _judge_clients(context, settings)
    context.set_alpn_protocols(list(alpn))
    _log_keys(context, settings)
    context.server_cert = ssl.DER_cert_to_PEM_cert(der)
    context.certificate = read_certificate(der)
    context.suites = {cipher["name"]: cipher["id"] & 0xFFFF for cipher in context.get_ciphers()}
    return context


def _limit_versions(context: ssl.SSLContext, settings: TlsSettings) -> None:
    context.minimum_version = _VERSIONS[settings.min_version]
    if settings.version == _PROTOCOL_TLS_1_2:
        if settings.min_version != "TLSv1.2":
            raise TlsError("tls.version", f"is TLSv1.2 only, and tls.min_version is {settings.min_version}")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    elif settings.version not in {ssl.PROTOCOL_TLS_SERVER, _PROTOCOL_TLS}:
        raise TlsError(
            "tls.version",
            f"{settings.version} is no protocol for a server; write 17, and use tls.min_version",
        )


def _limit_ciphers(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if settings.ciphers is None:
        return
    try:
        context.set_ciphers(settings.ciphers)
    except (ssl.SSLError, ValueError):  # ValueError: a NUL
        raise TlsError(
            "tls.ciphers", f"{settings.ciphers!r} selects no cipher of TLS 1.2; see `openssl ciphers`"
        ) from None


def _judge_clients(context: ssl.SSLContext, settings: TlsSettings) -> None:
    """Have clients show a certificate, and say whose."""
    path = settings.ca_certs
    if path is not None:
        try:
            context.load_verify_locations(path)
        except ssl.SSLError:
            raise TlsError("tls.ca_certs", f"{path} {NO_CERTIFICATE}") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise TlsError("tls.ca_certs", f"{path} cannot be read: {why(error)}") from None
    elif settings.cert_reqs != ssl.CERT_NONE:
        raise TlsError(
            "tls.cert_reqs",
            f"{settings.cert_reqs} asks clients for certificates, and no authority is trusted; "
            "set tls.ca_certs too",
        )
    context.verify_mode = ssl.VerifyMode(settings.cert_reqs)


def _log_keys(context: ssl.SSLContext, settings: TlsSettings) -> None:
    """Append session keys to the file; one that is made here is the owner's alone."""
    path = settings.keylog
    if not path:
        return
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))
        context.keylog_filename = path
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise TlsError("tls.keylog", f"{path} cannot be written: {why(error)}") from None
