"""The proxies that the tests run, each with a sample file of ``configs`` and the addresses of the test.

`front_proxy` knows what all of them have in common.
"""

from __future__ import annotations

import os
from pathlib import Path
from signal import SIGHUP, SIGUSR2
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.front_proxy import FrontProxy, Reloading, program, substituted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.server import ServerProcess

_STREAM_MODULE: Final = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
_SOCKET: Final = "/run/srvctl/main.sock"  #: where the sample files expect srvctl
NAMES: Final = ("nginx", "haproxy", "caddy")


def front(
    name: str, server: ServerProcess, folder: Path, changes: Mapping[str, str] | None = None
) -> FrontProxy:
    """Run a proxy by its name, with its sample for HTTP."""
    if name == "nginx":
        return nginx(server, "nginx/http.conf", folder, changes)
    if name == "haproxy":
        return haproxy(server, "haproxy/http.cfg", folder, changes)
    return caddy(server, folder, changes)


def nginx(
    server: ServerProcess, sample: str, folder: Path, changes: Mapping[str, str] | None = None
) -> FrontProxy:
    """Run nginx with a sample file in front of a server; skip the test where it is not installed.

    Args:
        server: What is behind it.
        sample: The file below ``configs``.
        folder: Where the file goes with the addresses of the test, and what nginx writes.
        changes: What else is changed in the sample: each key is there, and becomes its value.
    """
    command = program("nginx")
    is_stream = sample == "nginx/stream.conf"
    if is_stream and not _STREAM_MODULE.exists():
        pytest.skip("nginx's stream module is not installed")
    proxy = FrontProxy()
    where = f"unix:{server.path}" if server.path else f"127.0.0.1:{server.port}"
    port = "443" if is_stream else "80"
    replacements = {
        f"server unix:{_SOCKET}": f"server {where}",
        f"listen {port};": f"listen 127.0.0.1:{proxy.port};",
        **(changes or {}),
    }
    site = substituted(sample, replacements)
    temp = "\n".join(
        f"    {name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    own = [
        f"load_module {_STREAM_MODULE};" if is_stream else "",
        "user root;" if os.geteuid() == 0 else "",  # the server's Unix socket is in a folder of ours
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr info;",
        "events { worker_connections 512; }",
        site if is_stream else f"http {{\n    access_log off;\n{temp}\n{site}}}",
    ]
    file = folder / "nginx.conf"
    file.write_text("\n".join(own))
    inherited = f"{proxy.listener.fileno()};"  # as nginx hands its sockets to its own successor
    return proxy.start(
        [command, "-e", "stderr", "-p", str(folder), "-c", str(file)],
        {"NGINX": inherited},
        Reloading("worker process [0-9]+ exited with code 0", signal=SIGHUP),
    )


def haproxy(
    server: ServerProcess, sample: str, folder: Path, changes: Mapping[str, str] | None = None
) -> FrontProxy:
    """Run HAProxy with a sample file in front of a server; skip the test where it is not installed.

    Args:
        server: What is behind it.
        sample: The file below ``configs``.
        folder: Where the file goes with the addresses of the test.
        changes: What else is changed in the sample: each key is there, and becomes its value.
    """
    command = program("haproxy")
    proxy = FrontProxy(shares_port=True)
    where = f"unix@{server.path}" if server.path else f"127.0.0.1:{server.port}"
    port = "443" if sample == "haproxy/tcp.cfg" else "80"
    replacements = {
        f"unix@{_SOCKET}": where,
        f"bind :{port}": f"bind 127.0.0.1:{proxy.port}",
        **(changes or {}),
    }
    file = folder / "haproxy.cfg"
    file.write_text(substituted(sample, replacements))
    # With a master and a worker, as systemd runs it.
    return proxy.start(
        [command, "-W", "-db", "-f", str(file)],
        {},
        Reloading("Former worker .* exited", signal=SIGUSR2, serves="Loading success"),
    )


def caddy(server: ServerProcess, folder: Path, changes: Mapping[str, str] | None = None) -> FrontProxy:
    """Run Caddy with the sample file in front of a server; skip the test where it is not installed.

    Args:
        server: What is behind it.
        folder: Where the file goes with the addresses of the test, and all that Caddy keeps.
        changes: What else is changed in the sample: each key is there, and becomes its value.
    """
    command = program("caddy")
    proxy = FrontProxy(shares_port=True)
    where = f"unix/{server.path}" if server.path else f"127.0.0.1:{server.port}"
    replacements = {
        f"reverse_proxy unix/{_SOCKET}": f"reverse_proxy {where}",
        "\n:80 {": f"\nhttp://:{proxy.port} {{\n\tbind 127.0.0.1",
        **(changes or {}),
    }
    file = folder / "Caddyfile"
    text = substituted("caddy/Caddyfile", replacements)
    file.write_text(f"{{\n\tadmin unix/{folder}/admin\n}}\n{text}")
    homes = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    flags = ("--config", str(file), "--adapter", "caddyfile")
    reload = (command, "reload", "--force", "--address", f"unix/{folder}/admin", *flags)
    return proxy.start(
        [command, "run", *flags],
        homes,
        Reloading("load complete", command=reload, serves="serving initial configuration"),
    )
