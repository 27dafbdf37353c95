"""From settings and files to a context, and what is said when it cannot be made."""

from __future__ import annotations

import os
import ssl
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from srvctl.settings.groups import TlsSettings
from srvctl.worker.tls.context import build, check, files_of
from srvctl.worker.tls.errors import TlsError
from srvctl.worker.tls.pair import NO_CERTIFICATE
from tests.support.certificates import Authority, Pair, serial_of
from tests.support.tls_client import shake_hands

if TYPE_CHECKING:
    from collections.abc import Callable

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("server")


def settings(pair: Pair, **others: Any) -> TlsSettings:
    return TlsSettings(certfile=str(pair.certfile), keyfile=str(pair.keyfile), **others)


def refusal(wrong: TlsSettings) -> str:
    """What is said of settings that cannot be used; always one line."""
    with pytest.raises(TlsError) as caught:
        check(wrong)
    assert str(caught.value) == f"{caught.value.key}: {caught.value.reason}"
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- what is served ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_both_versions_are_spoken(authority: Authority, pair: Pair, version: ssl.TLSVersion) -> None:
    context = build(settings(pair)).default
    ours, theirs = shake_hands(context, authority.client(newest=version))
    assert ours.version() == theirs.version() == version.name.replace("_", ".")
    assert serial_of(theirs.getpeercert(binary_form=True)) == pair.serial == context.certificate.serial
    assert ssl.PEM_cert_to_DER_cert(context.server_cert) == pair.der
    cipher = ours.cipher()
    assert cipher is not None
    assert cipher[0] in context.suites


def test_suites_have_their_numbers(pair: Pair) -> None:
    """RFC 8446 appendix B.4, RFC 5289."""
    suites = build(settings(pair)).default.suites
    assert suites["TLS_AES_128_GCM_SHA256"] == 0x1301
    assert suites["TLS_CHACHA20_POLY1305_SHA256"] == 0x1303
    assert suites["ECDHE-RSA-AES256-GCM-SHA384"] == 0xC030


@pytest.mark.parametrize(
    ("others", "newest"),
    [({"min_version": "TLSv1.3"}, TLS_1_2), ({}, ssl.TLSVersion.TLSv1_1)],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_older_versions_are_refused(
    authority: Authority, pair: Pair, others: dict[str, Any], newest: ssl.TLSVersion
) -> None:
    client = authority.client(newest=newest)
    client.minimum_version = newest
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"UNSUPPORTED_PROTOCOL|version|ALERT_PROTOCOL_VERSION"):
        shake_hands(build(settings(pair, **others)).default, client)


def test_uvicorns_number_for_tls_1_2_means_only_that(authority: Authority, pair: Pair) -> None:
    ours, _ = shake_hands(build(settings(pair, version=5)).default, authority.client())
    assert ours.version() == "TLSv1.2"


@pytest.mark.parametrize("version", [17, 2])
def test_uvicorns_numbers_for_the_best_version(authority: Authority, pair: Pair, version: int) -> None:
    ours, _ = shake_hands(build(settings(pair, version=version)).default, authority.client())
    assert ours.version() == "TLSv1.3"


