"""TLS: certificates, and who may connect how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from srvctl.settings.option import FORBID_UNKNOWN, Option
from srvctl.settings.units import Seconds  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """TLS; on as soon as there is a certificate."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    certfile: Annotated[
        str | None,
        Option(
            "PEM file with the certificate and its chain.",
            "--ssl-certfile",
            "FILE",
            env=("UVICORN_SSL_CERTFILE",),
        ),
    ] = None
    keyfile: Annotated[
        str | None,
        Option(
            "PEM file with its private key, unless it is in the certificate's file.",
            "--ssl-keyfile",
            "FILE",
            env=("UVICORN_SSL_KEYFILE",),
        ),
    ] = None
    keyfile_password: Annotated[
        str | None,
        Option(
            "Password of the private key.",
            "--ssl-keyfile-password",
            "TEXT",
            env=("UVICORN_SSL_KEYFILE_PASSWORD",),
            is_secret=True,
        ),
    ] = field(default=None, repr=False)
    version: Annotated[
        int,
        Option(
            "Python's number of the protocol; 17 (PROTOCOL_TLS_SERVER) negotiates the best.",
            "--ssl-version",
            env=("UVICORN_SSL_VERSION",),
        ),
    ] = 17
    min_version: Annotated[
        Literal["TLSv1.2", "TLSv1.3"],
        Option("Oldest version of TLS a client may speak.", "--ssl-min-version"),
    ] = "TLSv1.2"
    ciphers: Annotated[
        str | None,
        Option(
            "Ciphers of TLS 1.2, in OpenSSL's form; when unset, OpenSSL's own choice.",
            "--ssl-ciphers",
            "TEXT",
            env=("UVICORN_SSL_CIPHERS",),
        ),
    ] = None
    cert_reqs: Annotated[
        int,
        Option(
            "Client certificates: 0 asks for none, 1 takes one, 2 requires one.",
            "--ssl-cert-reqs",
            env=("UVICORN_SSL_CERT_REQS",),
            minimum=0,
            maximum=2,
        ),
    ] = 0
    ca_certs: Annotated[
        str | None,
        Option(
            "PEM file with the authorities that client certificates must come from.",
            "--ssl-ca-certs",
            "FILE",
            env=("UVICORN_SSL_CA_CERTS",),
        ),
    ] = None
    sni: Annotated[
        tuple[str, ...],
        Option(
            "Certificate for clients that ask for a name; NAME may begin with *. ; repeatable.",
            "--ssl-sni",
            "NAME=CERTFILE[:KEYFILE]",
        ),
    ] = ()
    keylog: Annotated[
        str | None,
        Option(
            "File the session keys are appended to, for debugging: whoever reads it reads the traffic.",
            "--ssl-keylog",
            "FILE",
            env=("SSLKEYLOGFILE",),
        ),
    ] = None
    reload_interval: Annotated[
        Seconds,
        Option(
            "How often the files are looked at; changed ones serve new handshakes. 0: never.",
            "--ssl-reload-interval",
            "DURATION",
        ),
    ] = 5.0
