"""The ASGI extension ``tls``: what the application is told about its connection."""

from __future__ import annotations

import ssl
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.settings.groups import TlsSettings
from srvctl.worker.tls.context import build
from srvctl.worker.tls.extension import describe, tls_extension
from tests.support.certificates import Authority, Pair
from tests.support.tls_client import shake_hands

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("server")


def context(pair: Pair, **others: Any) -> ssl.SSLContext:
    return build(TlsSettings(certfile=str(pair.certfile), keyfile=str(pair.keyfile), **others)).default


def pem(pair: Pair) -> str:
    return ssl.DER_cert_to_PEM_cert(pair.der)


def test_a_client_without_a_certificate(authority: Authority, pair: Pair) -> None:
    ours, _ = shake_hands(context(pair), authority.client())
    assert describe(ours) == {
        "server_cert": pem(pair),
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": 0x1302,
    }


def test_tls_1_2(authority: Authority, pair: Pair) -> None:
    only = context(pair, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    ours, _ = shake_hands(only, authority.client(newest=ssl.TLSVersion.TLSv1_2))
    described = describe(ours)
    assert described["tls_version"] == 0x0303
    assert described["cipher_suite"] == 0xC02B


def test_a_client_with_a_certificate(authority: Authority, pair: Pair) -> None:
    client = authority.issue("client", "alice@client.example", common_name="Alice, of example")
    mutual = context(pair, cert_reqs=1, ca_certs=str(authority.file))
    ours, _ = shake_hands(mutual, authority.client(pair=client))
    described = describe(ours)
    assert described["client_cert_chain"][0] == pem(client)  # the client may send the root too
    assert described["client_cert_name"].startswith("CN=Alice\\, of example,OU=")
    assert described["client_cert_error"] is None


def test_the_chain_the_client_sent(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    """Without the root, which the client did not send."""
    between = Authority(tmp_path, "between", parent=authority)
    client = between.issue("client")
    mutual = context(pair, cert_reqs=2, ca_certs=str(authority.file))
    ours, _ = shake_hands(mutual, authority.client(pair=client))
    chain = describe(ours)["client_cert_chain"]
    assert chain[0] == pem(client)
    assert chain[1:] == ([between.ca.cert_pem.bytes().decode()] if sys.version_info >= (3, 13) else [])


def test_the_certificate_of_the_name_that_was_asked_for(authority: Authority, pair: Pair) -> None:
    one = authority.issue("one", "one.example")
    named = context(pair, sni=(f"one.example={one.certfile}:{one.keyfile}",))
    ours, _ = shake_hands(named, authority.client(), "one.example")
    assert describe(ours)["server_cert"] == pem(one)


def test_a_context_of_somebody_else(authority: Authority, pair: Pair) -> None:
    """What it serves cannot be known."""
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.load_cert_chain(pair.certfile, pair.keyfile)
    ours, _ = shake_hands(other, authority.client())
    described = describe(ours)
    assert described["server_cert"] is described["cipher_suite"] is None
    assert described["tls_version"] == 0x0304


def test_only_connections_over_tls_have_it(authority: Authority, pair: Pair) -> None:
    ours, _ = shake_hands(context(pair), authority.client())
    secure: Any = SimpleNamespace(get_extra_info={"ssl_object": ours}.get)
    assert tls_extension(secure) == describe(ours)
    plain: Any = SimpleNamespace(get_extra_info={}.get)
    assert tls_extension(plain) is None


def test_each_connection_has_its_own(authority: Authority, pair: Pair) -> None:
    """What one application writes into it, the next does not read."""
    ours, _ = shake_hands(context(pair), authority.client())
    describe(ours)["client_cert_chain"].append("mine")
    assert describe(ours)["client_cert_chain"] == []
