"""Whatever a client writes into forwarding fields, it is believed no further than trust reaches."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from srvctl.settings.groups.proxy import ProxySettings
from srvctl.settings.trusted import ForwardedField
from srvctl.worker.proxy.forwarded import Forwarded, parse_element, split_from_right
from srvctl.worker.proxy.forwarding import Forwarding, ProxyPolicy, is_imitation, without_imitations
from srvctl.worker.proxy.node import pack, read_node
from srvctl.worker.proxy.trust import Trust
from srvctl.worker.proxy.walk import split_from_right as split_plain
from srvctl.worker.proxy.walk import walk
from srvctl.worker.proxy.xforwarded import XForwarded

FIELDS: tuple[ForwardedField, ...] = get_args(ForwardedField)
TRUST = Trust(["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48", "_edge"])

trusted = st.sampled_from(
    ["127.0.0.1", "10.0.0.1", "10.9.9.9:80", "[2001:db8:1::5]:1", "2001:db8:1::6", "_edge"]
)
strangers = st.one_of(
    st.ip_addresses(v=4).map(str).filter(lambda host: not TRUST.match(host, pack(host))),
    # What is mapped is IPv4 here, and to uvicorn another address.
    st.ip_addresses(v=6)
    .map(str)
    .filter(lambda host: len(pack(host)) == 16 and not TRUST.match(host, pack(host))),
    st.sampled_from(["203.0.113.7:4000", "[2001:db8:2::1]:443", "[2001:db8:2::2]", "unknown", "_hidden"]),
)
garbage = st.text(st.characters(max_codepoint=255, exclude_characters=",")).filter(
    lambda text: read_node(text.strip(" \t")) is None
)
anything = st.text(st.characters(max_codepoint=255), max_size=60)
alphabet = st.text('for=",;\\ 10.:[]_a', max_size=40)


@given(st.lists(st.one_of(trusted, strangers, garbage)), st.one_of(strangers, garbage), st.lists(trusted))
def test_nothing_left_of_whom_is_not_trusted_counts(left: list[str], end: str, right: list[str]) -> None:
    """The walk is the same with and without what is left of its end."""
    whole = walk(split_plain(",".join([*left, end, *right])), read_node, TRUST)
    assert whole == walk(split_plain(",".join([end, *right])), read_node, TRUST)
    assert whole[1] == len(right)
    node = read_node(end.strip(" \t"))
    nearest = read_node(right[0]) if right else None
    assert whole[0] == (node[0] if node else nearest[0] if nearest else None)


@given(st.lists(trusted, min_size=1))
def test_with_everyone_trusted_the_left_most_is_the_client(hops: list[str]) -> None:
    first = read_node(hops[0])
    assert first is not None
    assert walk(split_plain(", ".join(hops)), read_node, TRUST) == (first[0], len(hops) - 1)


@given(st.one_of(anything, alphabet), st.one_of(anything, alphabet))
@example('for="', "")
@example("for=\\", '"')
def test_whatever_a_client_writes_the_proxys_element_is_read(evil: str, more: str) -> None:
    """As long as the proxy's own is well-formed."""
    honest = 'for="[2001:db8:2::1]:9";proto=https;x="a,\\"b\\\\"'
    found = [(b"forwarded", text.encode("latin-1")) for text in (f"{evil},{more}", f"{evil}, {honest}")]
    view = Forwarded(TRUST, FIELDS).read(found)
    assert view == (("2001:db8:2::1", 9), "https", None, None, None)


tokens = st.text("abc.-_", min_size=1, max_size=5)
strings = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)


def written(parameters: dict[str, str]) -> str:
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in parameters.items())
    return ";".join(f'{name}="{value}"' for name, value in escaped)


@given(st.lists(st.dictionaries(tokens, strings, min_size=1), max_size=6))
def test_what_is_well_formed_is_read_back(elements: list[dict[str, str]]) -> None:
    text = " ,\t".join(map(written, elements))
    assert [parse_element(element) for element in split_from_right(text)] == elements[::-1]


