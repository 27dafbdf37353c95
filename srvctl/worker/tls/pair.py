"""A certificate and its private key, from their files into a context; and in words why not."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.worker.tls.certificate import first_certificate, read_certificate
from srvctl.worker.tls.errors import TlsError

if TYPE_CHECKING:
    from srvctl.worker.tls.names import Entry

NO_CERTIFICATE: Final = "holds no certificate in PEM, or a damaged one"
_MISMATCH: Final = "KEY_VALUES_MISMATCH"


def load_pair(context: ssl.SSLContext, key: str, entry: Entry, password: str | None) -> bytes:
    """Load the certificate, its chain and its private key.

    Args:
        context: Where they go.
        key: The setting that names the certificate.
        entry: The files.
        password: Of the private key.

    Returns:
        The certificate clients are shown, in DER.

    Raises:
        TlsError: A file cannot be read, or the two do not fit together.
    """
    key_setting = "tls.keyfile" if key == "tls.certfile" and entry.keyfile else key
    pem = _text(key, entry.certfile)
    _text(key_setting, entry.keyfile or entry.certfile)
    asked = _Password(key_setting, entry, password)
    try:
        der = first_certificate(pem)
        read_certificate(der)
    except ValueError:
        raise TlsError(key, f"{entry.certfile} {NO_CERTIFICATE}") from None
    try:
        context.load_cert_chain(entry.certfile, entry.keyfile, asked)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; ValueError: a password too long
        raise _explained(error, key, key_setting, entry, pem, has_asked=asked.was_asked) from None
    if _text(key, entry.certfile) != pem:
        raise TlsError(key, f"{entry.certfile} was replaced while it was read")
    return der


def why(error: OSError | ValueError) -> str:
    """Return what the system says of a file, without its path; Python itself refuses only a NUL in that."""
    return (error.strerror if isinstance(error, OSError) else "no path has a NUL") or str(error)


class _Password:
    """Answers OpenSSL when a private key is encrypted."""

    def __init__(self, setting: str, entry: Entry, password: str | None) -> None:
        self._file = entry.keyfile or entry.certfile
        self._setting = setting
        self._password = password
        self.was_asked = False

    def __call__(self) -> str:
        self.was_asked = True
        if self._password is None:
            raise TlsError(
                self._setting, f"{self._file} is encrypted; set tls.keyfile_password to its password"
            )
        return self._password


def _text(key: str, path: str) -> str:
    """Read a PEM file, which may have anything between its parts."""
    try:
        return Path(path).read_text("latin-1")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise TlsError(key, f"{path} cannot be read: {why(error)}") from None


def _explained(
    error: OSError | ValueError, key: str, key_setting: str, entry: Entry, pem: str, *, has_asked: bool
) -> TlsError:
    """Say what OpenSSL could not use: of most mistakes in a PEM file it says the same."""
    reason = getattr(error, "reason", None)
    key_file = entry.keyfile or entry.certfile
    if reason == _MISMATCH:
        return TlsError(key_setting, f"{key_file} is not the private key of {entry.certfile}")
    if has_asked:
        return TlsError("tls.keyfile_password", f"does not open {key_file}")
    if not _is_readable_chain(pem):
        return TlsError(key, f"{entry.certfile} {NO_CERTIFICATE}")
    if reason is not None and getattr(error, "library", None) != "PEM":  # for example EE_KEY_TOO_SMALL
        words = reason.lower().replace("_", " ")
        return TlsError(key, f"OpenSSL refuses {entry.certfile}: {words}")
    hint = "" if entry.keyfile else "; set tls.keyfile" if key == "tls.certfile" else "; add :KEYFILE"
    return TlsError(key_setting, f"{key_file} holds no private key in PEM, or a damaged one{hint}")


def _is_readable_chain(pem: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        return False
    return True
