"""gunicorn's settings that have no counterpart: why, and what to do instead. Texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_SYSLOG: Final = (
    "srvctl writes to stdout and stderr, which a service manager takes to the system's log; "
    "or give log.config a handler for syslog"
)
_STATSD: Final = "srvctl sends no metrics; srvctl status --json has the numbers of each worker"
_STRICT: Final = (
    "what RFC 9112 forbids is refused: a proxy that reads it otherwise would let requests be smuggled"
)
_DIRTY: Final = "srvctl has no second kind of worker; run a task queue beside it"
_PASTE: Final = "write a module that loads it, such as app = loadapp('config:/path/app.ini'), and name that"

WITHOUT: Final[Mapping[str, str]] = {
    "worker_tmp_dir": "not needed: workers beat in shared memory, and no file is touched",
    "tmp_upload_dir": "not needed: srvctl writes no request into files",
    "reload_engine": "changes are always watched for by the system's own means",
    "spew": "prints every line that runs; use a debugger",
    "check_config": "serves nothing; write srvctl check",
    "print_config": "serves nothing; write srvctl check",
    "sendfile": "used where the application asks for it, and safe to leave on",
    "reuse_port": "all workers accept from the same sockets, of the master's",
    "daemon": "srvctl run stays in the foreground; leave the background to systemd or a container",
    "secure_scheme_headers": "the scheme is taken from X-Forwarded-Proto of trusted proxies (proxy.style)",
    "logger_class": "a class of gunicorn's; set up loggers with log.config",
    "syslog": _SYSLOG,
    "syslog_addr": _SYSLOG,
    "syslog_prefix": _SYSLOG,
    "syslog_facility": _SYSLOG,
    "disable_redirect_access_to_syslog": _SYSLOG,
    "capture_output": "what workers print goes to stdout and stderr, where the log goes too",
    "enable_stdio_inheritance": "not needed: workers have the stdout and stderr of the master",
    "statsd_host": _STATSD,
    "statsd_prefix": _STATSD,
    "dogstatsd_tags": _STATSD,
    "enable_backlog_metric": _STATSD,
    "default_proc_name": "only names gunicorn's processes; server.name names the instance",
    "paste": _PASTE,
    "raw_paste_global_conf": _PASTE,
    "uwsgi_allow_ips": "srvctl does not speak uwsgi; let the proxy speak HTTP",
    "ssl_version": "of no effect in gunicorn any more; tls.min_version is TLSv1.2",
    "suppress_ragged_eofs": "a connection that ends without TLS's end is an ended connection, and no error",
    "do_handshake_on_connect": "handshakes never hold up a worker; timeouts.tls_handshake limits them",
    "http2_initial_window_size": "the window of a request is limits.request_buffer, 64 KiB by default",
    "http2_max_frame_size": "frames of up to 16 KiB are taken, the least that every client can send",
    "http2_max_header_list_size": "limits.request_head_size, 64 KiB by default, holds for HTTP/2 as well",
    "permit_obsolete_folding": _STRICT,
    "strip_header_spaces": _STRICT,
    "permit_unconventional_http_method": "srvctl takes every method that RFC 9110 allows the form of",
    "permit_unconventional_http_version": _STRICT,
    "casefold_http_method": "methods are case-sensitive (RFC 9110 section 9.1) and passed on as they are",
    "forwarder_headers": "SCRIPT_NAME is app.root_path; no header field sets it",
    "header_map": "the application gets header fields as they are; a WSGI application's framework maps them",
    "asgi_disconnect_grace_period": "the application is told that the client left, and is not cancelled",
    "http_parser": "srvctl has a parser of its own (http.codec)",
    "control_socket_mode": "only the user that started srvctl may use its socket",
    "dirty_apps": _DIRTY,
    "dirty_workers": _DIRTY,
    "dirty_timeout": _DIRTY,
    "dirty_threads": _DIRTY,
    "dirty_graceful_timeout": _DIRTY,
}

_ARGUMENT: Final = "it takes one argument, a srvctl.hooks.HookContext, and has to be in a module of yours"
_IN_MASTER: Final = "the master runs no code of the application's"
_DEATHS: Final = "srvctl why tells how each worker ended, with its last lines and stacks"

#: Server hooks, and the hook that comes nearest.
HOOKS: Final[Mapping[str, str]] = {
    "on_starting": f"{_IN_MASTER}; hooks.on_boot, called once the application is imported, comes nearest: "
    f"{_ARGUMENT}",
    "on_reload": f"{_IN_MASTER}; hooks.on_boot is called for each reload: {_ARGUMENT}",
    "when_ready": f"hooks.on_ready comes nearest, called in each worker: {_ARGUMENT}; "
    "a service manager is told by srvctl itself (Type=notify)",
    "pre_fork": f"hooks.pre_fork comes nearest: {_ARGUMENT}; "
    "it is called where the application was imported, and not without preload",
    "post_fork": f"hooks.post_fork comes nearest: {_ARGUMENT}",
    "post_worker_init": f"hooks.on_ready comes nearest: {_ARGUMENT}",
    "worker_int": f"hooks.on_drain comes nearest, called in a worker that begins to end: {_ARGUMENT}",
    "worker_abort": f"a worker that hangs is not asked any more; {_DEATHS}",
    "pre_exec": "srvctl upgrade has no hook",
    "pre_request": "write a middleware of the application's",
    "post_request": "write a middleware of the application's",
    "child_exit": f"{_IN_MASTER}; {_DEATHS}; what a worker has to tidy up belongs into hooks.on_exit",
    "worker_exit": f"hooks.on_exit comes nearest: {_ARGUMENT}",
    "nworkers_changed": f"{_IN_MASTER}; srvctl status tells how many workers there are",
    "on_exit": f"{_IN_MASTER}; hooks.on_exit is called in each worker: {_ARGUMENT}",
    "ssl_context": "the context is made from the settings under [tls]; certificates are read anew when their "
    "files change",
    "on_dirty_starting": _DIRTY,
    "dirty_post_fork": _DIRTY,
    "dirty_worker_init": _DIRTY,
    "dirty_worker_exit": _DIRTY,
}
