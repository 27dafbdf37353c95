"""The scope of a request: what the application sees of a request line, and what it never sees."""

from __future__ import annotations

from typing import Any

import pytest

from srvctl.logs.access.record import client_text
from srvctl.settings.groups.proxy import ProxySettings
from srvctl.worker.http.protocol import ProtocolError, RequestHead
from srvctl.worker.http.scope import ScopeMaker
from srvctl.worker.http.surroundings import Surroundings
from srvctl.worker.proxy.forwarding import Forwarding, ProxyPolicy

HOST = (b"host", b"sent.example")


def scope_of(
    target: bytes,
    *fields: tuple[bytes, bytes],
    method: str = "GET",
    root_path: str = "",
    version: str = "1.1",
    state: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return maker(root_path, state).make(RequestHead(method, target, version, [HOST, *fields]))


def maker(root_path: str = "", state: dict[str, Any] | None = None) -> ScopeMaker:
    around = Surroundings(
        client=("192.0.2.1", 4000), server=("192.0.2.2", 80), root_path=root_path, state=state
    )
    return ScopeMaker(around)


def test_a_whole_scope() -> None:
    """Every key of the HTTP connection scope, and no other."""
    assert scope_of(b"/a%20b?c=%20d", (b"x-one", b"1"), (b"x-one", b"2"), method="POST", version="1.0") == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.0",
        "method": "POST",
        "scheme": "http",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"c=%20d",
        "root_path": "",
        "headers": [HOST, (b"x-one", b"1"), (b"x-one", b"2")],
        "client": ("192.0.2.1", 4000),
        "server": ("192.0.2.2", 80),
        "extensions": {},
    }


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        (b"/", "/", b"/", b""),
        (b"//a//b", "//a//b", b"//a//b", b""),
        (b"/a%2Fb", "/a/b", b"/a%2Fb", b""),
        (b"/a%2fb/../c", "/a/b/../c", b"/a%2fb/../c", b""),
        (b"/%C3%A4", "/\N{LATIN SMALL LETTER A WITH DIAERESIS}", b"/%C3%A4", b""),
        (b"/%ff%fe", "/\ufffd\ufffd", b"/%ff%fe", b""),
        (b"/%C3", "/\ufffd", b"/%C3", b""),
        (b"/%", "/%", b"/%", b""),
        (b"/%zz%4", "/%zz%4", b"/%zz%4", b""),
        (b"/%25%32%46", "/%2F", b"/%25%32%46", b""),
        (b"/%00%0d%0a", "/\0\r\n", b"/%00%0d%0a", b""),
        (b"/a+b", "/a+b", b"/a+b", b""),
        (b"/a?", "/a", b"/a", b""),
        (b"/a??b?c", "/a", b"/a", b"?b?c"),
        (b"/a?b%2Fc+d", "/a", b"/a", b"b%2Fc+d"),
        (b"/a%3Fb?c", "/a?b", b"/a%3Fb", b"c"),
        (b"/a%23b", "/a#b", b"/a%23b", b""),
        (b"/a;b=c", "/a;b=c", b"/a;b=c", b""),
    ],
)
def test_origin_form(target: bytes, path: str, raw_path: bytes, query: bytes) -> None:
    """RFC 9112 section 3.2.1; the path is decoded once, the raw path and the query never."""
    scope = scope_of(target)
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, raw_path, query)


@pytest.mark.parametrize(
    ("target", "host", "path", "query"),
    [
        (b"http://a.example/b?c", b"a.example", "/b", b"c"),
        (b"HTTPS://a.example:444/%2Fb", b"a.example:444", "//b", b""),
        (b"http://a.example", b"a.example", "/", b""),
        (b"http://a.example?b/c", b"a.example", "/", b"b/c"),
        (b"http://[::1]:80/x://y", b"[::1]:80", "/x://y", b""),
    ],
)
def test_absolute_form(target: bytes, host: bytes, path: str, query: bytes) -> None:
    """RFC 9112 section 3.2.2: its authority takes the place of every Host sent beside it."""
    scope = scope_of(target, (b"x", b"y"))
    assert (scope["path"], scope["query_string"]) == (path, query)
    assert scope["raw_path"].startswith(b"/")
    assert scope["headers"] == [(b"host", host), (b"x", b"y")]
    assert scope["scheme"] == "http"


def test_asterisk_form() -> None:
    """RFC 9112 section 3.2.4: only for OPTIONS."""
    assert scope_of(b"*", method="OPTIONS")["path"] == "*"
    with pytest.raises(ProtocolError):
        scope_of(b"*", method="GET")


