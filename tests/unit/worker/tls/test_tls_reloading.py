"""New files are taken up for new connections; files that cannot be used change nothing."""

from __future__ import annotations

import gc
import logging
import os
import ssl
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.settings.groups import TlsSettings
from srvctl.worker.tls.errors import TlsError
from srvctl.worker.tls.pair import NO_CERTIFICATE
from srvctl.worker.tls.reloading import ReloadingContext, Tls
from tests.support.certificates import Authority, Pair, serial_of
from tests.support.tls_client import shake_hands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("server")


@pytest.fixture(autouse=True)
def hook() -> Iterator[None]:
    """The worker's process ends with its hook; this one goes on."""
    before = sys.unraisablehook
    yield
    sys.unraisablehook = before


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "srvctl.error")
    logging.getLogger("srvctl.error").propagate = True
    return caplog


def tls(pair: Pair, **others: Any) -> Tls:
    return Tls(TlsSettings(certfile=str(pair.certfile), keyfile=str(pair.keyfile), **others))


def served(watched: Tls, authority: Authority) -> str:
    """The number of the certificate that a new client is shown."""
    _, theirs = shake_hands(watched.context, authority.client())
    return serial_of(theirs.getpeercert(binary_form=True))


def test_new_files_serve_new_connections(
    authority: Authority, pair: Pair, log: pytest.LogCaptureFixture
) -> None:
    watched = tls(pair)
    ours, theirs = shake_hands(watched.context, authority.client())
    fresh = authority.issue("fresh").replace(pair)
    watched.tick(0.0)
    assert served(watched, authority) == fresh.serial != pair.serial
    until = watched.context.contexts.default.certificate.not_after
    expected = f"New TLS files are in use: certificate {fresh.serial}, valid until {until:%Y-%m-%d %H:%M} UTC"
    assert log.messages == [expected]
    # The connection that was there goes on with what it has.
    assert serial_of(theirs.getpeercert(binary_form=True)) == pair.serial
    assert ours.write(b"still here") == 10


def test_files_are_looked_at_once_in_an_interval(authority: Authority, pair: Pair) -> None:
    watched = tls(pair, reload_interval=5.0)
    watched.tick(100.0)
    fresh = authority.issue("fresh").replace(pair)
    watched.tick(104.9)
    assert served(watched, authority) == pair.serial
    watched.tick(105.0)
    assert served(watched, authority) == fresh.serial


def test_files_need_not_be_looked_at(authority: Authority, pair: Pair) -> None:
    watched = tls(pair, reload_interval=0.0)
    authority.issue("fresh").replace(pair)
    watched.tick(1e9)
    assert served(watched, authority) == pair.serial


def test_nothing_is_read_while_nothing_changes(pair: Pair) -> None:
    """Clients could resume no session any more."""
    watched = tls(pair)
    before = watched.context.contexts
    for moment in range(0, 100, 5):
        watched.tick(moment)
    assert watched.context.contexts is before


def test_a_file_that_is_written_again_is_a_change(authority: Authority, pair: Pair) -> None:
    """Even with the same size, in the same inode."""
    watched = tls(pair)
    os.utime(pair.certfile, ns=(0, 0))
    before = watched.context.contexts
    watched.tick(0.0)
    assert watched.context.contexts is not before


