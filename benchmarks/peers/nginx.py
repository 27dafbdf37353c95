"""Become an nginx with one worker that answers ``return 200``: ``python -m benchmarks.peers.nginx PORT``.

What a server that runs no Python at all takes for the same response.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.apps.bare import HELLO

#: Debian keeps it where only root looks.
PATH: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])

_CONFIGURATION: Final = """
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    default_type text/plain;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 "{text}"; }}
    }}
}}
"""


def find() -> str | None:
    """Return the path of nginx, or None."""
    return shutil.which("nginx", path=PATH)


def main(port: int) -> None:
    """Write a configuration and run nginx in this process's place."""
    program = find()
    if program is None:
        raise SystemExit("nginx is not installed.")
    directory = tempfile.mkdtemp(prefix="srvctl-bench-nginx-")
    configuration = Path(directory, "nginx.conf")
    text = _CONFIGURATION.format(directory=directory, port=port, text=HELLO.decode())
    configuration.write_text(text, encoding="utf-8")
    os.execv(program, [program, "-p", directory, "-c", str(configuration), "-e", f"{directory}/error.log"])


if __name__ == "__main__":
    main(int(sys.argv[1]))