@pytest.mark.parametrize(
    "target",
    [
        b"/a#b",
        b"/?a#b",
        b"#",
        b"http://a.example/#b",
        b"/\xc3\xa4",
        b"/?\xff",
        b"*/",
        b"a.example:80",
        b"a",
        b"?a",
        b"http:/a",
        b"http://",
        b"http:///a",
        b"http://?a",
        b"ftp://a.example/",
        b"://a/",
        b"http://user@a.example/",
        b"http://user:secret@a.example/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_targets_that_are_refused(target: bytes, method: str) -> None:
    """400, whoever asks."""
    with pytest.raises(ProtocolError) as refused:
        scope_of(target, method=method)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "authority", [b"a:b", b"a:1:2", b"a%zz", b"[::1", b"]", b"a[b", b'a"b', b"a<b", b"a\\b", b"a#b"]
)
def test_an_authority_is_as_valid_as_a_host(authority: bytes) -> None:
    """It becomes the Host, so what is refused there must be refused here (RFC 9112 section 3.2)."""
    with pytest.raises(ProtocolError):
        scope_of(b"http://" + authority + b"/")


def test_the_root_path_is_in_front() -> None:
    """ASGI 2.3: the path begins with the root path."""
    scope = scope_of(b"/a%2Fb?c", root_path="/api")
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/api", "/api/a/b", b"/api/a%2Fb")
    assert scope["query_string"] == b"c"


def test_requests_share_nothing_that_can_be_changed() -> None:
    """Neither with each other nor with what comes after."""
    shared = ["kept"]
    state = {"pool": shared}
    scopes, head = maker(state=state), RequestHead("GET", b"/", "1.1", [HOST])

    def next_scope() -> dict[str, Any]:
        return scopes.make(head)

    first = next_scope()
    first["asgi"]["spoilt"] = True
    first["headers"].append((b"spoilt", b"1"))
    first["state"]["spoilt"] = True
    first["spoilt"] = True
    first["extensions"]["spoilt"] = {}
    second = next_scope()
    assert second == scope_of(b"/", state=state)
    assert second["state"]["pool"] is shared, "the copy is shallow"
    assert state == {"pool": shared}
    ours = [value for value in first.values() if isinstance(value, (dict, list, set))]
    assert not any(mine is theirs for mine in ours for theirs in second.values())


def test_state_is_there_only_if_there_is_a_lifespan() -> None:
    """ASGI lifespan: servers that support it pass a state."""
    assert "state" not in scope_of(b"/")
    assert scope_of(b"/", state={})["state"] == {}


def test_what_is_remembered_of_a_target_changes_no_other_request() -> None:
    """Each is what it would be on a connection of its own."""
    scopes = maker("/api")
    seen = []
    requests = [
        ("GET", b"/a?b", "1.1"),
        ("GET", b"/a?b", "1.1"),
        ("POST", b"/a?b", "1.0"),
        ("GET", b"/a%2Fb", "1.1"),
        ("GET", b"http://h/a", "1.1"),
        ("GET", b"http://h/a", "1.1"),
        ("GET", b"/a", "1.1"),
        ("OPTIONS", b"*", "1.1"),
        ("GET", b"/a", "1.1"),
    ]
    for method, target, version in requests:
        head = RequestHead(method, target, version, [HOST])
        seen.append(scopes.make(head))
        with pytest.raises(ProtocolError):
            scopes.make(RequestHead(method, target + b"#", version, [HOST]))
        seen.append(scopes.make(head))
    alone = [
        scope_of(target, method=method, version=version, root_path="/api")
        for method, target, version in requests
    ]
    assert seen == [scope for one in alone for scope in (one, one)]


def test_an_asterisk_is_not_remembered() -> None:
    """RFC 9112 section 3.2.4: only for OPTIONS, whatever came before."""
    scopes = maker()
    scopes.make(RequestHead("OPTIONS", b"*", "1.1", [HOST]))
    with pytest.raises(ProtocolError):
        scopes.make(RequestHead("GET", b"*", "1.1", [HOST]))


def test_extensions_are_those_of_each_request() -> None:
    """HTTP/1.0 knows no interim responses, and trailers are for clients that ask; whoever asked before."""
    names = [f"http.response.{name}" for name in ("early_hint", "trailers", "pathsend")]
    scopes = ScopeMaker(Surroundings(extensions={name: {} for name in names}))

    def extensions(version: str, *, takes_trailers: bool) -> list[str]:
        head = RequestHead("GET", b"/", version, [HOST], takes_trailers=takes_trailers)
        return list(scopes.make(head)["extensions"])

    for _ in range(2):
        assert extensions("1.1", takes_trailers=True) == names
        assert extensions("1.1", takes_trailers=False) == [names[0], names[2]]
        assert extensions("1.0", takes_trailers=False) == [names[2]]
        assert extensions("1.0", takes_trailers=True) == [names[2]]
        assert extensions("1.1", takes_trailers=False) == [names[0], names[2]]


def test_what_the_access_log_shows_is_of_the_last_request() -> None:
    """Each request of a proxy may be of another client, at another address of ours."""
    policy = ProxyPolicy(ProxySettings(forwarded_allow_ips=("192.0.2.1",)))
    forwarding = Forwarding.for_peer(policy, "192.0.2.1", is_unix=False)
    scopes = ScopeMaker(Surroundings(client=("192.0.2.1", 4000), forwarding=forwarding))
    seen = []
    for client in (b"203.0.113.7", b"203.0.113.7", b"", b"203.0.113.8", b""):
        fields = [(b"x-forwarded-for", client), (b"x-forwarded-proto", b"https")] if client else []
        scope = scopes.make(RequestHead("GET", b"/" + client, "1.1", [HOST, *fields]))
        seen.append((scopes.client_text, scopes.scheme, scopes.log_target))
        assert scopes.client_text == client_text(scope["client"])
    assert [(text.partition(":")[0], scheme, target) for text, scheme, target in seen] == [
        ("203.0.113.7", "https", b"/203.0.113.7"),
        ("203.0.113.7", "https", b"/203.0.113.7"),
        ("192.0.2.1", "http", b"/"),
        ("203.0.113.8", "https", b"/203.0.113.8"),
        ("192.0.2.1", "http", b"/"),
    ]
