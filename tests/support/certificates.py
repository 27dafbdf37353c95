"""Certificates that only the tests trust, in files as an operator would have them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its chain, and its private key.

    Attributes:
        certfile: The chain, in PEM.
        keyfile: The key, in PEM.
        serial: The certificate's number in hexadecimal digits.
    """

    certfile: Path
    keyfile: Path
    serial: str

    @property
    def flags(self) -> list[str]:
        """What srvctl is told."""
        return ["--ssl-certfile", str(self.certfile), "--ssl-keyfile", str(self.keyfile)]

    @property
    def der(self) -> bytes:
        """The certificate itself."""
        return ssl.PEM_cert_to_DER_cert(self.certfile.read_text().partition("-----END")[0] + ssl.PEM_FOOTER)

    def replace(self, other: Pair) -> Pair:
        """Take the place of another pair, as certbot does: one file after the other, each at once."""
        for mine, theirs in ((self.certfile, other.certfile), (self.keyfile, other.keyfile)):
            fresh = theirs.with_suffix(".new")
            fresh.write_bytes(mine.read_bytes())
            fresh.rename(theirs)
        return Pair(other.certfile, other.keyfile, self.serial)


class Authority:
    """A certificate authority.

    Args:
        folder: Where its files go.
        name: How they are called.
    """

    def __init__(self, folder: Path, name: str = "authority", *, parent: Authority | None = None) -> None:
        self._folder = folder
        self.ca: trustme.CA = (
            trustme.CA(organization_name=name) if parent is None else parent.ca.create_child_ca()
        )
        self.file = folder / f"{name}.pem"
        self.ca.cert_pem.write_to_path(str(self.file))

    def issue(
        self,
        name: str,
        *hosts: str,
        common_name: str | None = None,
        not_after: datetime | None = None,
        password: str | None = None,
    ) -> Pair:
        """Issue a certificate for a server or a client.

        Args:
            name: How its files are called.
            hosts: Whom it is for; ``localhost`` when nobody is named.
            common_name: The CN of its subject.
            not_after: Until when it is valid.
            password: The private key is encrypted with this.
        """
        cert = self.ca.issue_cert(*hosts or ("localhost",), common_name=common_name, not_after=not_after)
        certfile, keyfile = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        chain = b"".join(blob.bytes() for blob in cert.cert_chain_pems)
        certfile.write_bytes(chain)
        key = cert.private_key_pem.bytes()
        keyfile.write_bytes(key if password is None else encrypted(key, password))
        keyfile.chmod(0o600)
        return Pair(certfile, keyfile, f"{x509.load_pem_x509_certificate(chain).serial_number:X}")

    def client(self, *, pair: Pair | None = None, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Return what a client uses that trusts this authority.

        Args:
            pair: The certificate it shows.
            newest: The newest version it speaks.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # looks at no variable of the tests' shell
        context.load_verify_locations(self.file)
        if pair is not None:
            context.load_cert_chain(pair.certfile, pair.keyfile)
        if newest is not None:
            context.maximum_version = newest
        return context


def encrypted(key: bytes, password: str) -> bytes:
    """Encrypt a private key."""
    loaded = serialization.load_pem_private_key(key, None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()),
    )


def serial_of(der: bytes | None) -> str:
    """Return the number of a certificate in hexadecimal digits."""
    assert der is not None
    return f"{x509.load_der_x509_certificate(der).serial_number:X}"