def test_ciphers_are_those_of_the_settings(authority: Authority, pair: Pair) -> None:
    context = build(settings(pair, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")).default
    ours, _ = shake_hands(context, authority.client(newest=TLS_1_2))
    assert ours.cipher() == ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2", 256)


def test_the_certificate_and_its_key_may_be_one_file(
    authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pair.keyfile.read_bytes() + pair.certfile.read_bytes())
    _, theirs = shake_hands(build(TlsSettings(certfile=str(both))).default, authority.client())
    assert serial_of(theirs.getpeercert(binary_form=True)) == pair.serial


def test_a_chain_is_sent_whole(folder: Path, authority: Authority) -> None:
    """A client that knows only the root is served."""
    pair = Authority(folder, "between", parent=authority).issue("chained")
    assert pair.certfile.read_text().count("BEGIN CERTIFICATE") == 2
    shake_hands(build(settings(pair)).default, authority.client())


def test_an_encrypted_key_is_opened_with_the_password(authority: Authority) -> None:
    pair = authority.issue("encrypted", password="open sesame")
    shake_hands(build(settings(pair, keyfile_password="open sesame")).default, authority.client())


def test_a_password_no_key_needs_is_no_mistake(pair: Pair) -> None:
    check(settings(pair, keyfile_password="open sesame"))


# -- names ---------------------------------------------------------------------------------------------


def test_a_client_is_shown_the_certificate_of_the_name_it_asks_for(authority: Authority, pair: Pair) -> None:
    one, wild = authority.issue("one", "one.example"), authority.issue("wild", "*.one.example")
    sni = tuple(
        f"{name}={p.certfile}:{p.keyfile}" for name, p in (("one.example", one), ("*.one.example", wild))
    )
    context = build(settings(pair, sni=sni)).default
    client = authority.client()
    client.check_hostname = False
    for name, expected in {
        "one.example": one,
        "ONE.example": one,
        "a.one.example": wild,
        "a.b.one.example": pair,
        "other.example": pair,
        "localhost": pair,
        None: pair,
    }.items():
        ours, theirs = shake_hands(context, client, name)
        assert serial_of(theirs.getpeercert(binary_form=True)) == expected.serial, name
        assert getattr(ours.context, "certificate").serial == expected.serial  # noqa: B009 - of ServedContext


def test_clients_are_judged_alike_whatever_name_they_ask_for(authority: Authority, pair: Pair) -> None:
    sni = (f"one.example={pair.certfile}:{pair.keyfile}",)
    mutual = settings(pair, sni=sni, cert_reqs=2, ca_certs=str(authority.file))
    client = authority.client()
    client.check_hostname = False
    for name in ("one.example", "localhost"):
        with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
            shake_hands(build(mutual).default, client, name)


# -- client certificates -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize(
    ("reqs", "shown", "error"),
    [
        (0, None, None),
        (0, "ours", None),
        (1, None, None),
        (1, "ours", None),
        (1, "theirs", "CERTIFICATE_VERIFY_FAILED"),
        (2, None, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        (2, "ours", None),
        (2, "theirs", "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_clients_show_certificates(
    authority: Authority,
    pair: Pair,
    tmp_path: Path,
    reqs: int,
    shown: str | None,
    error: str | None,
    version: ssl.TLSVersion,
) -> None:
    client_pair = {None: None, "ours": pair, "theirs": Authority(tmp_path).issue("stranger")}[shown]
    context = build(settings(pair, cert_reqs=reqs, ca_certs=str(authority.file))).default
    client = authority.client(pair=client_pair, newest=version)
    if error is not None:
        with pytest.raises(ssl.SSLError, match=error):
            shake_hands(context, client)
        return
    ours, _ = shake_hands(context, client)
    assert ours.getpeercert(binary_form=True) == (pair.der if reqs and shown else None)


# -- protocols -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (["http/1.1"], "http/1.1"),
        (["h2", "http/1.1"], "http/1.1"),
        (["h2"], None),
        (["http/1.0"], None),
        (None, None),
    ],
)
def test_http_1_1_is_what_is_spoken(
    authority: Authority, pair: Pair, offered: list[str] | None, selected: str | None
) -> None:
    """Who offers only others goes on without: ssl cannot refuse it as RFC 7301 section 3.2 asks."""
    client = authority.client()
    if offered is not None:
        client.set_alpn_protocols(offered)
    ours, theirs = shake_hands(build(settings(pair)).default, client)
    assert ours.selected_alpn_protocol() == theirs.selected_alpn_protocol() == selected


def test_other_protocols_can_be_offered(authority: Authority, pair: Pair) -> None:
    client = authority.client()
    client.set_alpn_protocols(["http/1.1", "h2"])
    ours, _ = shake_hands(build(settings(pair), alpn=("h2", "http/1.1")).default, client)
    assert ours.selected_alpn_protocol() == "h2"


# -- keys in a log -------------------------------------------------------------------------------------


def test_keys_are_logged_for_the_owner_only(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    sni = (f"one.example={pair.certfile}:{pair.keyfile}",)
    before = os.umask(0)
    try:
        context = build(settings(pair, sni=sni, keylog=str(file))).default
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    client = authority.client()
    client.check_hostname = False
    for count, name in enumerate(("localhost", "one.example"), start=1):
        shake_hands(context, client, name)
        assert file.read_text().count("\nSERVER_TRAFFIC_SECRET_0 ") == count


def test_an_empty_keylog_is_none(pair: Pair) -> None:
    """The variable SSLKEYLOGFILE may be set and empty."""
    check(settings(pair, keylog=""))


# -- what cannot be used -------------------------------------------------------------------------------


def test_without_a_certificate_there_is_nothing_to_check() -> None:
    check(TlsSettings(ciphers="any", min_version="TLSv1.3", keylog="/nowhere/at/all", keyfile_password="x"))


@pytest.mark.parametrize(
    ("key", "value"), [("keyfile", "a"), ("sni", ("a=b",)), ("ca_certs", "a"), ("cert_reqs", 2)]
)
def test_what_needs_a_certificate_says_so(key: str, value: Any) -> None:
    message = f"tls.{key}: has no effect without a certificate; set tls.certfile (--ssl-certfile) too"
    assert refusal(TlsSettings(**{key: value})) == message


@pytest.fixture
def odd(tmp_path: Path, pair: Pair, authority: Authority) -> dict[str, str]:
    """Files that are not what they should be."""
    cert, key = pair.certfile.read_text(), pair.keyfile.read_text()
    texts = {
        "garbage": "hello\n",
        "empty": "",
        "key": key,
        "half": cert[: len(cert) // 3],
        "damaged": cert.replace("M", "N", 3),
        "broken chain": cert + cert[:300],
        "half key": key[:100],
        "other key": authority.issue("other").keyfile.read_text(),
    }
    found = {}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        found[name] = str(tmp_path / name)
    return found | {"missing": str(tmp_path / "missing"), "folder": str(tmp_path), "nul": "a\0b"}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("missing", "cannot be read: No such file or directory"),
        ("folder", "cannot be read: Is a directory"),
        ("nul", "cannot be read: no path has a NUL"),
        ("garbage", NO_CERTIFICATE),
        ("empty", NO_CERTIFICATE),
        ("key", NO_CERTIFICATE),
        ("half", NO_CERTIFICATE),
        ("damaged", NO_CERTIFICATE),
    ],
)
@pytest.mark.parametrize("where", ["certfile", "sni", "ca_certs"])
def test_a_certificate_that_cannot_be_used(
    pair: Pair, odd: dict[str, str], file: str, reason: str, where: str
) -> None:
    values: dict[str, Any] = {
        "certfile": {"certfile": odd[file]},
        "sni": {"sni": (f"a.example={odd[file]}:{pair.keyfile}",)},
        "ca_certs": {"ca_certs": odd[file], "cert_reqs": 2},
    }
    assert refusal(replace(settings(pair), **values[where])) == f"tls.{where}: {odd[file]} {reason}"


def test_a_chain_that_ends_in_the_middle(pair: Pair, odd: dict[str, str]) -> None:
    file = odd["broken chain"]
    assert refusal(replace(settings(pair), certfile=file)) == f"tls.certfile: {file} {NO_CERTIFICATE}"


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("missing", "{} cannot be read: No such file or directory"),
        ("garbage", "{} holds no private key in PEM, or a damaged one"),
        ("half key", "{} holds no private key in PEM, or a damaged one"),
        ("other key", "{} is not the private key of {cert}"),
    ],
)
def test_a_key_that_cannot_be_used(pair: Pair, odd: dict[str, str], file: str, reason: str) -> None:
    expected = reason.format(odd[file], cert=pair.certfile)
    assert refusal(replace(settings(pair), keyfile=odd[file])) == f"tls.keyfile: {expected}"
    sni = (f"a.example={pair.certfile}:{odd[file]}",)
    assert refusal(settings(pair, sni=sni)) == f"tls.sni: {expected}"


