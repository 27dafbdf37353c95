"""The options of uvicorn's that srvctl has too and that do not mean quite the same, in words.

The reasons are in docs/adr/0005.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: By parameter: before, now, why.
GIVEN: Final[Mapping[str, tuple[tuple[str, str, str], ...]]] = {
    "limit_concurrency": (
        (
            "connections and tasks, idle connections too; more are answered 503",
            "requests that are being answered (limits.concurrency)",
            "the same number lets more clients in; limits.concurrency_queue lets some wait instead",
        ),
    ),
    "limit_max_requests": (
        (
            "the worker ends, and what serves its clients is missing until another has started",
            "another worker is ready before it ends (workers.max_requests)",
            "no request is lost; for a moment there is one worker more",
        ),
    ),
    "timeout_worker_healthcheck": (
        (
            "time in which a thread of the worker has to answer a ping",
            "time for which its event loop may be blocked (health.hang_timeout)",
            "a thread can answer while the loop hangs; 30s is the default here",
        ),
    ),
    "h11_max_incomplete_event_size": (
        (
            "what h11 buffers of an unfinished head; other parsers have no limit",
            "request line and fields together, whoever parses (limits.request_head_size)",
            "more is answered 431",
        ),
    ),
    "http": (
        (
            "which library reads requests",
            "srvctl's own parser, but for h11 (http.codec)",
            "httptools and zttp are taken for native, so that nothing has to be installed",
        ),
    ),
    "fd": (
        (
            "taken for a Unix socket",
            "the family is asked of the socket itself",
            "an inherited TCP socket works, and clients have addresses",
        ),
    ),
    "reload": (
        (
            "code that cannot be imported ends the process: nothing answers until the next change",
            "the old code goes on answering, or a page with the traceback",
            "see reload.enabled; not for production",
        ),
    ),
    "env_file": (
        (
            "loaded into the environment of the server; WEB_CONCURRENCY in it counts",
            "loaded into that of the application (app.env_file)",
            "srvctl's own settings are not read from it",
        ),
    ),
}

#: Of ``--host ::``.
EVERY_ADDRESS: Final = (
    "IPv6 alone with one process, and IPv4 too with several",
    "both, whatever the number of workers (server.host)",
    "name the addresses in server.bind to have one of them alone",
)

#: Of an option that was not given: the setting that would have settled it, then what, before, now and why.
ALWAYS: Final[tuple[tuple[str, tuple[str, str, str, str]], ...]] = (
    (
        "timeouts.graceful_shutdown",
        (
            "no --timeout-graceful-shutdown",
            "a stop waits for running requests for ever",
            "for 30s (timeouts.graceful_shutdown)",
            "one request that never ends must not keep a deployment; raise it if requests take longer",
        ),
    ),
    (
        "workers.count",
        (
            "one process",
            "it serves and is not supervised; stopped by SIGTERM it ends by the signal, with code 143",
            "one worker beside a master; a stop that was asked for ends with code 0",
            "a crash is repaired; who looks for 143 sees 0",
        ),
    ),
    (
        "limits.request_head_size",
        (
            "size of a request's head",
            "depends on the parser",
            "64KiB, then 431; 100 fields (limits.request_fields); 30s to send it (timeouts.request_head)",
            "a client that sends without end must not hold a connection for ever",
        ),
    ),
)