@given(
    st.lists(
        st.tuples(st.sampled_from([*(f"x-forwarded-{f}" for f in FIELDS), "forwarded", "host"]), anything)
    ),
    st.sampled_from(["x-forwarded", "forwarded"]),
    st.lists(st.sampled_from(["127.0.0.1", "10.0.0.0/8", "*"]), max_size=3),
)
def test_any_fields_make_a_scope(fields: list[tuple[str, str]], style: Any, allowed: list[str]) -> None:
    """Nothing raises, and what comes out has the types that ASGI wants."""
    policy = ProxyPolicy(ProxySettings(style=style, fields=FIELDS, forwarded_allow_ips=(*allowed, "::1")))
    forwarding = Forwarding.for_peer(policy, "::1", is_unix=False)
    assert forwarding is not None
    scope: dict[str, Any] = {
        "type": "http",
        "client": ("::1", 1),
        "server": ("::1", 80),
        "scheme": "http",
        "root_path": "/r",
        "path": "/r/p",
        "raw_path": b"/r/p",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields],
    }
    explained = {**scope, "headers": scope["headers"].copy()}
    forwarding.apply(scope)
    steps: list[str] = []
    forwarding.apply(explained, steps)
    assert explained == scope
    assert all(step.isprintable() for step in steps)
    assert scope["scheme"] in {"http", "https"}
    for host, port in (scope["client"], scope["server"]):
        assert isinstance(host, str)
        assert host
        assert 0 <= port <= 65535
    assert scope["path"] == scope["root_path"] + "/p"
    assert scope["root_path"].endswith("/r")
    assert not scope["root_path"].startswith("//")


@given(st.lists(st.tuples(st.text("x-_forwarde", max_size=16).map(str.encode), st.just(b""))))
def test_only_imitations_are_dropped(headers: list[tuple[bytes, bytes]]) -> None:
    assert without_imitations(headers) == [field for field in headers if not is_imitation(field[0])]


@given(
    st.lists(st.one_of(trusted, strangers), min_size=1),
    st.sets(st.integers(0, 20)),
    st.lists(st.sampled_from(["http", "https", "ws", "wss", "ftp", ""]), max_size=2),
    st.sampled_from([["127.0.0.1", "::1"], ["10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1"], ["*"]]),
    st.booleans(),
)
def test_client_and_scheme_are_those_of_uvicorn(
    hops: list[str], cuts: set[int], protos: list[str], allowed: list[str], is_websocket: bool
) -> None:
    """With the default fields, for whatever proxies write; tests/unit has what differs on purpose."""
    peers = pytest.importorskip("uvicorn.middleware.proxy_headers", reason="uvicorn is in the group bench")
    if len(protos) > 1:
        hops = hops[-1:]  # of several, uvicorn takes the last, and we the one of the hop that was reached
    fields: list[list[str]] = [[]]
    for index, hop in enumerate(hops):
        if index in cuts and fields[-1]:
            fields.append([])
        fields[-1].append(hop)
    headers = [(b"x-forwarded-for", ", ".join(field).encode()) for field in fields]
    headers += [(b"x-forwarded-proto", proto.encode()) for proto in protos]
    type_ = "websocket" if is_websocket else "http"
    theirs = {
        "type": type_,
        "client": ("127.0.0.1", 1),
        "scheme": "ws" if is_websocket else "http",
        "headers": headers,
    }
    ours = theirs.copy()

    async def app(*_: Any) -> None:
        pass

    with pytest.raises(StopIteration):
        peers.ProxyHeadersMiddleware(app, allowed)(theirs, None, None).send(None)
    policy = ProxyPolicy(ProxySettings(forwarded_allow_ips=tuple(allowed)))
    forwarding = Forwarding.for_peer(policy, "127.0.0.1", is_unix=False)
    if forwarding is not None:
        forwarding.apply(ours)
    if not is_websocket:  # uvicorn lets ws and wss stand in a scope of HTTP
        theirs["scheme"] = str(theirs["scheme"]).replace("ws", "http")
    assert ours == theirs


@given(st.lists(st.tuples(st.sampled_from(FIELDS), anything), min_size=1))
def test_the_reader_of_x_forwarded_raises_nothing(fields: list[tuple[ForwardedField, str]]) -> None:
    found = [(b"x-forwarded-" + name.encode(), value.encode("latin-1")) for name, value in fields]
    XForwarded(TRUST, FIELDS).read(found)