def test_links_are_followed(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    """Kubernetes mounts a secret as links through one that it swaps."""
    fresh = authority.issue("fresh")
    for number, source in enumerate((pair, fresh)):
        folder = tmp_path / f"..{number}"
        folder.mkdir()
        source.certfile.rename(folder / "tls.crt")
        source.keyfile.rename(folder / "tls.key")
    (tmp_path / "..data").symlink_to("..0")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    watched = tls(Pair(tmp_path / "tls.crt", tmp_path / "tls.key", pair.serial))
    (tmp_path / "..new").symlink_to("..1")
    (tmp_path / "..new").rename(tmp_path / "..data")
    watched.tick(0.0)
    assert served(watched, authority) == fresh.serial


def test_what_cannot_be_used_is_logged_once_and_changes_nothing(
    authority: Authority, pair: Pair, log: pytest.LogCaptureFixture
) -> None:
    watched = tls(pair)
    pair.certfile.write_text("garbage")
    watched.tick(0.0)
    assert log.messages == []
    for moment in (5.0, 10.0, 15.0, 20.0):
        watched.tick(moment)
    trouble = f"tls.certfile: {pair.certfile} {NO_CERTIFICATE}"
    assert log.messages == [f"New TLS files cannot be used, those before stay in use: {trouble}"]
    assert served(watched, authority) == pair.serial
    assert repr(watched) == f"Tls({pair.certfile}, cannot be renewed)"


def test_another_trouble_is_logged_again_and_the_end_of_it_too(
    authority: Authority, pair: Pair, log: pytest.LogCaptureFixture
) -> None:
    watched = tls(pair)
    pair.certfile.write_text("garbage")
    watched.tick(0.0)
    watched.tick(5.0)
    pair.certfile.unlink()
    watched.tick(10.0)
    watched.tick(15.0)
    fresh = authority.issue("fresh").replace(pair)
    watched.tick(20.0)
    watched.tick(25.0)
    said = [message.partition(": ")[0] for message in log.messages]
    bad = "New TLS files cannot be used, those before stay in use"
    assert said == [bad, bad, "New TLS files are in use"]
    assert "No such file or directory" in log.messages[1]
    assert served(watched, authority) == fresh.serial
    assert repr(watched) == f"Tls({pair.certfile})"


def test_a_pair_that_is_half_written_is_waited_for(
    authority: Authority, pair: Pair, log: pytest.LogCaptureFixture
) -> None:
    """The certificate first, and a moment later its key: nothing to tell anybody."""
    watched = tls(pair)
    fresh = authority.issue("fresh")
    pair.certfile.write_bytes(fresh.certfile.read_bytes())
    watched.tick(0.0)
    assert served(watched, authority) == pair.serial
    pair.keyfile.write_bytes(fresh.keyfile.read_bytes())
    watched.tick(5.0)
    assert served(watched, authority) == fresh.serial
    assert [message.partition(": ")[0] for message in log.messages] == ["New TLS files are in use"]


def test_files_that_become_readable_without_a_change_are_taken_up(
    authority: Authority, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For instance after a chmod, which changes no stamp."""
    watched = tls(pair)
    fresh = authority.issue("fresh").replace(pair)
    with monkeypatch.context() as patch:
        patch.setattr("srvctl.worker.tls.reloading.build", _fail)
        watched.tick(0.0)
    watched.tick(5.0)
    assert served(watched, authority) == fresh.serial


def _fail(*_: object) -> None:
    raise TlsError("tls.certfile", "is locked")


def test_new_authorities_judge_new_clients(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    """Whoever is trusted no longer gets no further connection."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.file.read_bytes())
    watched = tls(pair, cert_reqs=2, ca_certs=str(trusted))
    client = authority.client(pair=authority.issue("client"))
    shake_hands(watched.context, client)
    trusted.write_bytes(Authority(tmp_path, "another").file.read_bytes())
    watched.tick(0.0)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        shake_hands(watched.context, client)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_does_not_outlive_the_authority_it_was_begun_under(
    authority: Authority, pair: Pair, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Who resumes one shows no certificate again."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.file.read_bytes())
    watched = tls(pair, cert_reqs=2, ca_certs=str(trusted))
    client = authority.client(pair=authority.issue("client"), newest=version)
    _, theirs = shake_hands(watched.context, client)
    session = theirs.session
    ours, _ = shake_hands(watched.context, client, session=session)
    assert ours.session_reused
    trusted.write_bytes(Authority(tmp_path, "another").file.read_bytes())
    watched.tick(0.0)
    with pytest.raises(ssl.SSLError, match=r"CERTIFICATE_VERIFY_FAILED|ALERT_UNKNOWN_CA"):
        shake_hands(watched.context, client, session=session)


def test_new_files_of_a_name(authority: Authority, pair: Pair) -> None:
    one = authority.issue("one", "one.example")
    watched = tls(pair, sni=(f"one.example={one.certfile}:{one.keyfile}",))
    fresh = authority.issue("fresh", "one.example").replace(one)
    watched.tick(0.0)
    _, theirs = shake_hands(watched.context, authority.client(), "one.example")
    assert serial_of(theirs.getpeercert(binary_form=True)) == fresh.serial


def test_an_expired_certificate_is_told(authority: Authority, log: pytest.LogCaptureFixture) -> None:
    """It is served: only the client can judge that, and the clock may be wrong."""
    past = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    pair, one = authority.issue("old", not_after=past), authority.issue("one", "one.example", not_after=past)
    tls(pair, sni=(f"one.example={one.certfile}:{one.keyfile}",))
    moment = f"{past:%Y-%m-%d %H:%M} UTC"
    assert log.messages == [
        f"The TLS certificate expired at {moment}.",
        f"The TLS certificate of one.example expired at {moment}.",
    ]


def test_a_log_of_keys_is_told(pair: Pair, tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    tls(pair, keylog=str(tmp_path / "keys"))
    expected = (
        f"TLS keys are written to {tmp_path / 'keys'}: whoever reads it can read all traffic (tls.keylog)."
    )
    assert log.messages == [expected]


# -- handshakes that run -------------------------------------------------------------------------------


def begin(context: ReloadingContext) -> ssl.SSLObject:
    connection = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return connection


def test_a_handshake_runs_until_it_is_over(authority: Authority, pair: Pair) -> None:
    watched = tls(pair)
    assert [watched.is_shaking_hands, len(watched.context.handshakes)] == [False, 0]
    first = begin(watched.context)
    assert watched.is_shaking_hands
    ours, _ = shake_hands(watched.context, authority.client())
    assert list(watched.context.handshakes) == [first]
    assert ours.version() == "TLSv1.3"


def test_a_handshake_that_fails_is_over(
    authority: Authority, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "srvctl.error")
    watched = tls(pair)
    incoming = ssl.MemoryBIO()
    incoming.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    connection = watched.context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)
    with pytest.raises(ssl.SSLError, match="HTTP_REQUEST"):
        connection.do_handshake()
    assert not watched.is_shaking_hands
    assert "A TLS handshake failed: HTTP_REQUEST." in caplog.messages


def test_a_client_that_is_refused_is_told_why(authority: Authority, pair: Pair) -> None:
    """Event loops send nothing any more once a handshake has failed, so the failure comes a turn later."""
    watched = tls(pair, min_version="TLSv1.3")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    old = authority.client(newest=ssl.TLSVersion.TLSv1_2)
    client = old.wrap_bio(to_client, to_server, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    connection = watched.context.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(ssl.SSLWantReadError, match="the alert is to be sent"):
        connection.do_handshake()
    assert not watched.is_shaking_hands
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        client.do_handshake()
    for _ in range(2):
        with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
            connection.do_handshake()


def test_a_handshake_that_is_given_up_is_forgotten(pair: Pair) -> None:
    watched = tls(pair)
    begin(watched.context)
    gc.collect()
    assert not watched.is_shaking_hands


def test_a_name_beyond_ascii_is_no_news(pair: Pair, authority: Authority) -> None:
    """Any client can send one, and Python would print a traceback for each; other news is passed on."""
    seen: list[Any] = []
    sys.unraisablehook = seen.append
    watched = tls(pair, sni=(f"one.example={pair.certfile}:{pair.keyfile}",))
    to_server = ssl.MemoryBIO()
    client = authority.client().wrap_bio(ssl.MemoryBIO(), to_server, server_hostname="abcd.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = ssl.MemoryBIO()
    hello.write(to_server.read().replace(b"abcd.", b"\xff\xfecd."))
    connection = watched.context.wrap_bio(hello, ssl.MemoryBIO(), server_side=True)
    with pytest.raises(ssl.SSLWantReadError, match="the alert is to be sent"):
        connection.do_handshake()
    assert seen == []
    other: Any = SimpleNamespace(exc_value=ValueError("other"), object=None)
    sys.unraisablehook(other)
    assert seen == [other]
