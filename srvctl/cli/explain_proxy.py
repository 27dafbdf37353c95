"""What ``srvctl explain-proxy`` prints: what a request becomes by its forwarding fields, and why.

The decision is `srvctl.worker.proxy`'s, the very code that serves; only the words about what it never looks
at are made here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from srvctl.errors import UsageError
from srvctl.settings.checks import check_header
from srvctl.settings.trusted import FIELDS, UNIX
from srvctl.worker.proxy.claims import quoted
from srvctl.worker.proxy.forwarding import Forwarding, ProxyPolicy, is_imitation, without_imitations
from srvctl.worker.proxy.node import read_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srvctl.settings.groups import Settings
    from srvctl.worker.http.protocol import Headers

Address = tuple[str, int] | None
_SCHEMES: Final = ("http", "https")
_FAMILY: Final = "x-forwarded-"


@dataclass(frozen=True, slots=True)
class Question:
    """A request, as it reaches srvctl.

    Attributes:
        peer: Who sends it; None for a peer on a Unix socket.
        headers: Names in lower case.
        scheme: ``http`` or ``https``.
        path: Encoded, without a query.
    """

    peer: Address
    headers: Headers
    scheme: str
    path: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the application sees, and the reasons.

    Attributes:
        seen: By name; the keys of the scope and ``host``, the field.
        steps: One sentence each.
    """

    seen: dict[str, Any]
    steps: list[str]


def read_question(peer: str, fields: Sequence[str], scheme: str, path: str) -> Question:
    """Return what the command line asks.

    Raises:
        UsageError: A part of it is none.
    """
    node = None if peer == UNIX else read_node(peer)
    if peer != UNIX and (node is None or not node[1]):
        raise UsageError(f"--from: {quoted(peer)} is not an IP address; write IP, IP:PORT or unix")
    if scheme not in _SCHEMES:
        raise UsageError(f"--scheme: {quoted(scheme)} is neither http nor https")
    if not path.startswith("/") or not path.isascii() or not path.isprintable():
        raise UsageError(f"--path: {quoted(path)} is not a path; write for example /a/b")
    return Question(node[0] if node else None, [_read_field(line) for line in fields], scheme, path)


def explain(settings: Settings, question: Question) -> Answer:
    """Return what becomes of a request under these settings."""
    policy = ProxyPolicy(settings.proxy)
    root_path = settings.app.root_path
    headers = without_imitations(question.headers)
    scope: dict[str, Any] = {
        "type": "http",
        "client": question.peer,
        "scheme": question.scheme,
        "server": (settings.server.host, settings.server.port),
        "root_path": root_path,
        "path": root_path + unquote(question.path),
        "raw_path": (root_path + question.path).encode(),
        "headers": headers,
    }
    host, is_unix = (question.peer[0], False) if question.peer else (None, True)
    steps = [
        f"{_shown(name)} is dropped: it imitates a forwarding field"
        for name, _ in question.headers
        if is_imitation(name)
    ]
    steps.append(_judged_peer(policy, host))
    if policy.is_protocol_expected:
        steps.append(
            "proxy.protocol is on: the peer is the source that the PROXY header names; "
            "whoever sends that header must be trusted, too"
        )
    forwarding = Forwarding.for_peer(policy, host, is_unix=is_unix)
    if forwarding is not None:
        forwarding.apply(scope, steps)
        steps.extend(_ignored(policy, headers))
    elif not settings.proxy.headers:
        steps.append("proxy.headers is off: no header changes anything")
    elif policy.style is None:
        steps.append("proxy.fields names nothing that this style has: no header changes anything")
    host_field = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), None)
    seen = {key: scope[key] for key in ("client", "scheme", "server", "root_path", "path")}
    return Answer({**seen, "host": host_field}, steps)


def as_text(answer: Answer) -> str:
    """Return two aligned columns, and the reasons below."""
    rows = [f"{name:10} {_printed(value)}" for name, value in answer.seen.items()]
    return "\n".join([*rows, "", *(f"- {step}" for step in answer.steps)])


def as_json(answer: Answer) -> str:
    """Return one object; addresses are lists of host and port."""
    return json.dumps({**answer.seen, "steps": answer.steps}, indent=2)


def _read_field(line: str) -> tuple[bytes, bytes]:
    try:
        check_header(line)
        name, _, value = line.partition(":")
        return name.lower().encode(), value.strip(" \t").encode("latin-1")
    except UnicodeEncodeError:
        raise UsageError(f"-H: {quoted(line)} holds a character that no header can hold") from None
    except ValueError as error:
        raise UsageError(f"-H: {quoted(line)} {error}") from None


def _judged_peer(policy: ProxyPolicy, host: str | None) -> str:
    name = "the peer, on a Unix socket," if host is None else f"the peer {host}"
    matched = policy.trust.match_peer(host, is_unix=host is None)
    if matched is not None:
        return f"{name} is trusted: matches {matched}"
    return f"{name} is not trusted, matches nothing in proxy.forwarded_allow_ips: " + (
        "its connection is refused" if policy.is_protocol_expected else "its headers change nothing"
    )


def _ignored(policy: ProxyPolicy, headers: Headers) -> list[str]:
    """Return why fields that look like it are not read, each once."""
    reasons: dict[str, str] = {}
    for raw_name, _ in headers:
        name = raw_name.decode("latin-1")
        if policy.style is None or raw_name in policy.style.names:
            continue
        if name == "forwarded" or (name.startswith(_FAMILY) and policy.style_name == "forwarded"):
            is_other = name != "forwarded" or policy.style_name != "forwarded"
            reasons[name] = f'proxy.style is "{policy.style_name}"' if is_other else "no parameter is read"
        elif name.startswith(_FAMILY):
            field = name.removeprefix(_FAMILY)
            is_known = field in FIELDS
            reasons[name] = f'"{field}" is not in proxy.fields' if is_known else "srvctl does not read it"
        elif name == "x-real-ip":
            reasons[name] = "srvctl does not read it"
    return [f"{_shown(name.encode())} is ignored: {reason}" for name, reason in reasons.items()]


def _shown(name: bytes) -> str:
    return name.decode("latin-1").title()


def _printed(value: object) -> str:
    match value:
        case None:
            return "none"
        case "":
            return '""'
        case (str(host), int(port)):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            return str(value)