def test_a_certificate_without_any_key(pair: Pair) -> None:
    said = f"{pair.certfile} holds no private key in PEM, or a damaged one"
    assert refusal(TlsSettings(certfile=str(pair.certfile))) == f"tls.certfile: {said}; set tls.keyfile"
    assert refusal(settings(pair, sni=(f"a.example={pair.certfile}",))) == f"tls.sni: {said}; add :KEYFILE"


def test_an_unreadable_file(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the system's answer is played."""
    read: Callable[..., str] = Path.read_text

    def refuse(path: Path, *arguments: Any) -> str:
        if path == pair.keyfile:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *arguments)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert refusal(settings(pair)) == f"tls.keyfile: {pair.keyfile} cannot be read: Permission denied"


def test_an_encrypted_key_never_asks_at_the_terminal(authority: Authority) -> None:
    pair = authority.issue("locked", password="open sesame")
    said = refusal(settings(pair))
    assert said == f"tls.keyfile: {pair.keyfile} is encrypted; set tls.keyfile_password to its password"
    for wrong in ("guess", "", "x" * 3000):
        said = refusal(settings(pair, keyfile_password=wrong))
        assert said == f"tls.keyfile_password: does not open {pair.keyfile}"


def test_a_file_that_is_replaced_while_it_is_read(
    pair: Pair, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = iter([pair.certfile.read_text(), "", authority.issue("newer").certfile.read_text()])
    monkeypatch.setattr(Path, "read_text", lambda *_: next(texts))
    assert refusal(settings(pair)) == f"tls.certfile: {pair.certfile} was replaced while it was read"


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (
            {"ciphers": "nonsense"},
            "tls.ciphers: 'nonsense' selects no cipher of TLS 1.2; see `openssl ciphers`",
        ),
        ({"ciphers": ""}, "tls.ciphers: '' selects no cipher of TLS 1.2; see `openssl ciphers`"),
        ({"ciphers": "a\0"}, "tls.ciphers: 'a\\x00' selects no cipher of TLS 1.2; see `openssl ciphers`"),
        ({"version": 16}, "tls.version: 16 is no protocol for a server; write 17, and use tls.min_version"),
        ({"version": 3}, "tls.version: 3 is no protocol for a server; write 17, and use tls.min_version"),
        (
            {"version": 5, "min_version": "TLSv1.3"},
            "tls.version: is TLSv1.2 only, and tls.min_version is TLSv1.3",
        ),
        (
            {"cert_reqs": 2},
            (
                "tls.cert_reqs: 2 asks clients for certificates, and no authority is trusted; "
                "set tls.ca_certs too"
            ),
        ),
        ({"sni": ("a.example",)}, "tls.sni: 'a.example' is not of the form NAME=CERTFILE[:KEYFILE]"),
        (
            {"keylog": "/nowhere/keys"},
            "tls.keylog: /nowhere/keys cannot be written: No such file or directory",
        ),
        ({"keylog": "/tmp"}, "tls.keylog: /tmp cannot be written: Is a directory"),
        ({"keylog": "a\0b"}, "tls.keylog: a\0b cannot be written: no path has a NUL"),
    ],
)
def test_values_that_cannot_be_used(pair: Pair, others: dict[str, Any], message: str) -> None:
    assert refusal(settings(pair, **others)) == message


def test_a_name_with_two_certificates(pair: Pair) -> None:
    entry = f"a.example={pair.certfile}:{pair.keyfile}"
    said = refusal(settings(pair, sni=(entry, entry.replace("a.example", "A.example"))))
    assert said == "tls.sni: a.example has two certificates; remove one"


def test_a_key_openssl_finds_too_small(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weak")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    pem = serialization.Encoding.PEM
    made = builder.sign(key, hashes.SHA256()).public_bytes(pem)
    file = tmp_path / "weak.pem"
    plain = serialization.NoEncryption()
    file.write_bytes(made + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    said = refusal(TlsSettings(certfile=str(file)))
    assert said == f"tls.certfile: OpenSSL refuses {file}: ee key too small"


def test_every_file_is_known_once(pair: Pair) -> None:
    sni = ("a.example=/a.pem", f"b.example={pair.certfile}:/b.key")
    known = files_of(settings(pair, sni=sni, ca_certs="/ca.pem"))
    assert known == [str(pair.certfile), str(pair.keyfile), "/a.pem", "/b.key", "/ca.pem"]
