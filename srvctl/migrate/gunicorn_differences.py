"""gunicorn's settings that srvctl has too, and what those mean that do not mean quite the same. Tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Taken as they are.
SAME: Final[Mapping[str, str]] = {
    "backlog": "server.backlog",
    "workers": "workers.count",
    "max_requests": "workers.max_requests",
    "max_requests_jitter": "workers.max_requests_jitter",
    "graceful_timeout": "timeouts.graceful_shutdown",
    "pidfile": "server.pid_file",
    "user": "workers.user",
    "group": "workers.group",
    "reload": "reload.enabled",
    "reload_extra_files": "reload.include",
    "keyfile": "tls.keyfile",
    "certfile": "tls.certfile",
    "ca_certs": "tls.ca_certs",
    "cert_reqs": "tls.cert_reqs",
    "ciphers": "tls.ciphers",
    "root_path": "app.root_path",
    "asgi_loop": "workers.loop",
    "asgi_lifespan": "app.lifespan",
    "websocket_max_message_size": "ws.max_size",
    "limit_request_fields": "limits.request_fields",
    "http2_cleartext": "http.http2",
    "http2_max_concurrent_streams": "limits.http2_streams",
    "limit_request_line": "limits.request_line_size",
    "proc_name": "server.name",
    "chdir": "app.dir",
    "control_socket": "control.socket",
}
#: Of these, the ones that mean something else: before, now, why.
DIFFERENT: Final[Mapping[str, tuple[str, str, str]]] = {
    "max_requests": (
        "the worker ends, and is replaced when it has ended",
        "another worker is ready before it ends (workers.max_requests)",
        "no request is lost; for a moment there is one worker more",
    ),
    "graceful_timeout": (
        "time for running requests; then the worker is killed",
        "then they are cancelled, and the application's shutdown still runs (timeouts.lifespan_shutdown)",
        "connections are closed in an orderly way",
    ),
    "chdir": (
        "gunicorn changes into the directory, and imports from it",
        "it is only imported from (app.dir)",
        "relative paths begin where srvctl is started: start it there (WorkingDirectory=, WORKDIR)",
    ),
    "limit_request_line": (
        "the longest request line, and 0 for any",
        "there is always a limit (limits.request_line_size)",
        "the whole head has one too, limits.request_head_size",
    ),
    "proc_name": (
        "the title of the processes",
        "the name by which srvctl's commands find the instance (server.name)",
        "processes keep the command line as their title",
    ),
    "user": (
        "workers have the groups of the process that started gunicorn, unless initgroups is set",
        "those that the user is in (workers.supplementary_groups)",
        "rights of root's groups do not stay with the application",
    ),
    "reload": (
        "workers end and are started anew",
        "the old code goes on answering until the new is ready, or a page with a traceback (reload.enabled)",
        "one worker serves; not for production",
    ),
    "reload_extra_files": (
        "files, wherever they are",
        "patterns of the names of files below reload.dirs (reload.include)",
        "name further directories in reload.dirs",
    ),
    "control_socket": (
        "gunicornc speaks through it",
        "srvctl's commands do (control.socket)",
        "the protocol is another one",
    ),
    "root_path": (
        "only told to the application",
        "told to it, and put before the path (app.root_path), as the ASGI specification has it",
        "a framework that expects one of them would see it twice or not at all",
    ),
}
