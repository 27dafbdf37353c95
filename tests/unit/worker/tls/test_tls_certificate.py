"""What is read from a certificate, against another implementation."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from srvctl.worker.tls.certificate import first_certificate, read_certificate

KEY = ec.generate_private_key(ec.SECP256R1())
START = datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC)
COUNTRY, UID, EMAIL = NameOID.COUNTRY_NAME, NameOID.USER_ID, NameOID.EMAIL_ADDRESS
_ASN1 = x509.name._ASN1Type


def der(
    *parts: list[x509.NameAttribute[str]] | x509.NameAttribute[str],
    serial: int = 0x1234,
    until: datetime = START + timedelta(days=365),
) -> bytes:
    """Make a certificate for a subject of these parts; a list is one part of several."""
    subject = x509.Name(
        [x509.RelativeDistinguishedName(part if isinstance(part, list) else [part]) for part in parts]
    )
    builder = x509.CertificateBuilder(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")]),
        subject,
        KEY.public_key(),
        serial,
        START,
        until,
    )
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def attribute(
    oid: x509.ObjectIdentifier, value: str, kind: x509.name._ASN1Type | None = None
) -> x509.NameAttribute[str]:
    return x509.NameAttribute(oid, value, kind, _validate=False)


def cn(value: str, kind: x509.name._ASN1Type | None = None) -> x509.NameAttribute[str]:
    return attribute(NameOID.COMMON_NAME, value, kind)


def test_serial_and_validity() -> None:
    certificate = read_certificate(der(cn("a"), serial=0xDEADBEEF00))
    assert certificate.serial == "DEADBEEF00"
    assert certificate.not_before == START
    assert certificate.not_after == START + timedelta(days=365)


@pytest.mark.parametrize("year", [2049, 2050, 2999])
def test_years_of_two_digits_and_of_four(year: int) -> None:
    """RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on."""
    until = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert read_certificate(der(cn("a"), until=until)).not_after == until


@pytest.mark.parametrize(
    ("parts", "written"),
    [
        ([], ""),
        ([cn("alice")], "CN=alice"),
        ([attribute(COUNTRY, "DE"), attribute(NameOID.ORGANIZATION_NAME, "Ä"), cn("a")], "CN=a,O=Ä,C=DE"),
        (
            [attribute(NameOID.DOMAIN_COMPONENT, "net"), attribute(NameOID.DOMAIN_COMPONENT, "example")],
            "DC=example,DC=net",
        ),
        ([[attribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Sales"), cn("J.  Smith")]], "OU=Sales+CN=J.  Smith"),
        ([cn('James "Jim" Smith, III')], r"CN=James \"Jim\" Smith\, III"),
        ([cn(r"a+b;c<d>e\f=g")], r"CN=a\+b\;c\<d\>e\\f=g"),
        ([cn("#a")], r"CN=\#a"),
        ([cn(" a ")], r"CN=\ a\ "),
        ([cn(" ")], r"CN=\ "),
        ([cn("Before\rAfter")], r"CN=Before\0dAfter"),
        ([cn("a\x00b\u2028")], r"CN=a\00b\e2\80\a8"),
        (
            [attribute(EMAIL, "a@b.example", _ASN1.IA5String)],
            "1.2.840.113549.1.9.1=#160b6140622e6578616d706c65",
        ),
        ([attribute(x509.ObjectIdentifier("2.999.3"), "x" * 200)], "2.999.3=#0c81c8" + "78" * 200),
        ([cn("Grüße", _ASN1.BMPString)], "CN=Grüße"),
        ([cn("Grüße", _ASN1.T61String)], None),
        (
            [
                attribute(UID, "u1"),
                attribute(NameOID.STREET_ADDRESS, "s"),
                attribute(NameOID.LOCALITY_NAME, "l"),
            ],
            "L=l,STREET=s,UID=u1",
        ),
    ],
)
def test_a_subject_is_one_string(parts: list[x509.NameAttribute[str]], written: str | None) -> None:
    """The examples of RFC 4514 section 4 among them."""
    try:
        made = der(*parts)
    except (ValueError, TypeError):
        pytest.skip("cryptography does not make such a name")
    if written is not None:
        assert read_certificate(made).subject == written


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20),
        min_size=1,
        max_size=4,
    )
)
def test_subjects_are_written_as_another_implementation_writes_them(values: list[str]) -> None:
    kinds = [
        NameOID.COMMON_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.LOCALITY_NAME,
        NameOID.STATE_OR_PROVINCE_NAME,
    ]
    parts = [attribute(kind, value) for kind, value in zip(kinds, values, strict=False)]
    try:
        made = der(*parts)
    except ValueError:
        return
    expected = x509.load_der_x509_certificate(made).subject
    assert x509.Name.from_rfc4514_string(read_certificate(made).subject) == x509.Name.from_rfc4514_string(
        expected.rfc4514_string()
    )


@given(st.binary(max_size=80))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a certificate"):
        read_certificate(data)


@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_certificate_with_a_wrong_byte_is_read_or_refused(at: int, byte: int) -> None:
    """No other exception ever."""
    made = bytearray(GOOD)
    made[at % len(made)] = byte
    with contextlib.suppress(ValueError):
        read_certificate(bytes(made))


GOOD = der(cn("alice"), attribute(EMAIL, "a@b.example", _ASN1.IA5String))


def test_the_first_of_a_chain_is_the_certificate_itself() -> None:
    pem = x509.load_der_x509_certificate(GOOD).public_bytes(serialization.Encoding.PEM).decode()
    other = x509.load_der_x509_certificate(der(cn("ca"))).public_bytes(serialization.Encoding.PEM).decode()
    assert first_certificate(f"a comment\n{pem}\n{other}") == GOOD


@pytest.mark.parametrize(
    "text", ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA", "-----END CERTIFICATE-----"]
)
def test_a_file_without_a_certificate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no certificate"):
        first_certificate(text)
