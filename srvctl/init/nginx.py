"""A site of nginx in front of the service: what it says is that of ``configs/nginx/http.conf``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.init.plan import commented
from srvctl.settings.display import format_duration

if TYPE_CHECKING:
    from srvctl.init.plan import Plan

_ANY: Final = frozenset({"", "0.0.0.0", "::"})
#: Seconds that nginx closes an idle connection earlier than srvctl, which may else just have closed it.
_EARLIER: Final = 1.0
_SILENCE: Final = 60.0
_UNIX: Final = "unix"
#: nginx tries a request once with each server it knows. Kept connections to a worker that was killed may be
#: the first that it tries, so that one more would not do.
_TRIES: Final = 4


def files(plan: Plan) -> dict[str, str]:
    """Return the site."""
    settings = plan.settings
    variable = f"$connection_for_{plan.label.replace('-', '_')}"
    scheme = "https" if settings.tls.certfile is not None else "http"
    keep_alive = max(settings.timeouts.keep_alive - _EARLIER, _EARLIER)
    silence = max(_SILENCE, 2 * settings.ws.ping_interval)
    text = (
        commented(_head(plan))
        + f"""
upstream {plan.label} {{
    # nginx only repeats a request whose worker has died (a GET, never a POST) if there is another server.
{_servers(plan)}\
    keepalive 32;  # idle connections that each nginx worker keeps
    keepalive_timeout {format_duration(keep_alive)};  # less than timeouts.keep_alive: nginx closes first
}}

# For WebSockets, which ask for an upgrade of the connection; others keep it.
map $http_upgrade {variable} {{
    default upgrade;
    ""      "";
}}

server {{
    listen 80;
    server_name _;
    client_max_body_size {settings.limits.request_body_size};  # limits.request_body_size; 0: no limit

    proxy_http_version 1.1;  # 1.0, the default of older versions, ends each connection
    proxy_set_header Connection {variable};  # the field that nginx sends by default would end it too
    proxy_set_header Upgrade $http_upgrade;
    proxy_read_timeout {format_duration(silence)};  # more than ws.ping_interval: silent WebSockets go on
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    large_client_header_buffers 4 16k;  # one line of a request head; the default is 8k
    proxy_buffer_size 16k;  # the whole head of a response; the default is 4k, and a larger one becomes a 502
    proxy_buffers 8 16k;

    # nginx takes in a request before it asks srvctl, and the response as fast as srvctl gives it: slow
    # clients are nginx's. A response that is to be passed on piece by piece says X-Accel-Buffering: no.
    location / {{
        proxy_pass {scheme}://{plan.label};
    }}
}}
"""
    )
    return {f"{plan.label}.conf": text}


def _head(plan: Plan) -> list[str]:
    trusted = plan.settings.proxy.forwarded_allow_ips
    lines = [f"For /etc/nginx/conf.d/{plan.label}.conf; then: nginx -t && nginx -s reload"]
    if plan.unix and not {_UNIX, "*"} & set(trusted):
        lines.append("srvctl needs --forwarded-allow-ips unix, or it does not believe who the client is.")
    if plan.settings.proxy.style == "forwarded":
        lines.append("proxy.style is forwarded, which nginx does not send: use x-forwarded.")
    if plan.settings.proxy.protocol == "on":
        lines.append("proxy.protocol is on, which is for stream servers of nginx: turn it off.")
    return lines


def _servers(plan: Plan) -> str:
    places = [f"unix:{bind.path}" for bind in plan.unix]
    for bind in plan.tcp:
        host = "127.0.0.1" if bind.host in _ANY else bind.host
        places.append(f"{f'[{host}]' if ':' in host else host}:{bind.port or plan.port}")
    places = places or [f"127.0.0.1:{plan.port}"]  # of a socket that somebody else has made
    if len(places) == 1:
        places *= _TRIES
    return "".join(f'    server "{place}" max_fails=0;\n' for place in places)
