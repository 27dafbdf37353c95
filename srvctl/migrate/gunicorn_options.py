"""gunicorn's settings: how each is called on its command line, and what takes a value there. A table.

Made for gunicorn 27; a test compares it with the one that is installed.
"""

from __future__ import annotations

from typing import Final

from srvctl.migrate.options import Flag, Takes

_VALUES: Final = {
    "config": "-c --config",
    "bind": "-b --bind",
    "backlog": "--backlog",
    "workers": "-w --workers",
    "worker_class": "-k --worker-class",
    "threads": "--threads",
    "worker_connections": "--worker-connections",
    "max_requests": "--max-requests",
    "max_requests_jitter": "--max-requests-jitter",
    "timeout": "-t --timeout",
    "graceful_timeout": "--graceful-timeout",
    "keepalive": "--keep-alive",
    "limit_request_line": "--limit-request-line",
    "limit_request_fields": "--limit-request-fields",
    "limit_request_field_size": "--limit-request-field_size",
    "reload_engine": "--reload-engine",
    "reload_extra_files": "--reload-extra-file",
    "chdir": "--chdir",
    "raw_env": "-e --env",
    "pidfile": "-p --pid",
    "worker_tmp_dir": "--worker-tmp-dir",
    "user": "-u --user",
    "group": "-g --group",
    "umask": "-m --umask",
    "forwarded_allow_ips": "--forwarded-allow-ips",
    "accesslog": "--access-logfile",
    "access_log_format": "--access-logformat",
    "errorlog": "--error-logfile --log-file",
    "loglevel": "--log-level",
    "logger_class": "--logger-class",
    "logconfig": "--log-config",
    "logconfig_json": "--log-config-json",
    "syslog_addr": "--log-syslog-to",
    "syslog_prefix": "--log-syslog-prefix",
    "syslog_facility": "--log-syslog-facility",
    "statsd_host": "--statsd-host",
    "dogstatsd_tags": "--dogstatsd-tags",
    "statsd_prefix": "--statsd-prefix",
    "proc_name": "-n --name",
    "pythonpath": "--pythonpath",
    "paste": "--paste --paster",
    "proxy_allow_ips": "--proxy-allow-from",
    "protocol": "--protocol",
    "uwsgi_allow_ips": "--uwsgi-allow-from",
    "keyfile": "--keyfile",
    "certfile": "--certfile",
    "ssl_version": "--ssl-version",
    "cert_reqs": "--cert-reqs",
    "ca_certs": "--ca-certs",
    "ciphers": "--ciphers",
    "http_protocols": "--http-protocols",
    "http2_cleartext": "--http2-cleartext",
    "http2_max_concurrent_streams": "--http2-max-concurrent-streams",
    "http2_initial_window_size": "--http2-initial-window-size",
    "http2_max_frame_size": "--http2-max-frame-size",
    "http2_max_header_list_size": "--http2-max-header-list-size",
    "raw_paste_global_conf": "--paste-global",
    "forwarder_headers": "--forwarder-headers",
    "header_map": "--header-map",
    "asgi_loop": "--asgi-loop",
    "asgi_lifespan": "--asgi-lifespan",
    "asgi_disconnect_grace_period": "--asgi-disconnect-grace-period",
    "websocket_max_message_size": "--websocket-max-message-size",
    "http_parser": "--http-parser",
    "root_path": "--root-path",
    "dirty_apps": "--dirty-app",
    "dirty_workers": "--dirty-workers",
    "dirty_timeout": "--dirty-timeout",
    "dirty_threads": "--dirty-threads",
    "dirty_graceful_timeout": "--dirty-graceful-timeout",
    "control_socket": "--control-socket",
    "control_socket_mode": "--control-socket-mode",
}
_SWITCHES: Final = {
    "reload": "--reload",
    "spew": "--spew",
    "check_config": "--check-config",
    "print_config": "--print-config",
    "preload_app": "--preload",
    "reuse_port": "--reuse-port",
    "daemon": "-D --daemon",
    "initgroups": "--initgroups",
    "disable_redirect_access_to_syslog": "--disable-redirect-access-to-syslog",
    "capture_output": "--capture-output",
    "syslog": "--log-syslog",
    "enable_stdio_inheritance": "-R --enable-stdio-inheritance",
    "enable_backlog_metric": "--enable-backlog-metric",
    "suppress_ragged_eofs": "--suppress-ragged-eofs",
    "do_handshake_on_connect": "--do-handshake-on-connect",
    "permit_obsolete_folding": "--permit-obsolete-folding",
    "strip_header_spaces": "--strip-header-spaces",
    "permit_unconventional_http_method": "--permit-unconventional-http-method",
    "permit_unconventional_http_version": "--permit-unconventional-http-version",
    "casefold_http_method": "--casefold-http-method",
    "control_socket_disable": "--no-control-socket",
}

FLAGS: Final = (
    *(Flag(text, name) for name, texts in _VALUES.items() for text in texts.split()),
    *(Flag(text, name, Takes.NOTHING) for name, texts in _SWITCHES.items() for text in texts.split()),
    Flag("--no-sendfile", "sendfile", Takes.NOTHING_FOR_FALSE),
    Flag("--proxy-protocol", "proxy_protocol", Takes.MAYBE),
)
#: Flags that gather values.
REPEATABLE: Final = frozenset(
    {"bind", "raw_env", "reload_extra_files", "raw_paste_global_conf", "dirty_apps"}
)
#: Functions that only a configuration file can give.
HOOKS: Final = (
    *("on_starting", "on_reload", "when_ready", "pre_fork", "post_fork", "post_worker_init", "worker_int"),
    *("worker_abort", "pre_exec", "pre_request", "post_request", "child_exit", "worker_exit", "on_exit"),
    *("nworkers_changed", "ssl_context", "on_dirty_starting", "dirty_post_fork", "dirty_worker_init"),
    "dirty_worker_exit",
)
#: Other settings that only a configuration file can give.
_ONLY_IN_FILES: Final = (
    *("wsgi_app", "tmp_upload_dir", "secure_scheme_headers", "logconfig_dict", "default_proc_name"),
)

NAMES: Final = frozenset({*(flag.name for flag in FLAGS), *HOOKS, *_ONLY_IN_FILES})
