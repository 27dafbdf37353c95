"""What a connection asks for its requests, and what the scope becomes."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from srvctl.settings.groups.proxy import ProxySettings
from srvctl.worker.proxy.forwarding import Forwarding, ProxyPolicy, is_imitation, without_imitations

ALL = ("for,proto", "host,port,prefix")
HOST = (b"host", b"inner:8000")


def forwarding(
    host: str | None = "127.0.0.1",
    *,
    is_unix: bool = False,
    fields: tuple[str, ...] = ALL,
    trusted: tuple[str, ...] = ("127.0.0.1", "::1"),
    style: Literal["x-forwarded", "forwarded"] = "x-forwarded",
    headers: bool = True,
) -> Forwarding | None:
    policy = ProxyPolicy(
        ProxySettings(headers=headers, forwarded_allow_ips=trusted, style=style, fields=fields)
    )
    return Forwarding.for_peer(policy, host, is_unix=is_unix)


def scope_of(*fields: tuple[bytes, bytes], **changed: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "client": ("127.0.0.1", 4000),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "root_path": "",
        "path": "/\xe4",
        "raw_path": b"/%C3%A4",
        "headers": list(fields),
        **changed,
    }


def applied(*fields: tuple[bytes, bytes], settings: tuple[str, ...] = ALL, **changed: Any) -> dict[str, Any]:
    """What became different."""
    object_ = forwarding(fields=settings)
    assert object_ is not None
    scope = scope_of(*fields, **changed)
    before, headers = scope.copy(), scope["headers"].copy()
    object_.apply(scope)
    assert before["headers"] == headers, "headers are never changed in place"
    return {key: value for key, value in scope.items() if value != before[key]}


class TestPeers:
    def test_only_trusted_peers_have_one(self) -> None:
        assert forwarding("127.0.0.1") is not None
        assert forwarding("203.0.113.7") is None
        assert forwarding(None) is None
        assert forwarding(None, is_unix=True) is None
        assert forwarding(None, is_unix=True, trusted=("unix",)) is not None
        assert forwarding("203.0.113.7", trusted=("*",)) is not None

    def test_without_headers_to_believe_nobody_has_one(self) -> None:
        assert forwarding(headers=False) is None
        assert forwarding(fields=()) is None
        assert forwarding(fields=("port", "prefix"), style="forwarded") is None

    def test_settings_that_were_not_checked(self) -> None:
        with pytest.raises(ValueError, match='"x" is not an IP address'):
            forwarding(trusted=("x",))
        with pytest.raises(ValueError, match="is not one of for, "):
            forwarding(fields=("x",))

    def test_the_policy_says_whether_a_proxy_header_comes(self) -> None:
        assert not ProxyPolicy(ProxySettings()).is_protocol_expected
        assert ProxyPolicy(ProxySettings(protocol="on")).is_protocol_expected


class TestScope:
    def test_without_forwarding_fields_nothing_changes(self) -> None:
        assert applied(HOST, (b"x-forwarded", b"1"), (b"x-real-ip", b"1.2.3.4")) == {}

    def test_client_and_scheme(self) -> None:
        fields = (b"x-forwarded-for", b"203.0.113.7:9"), (b"x-forwarded-proto", b"https")
        assert applied(HOST, *fields) == {"client": ("203.0.113.7", 9), "scheme": "https"}
        assert applied(HOST, *fields, client=None, type="websocket", scheme="ws") == {
            "client": ("203.0.113.7", 9),
            "scheme": "wss",
        }

    def test_only_one_family_is_believed(self) -> None:
        assert applied(HOST, (b"forwarded", b"for=203.0.113.7")) == {}
        other = forwarding(style="forwarded")
        assert other is not None
        scope = scope_of((b"x-forwarded-for", b"192.0.2.9"), (b"forwarded", b"for=203.0.113.7"))
        other.apply(scope)
        assert scope["client"] == ("203.0.113.7", 0)

    def test_by_default_host_port_and_prefix_are_not_believed(self) -> None:
        fields = [(b"x-forwarded-" + name, value) for name, value in EXTRA.items()]
        assert applied(HOST, *fields, settings=ProxySettings().fields) == {}

    @pytest.mark.parametrize(
        ("fields", "host", "server"),
        [
            ({"host": b"a.example"}, b"a.example", ("a.example", 80)),
            ({"host": b"a.example", "proto": b"https"}, b"a.example", ("a.example", 443)),
            ({"host": b"a.example:81"}, b"a.example:81", ("a.example", 81)),
            ({"host": b"[2001:db8::1]:81"}, b"[2001:db8::1]:81", ("2001:db8::1", 81)),
            ({"host": b"[2001:db8::1]"}, b"[2001:db8::1]", ("2001:db8::1", 80)),
            ({"host": b"a.example:81", "port": b"82"}, b"a.example:82", ("a.example", 82)),
            ({"host": b"a.example", "port": b"443", "proto": b"https"}, b"a.example", ("a.example", 443)),
            ({"host": b"a.example:81", "port": b"80"}, b"a.example", ("a.example", 80)),
            ({"port": b"8443", "proto": b"https"}, b"inner:8443", ("inner", 8443)),
            ({"port": b"443", "proto": b"https"}, b"inner", ("inner", 443)),
        ],
    )
    def test_host_and_server_agree(
        self, fields: dict[str, bytes], host: bytes, server: tuple[str, int]
    ) -> None:
        sent = [(b"x-forwarded-" + name.encode(), value) for name, value in fields.items()]
        changed = applied((b"a", b"1"), HOST, *sent)
        assert changed["headers"] == [(b"host", host), (b"a", b"1"), *sent]
        assert changed["server"] == server

    def test_a_port_beside_any_bytes_for_a_host(self) -> None:
        """Whether Host is valid is not judged here."""
        changed = applied((b"host", b"\x80:x"), (b"x-forwarded-port", b"81"))
        assert changed["server"] == ("\x80", 81)

    @pytest.mark.parametrize("fields", [(), ((b"host", b""),)])
    def test_a_port_without_a_host(self, fields: tuple[tuple[bytes, bytes], ...]) -> None:
        port = (b"x-forwarded-port", b"8443")
        assert applied(*fields, port) == {"server": ("127.0.0.1", 8443)}
        assert applied(*fields, port, server=("/run/a.sock", None)) == {}
        assert applied(*fields, port, server=None) == {}

    def test_the_prefix_is_outside_of_the_root_path(self) -> None:
        changed = applied(
            (b"x-forwarded-prefix", b"/caf%C3%A9/"), root_path="/r", path="/r/x", raw_path=b"/r/x"
        )
        assert changed == {
            "root_path": "/caf\xe9/r",
            "path": "/caf\xe9/r/x",
            "raw_path": b"/caf%C3%A9/r/x",
        }
        assert applied((b"x-forwarded-prefix", b"/")) == {}

    def test_what_is_wrong_changes_nothing(self) -> None:
        names = (b"for", b"proto", b"host", b"port", b"prefix")
        assert applied(HOST, *((b"x-forwarded-" + name, b"?") for name in names)) == {}


EXTRA = {b"host": b"evil.example", b"port": b"1", b"prefix": b"/evil"}


class TestMemory:
    def test_each_request_has_its_own_view(self) -> None:
        """What the last one said is kept, but never given to one that says something else."""
        object_ = forwarding()
        assert object_ is not None

        def client(*values: bytes) -> Any:
            scope = scope_of(*((b"x-forwarded-for", value) for value in values))
            object_.apply(scope)
            return scope["client"][0]

        assert client(b"203.0.113.7") == "203.0.113.7"
        assert client(b"203.0.113.7") == "203.0.113.7"
        assert client() == "127.0.0.1"
        assert client(b"203.0.113.8") == "203.0.113.8"
        assert client(b"203.0.113.8", b"203.0.113.7") == "203.0.113.7"
        assert client(b"203.0.113.7") == "203.0.113.7"
        assert client(b"?") == "127.0.0.1"

    def test_port_and_prefix_belong_to_the_request(self) -> None:
        object_ = forwarding()
        assert object_ is not None
        fields = (b"x-forwarded-port", b"81"), (b"x-forwarded-prefix", b"/p")
        for name in (b"a", b"b"):
            scope = scope_of((b"host", name), *fields, path="/" + name.decode())
            object_.apply(scope)
            assert (scope["headers"][0][1], scope["path"]) == (name + b":81", "/p/" + name.decode())


class TestImitations:
    @pytest.mark.parametrize(
        "name",
        [
            b"x_forwarded_for",
            b"x_forwarded-proto",
            b"x-forwarded_host",
            b"x_forwarded_whatever",
            b"x_real_ip",
            b"x-real_ip",
            b"x_request_id",
            b"x-request_id",
        ],
    )
    def test_are_dropped(self, name: bytes) -> None:
        headers = [HOST, (name, b"1"), (b"a_b", b"2"), (name, b"3")]
        assert without_imitations(headers) == [HOST, (b"a_b", b"2")]
        assert len(headers) == 4
        assert is_imitation(name)

    @pytest.mark.parametrize(
        "name",
        [b"a_b", b"forwarded", b"x-forwarded-for", b"x-request-id", b"_forwarded", b"x__forwarded_for"],
    )
    def test_other_names_stay(self, name: bytes) -> None:
        headers = [HOST, (name, b"1")]
        assert without_imitations(headers) is headers
        assert not is_imitation(name)
