"""`Config`: uvicorn's keywords for a server, and what they are in srvctl's settings.

Owns the list of keywords with their types and defaults, and nothing of what they mean: `translating` turns
them into the settings groups, whose checks say what is wrong. Used by `Server`, `run` and `serve`, and by
programs.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import ssl
import sys
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from srvctl.embedding import log_config as logs
from srvctl.embedding.leaving import leave
from srvctl.embedding.refusing import refuse_for_any
from srvctl.embedding.translating import layer_of, settings_of
from srvctl.errors import AppError, BindError, SrvctlError, UsageError
from srvctl.logs.announcing import announce
from srvctl.logs.dictionary import LOGGING_CONFIG
from srvctl.settings.layer import Given, Origin, Source

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Awaitable, Callable, Mapping
    from configparser import RawConfigParser
    from typing import IO

    from srvctl.embedding.views import LifespanState
    from srvctl.settings.groups import Settings
    from srvctl.settings.layer import Layer
    from srvctl.worker.http.cycle import Application

    _Path = str | os.PathLike[str]
    _Paths = list[str] | str | None

logger = logging.getLogger("srvctl.error")

_PROXIES: Final = "127.0.0.1,::1"
#: Keywords that set no setting: what they do is done here, in `Server` or in `run`.
_OWN: Final = frozenset(
    {
        "log_config",
        "log_level",
        "timeout_notify",
        "callback_notify",
        "ssl_context_factory",
        "settings",
    }
)


@dataclass(eq=False)
class Config:
    """What to serve and how; the keywords, their order and their defaults are uvicorn's.

    Every keyword is an attribute, which may be assigned until the server starts. ``None`` means srvctl's own
    default. Of the environment, only WEB_CONCURRENCY (for ``workers``) and FORWARDED_ALLOW_IPS are read.

    Attributes:
        app: The application, a factory of it, or where to import it from as ``module:attribute``.
        loop: What makes the event loop for `Server.run`, by name or as a function. An event loop, which
            programs often give, counts for nothing: `Server.serve` is in the one that runs it.
        settings: Further settings of srvctl's by dotted key, as ``{"limits.request_body_size": "1MB"}``.
        app_dir: Directory put first on ``sys.path`` before ``app`` is imported; None leaves it alone.
        loaded: Whether `load` has been called.
        loaded_app: What is served: an ASGI 3 application.

    Raises:
        TypeError: There is no such keyword.
        UsageError: A value is wrong, or two contradict each other; says which, one on a line.
    """

    app: Callable[..., Any] | str
    host: str = "127.0.0.1"
    port: int = 8000
    uds: _Path | None = None
    fd: int | None = None
    loop: str | Callable[[], asyncio.AbstractEventLoop] | asyncio.AbstractEventLoop | None = "auto"
    http: str = "auto"
    http2: bool = False
    ws: str = "auto"
    ws_max_size: int = 16 * 1024 * 1024
    ws_max_queue: int = 32
    ws_ping_interval: float | None = 20.0
    ws_ping_timeout: float | None = 20.0
    ws_per_message_deflate: bool = True
    lifespan: str = "auto"
    env_file: _Path | None = None
    log_config: dict[str, Any] | _Path | RawConfigParser | IO[Any] | None = field(
        default_factory=lambda: LOGGING_CONFIG
    )
    log_level: str | int | None = None
    access_log: bool = True
    use_colors: bool | None = None
    interface: str = "auto"
    reload: bool = False
    reload_dirs: _Paths = None
    reload_delay: float = 0.25
    reload_includes: _Paths = None
    reload_excludes: _Paths = None
    workers: int | str | None = None
    proxy_headers: bool = True
    server_header: bool = True
    date_header: bool = True
    forwarded_allow_ips: _Paths = None
    root_path: str = ""
    limit_concurrency: int | None = None
    limit_max_requests: int | None = None
    limit_max_requests_jitter: int = 0
    backlog: int = 2048
    timeout_keep_alive: float = 5
    timeout_notify: float = 30
    timeout_graceful_shutdown: float | None = None
    timeout_worker_healthcheck: float | None = None
    callback_notify: Callable[..., Awaitable[None]] | None = None
    ssl_keyfile: _Path | None = None
    ssl_certfile: _Path | None = None
    ssl_keyfile_password: str | None = field(default=None, repr=False)
    ssl_version: int = ssl.PROTOCOL_TLS_SERVER
    ssl_cert_reqs: int = ssl.CERT_NONE
    ssl_ca_certs: _Path | None = None
    ssl_ciphers: str | None = None
    ssl_context_factory: Callable[[Config, Callable[[], ssl.SSLContext]], ssl.SSLContext] | None = None
    headers: list[tuple[str, str]] | None = None
    factory: bool = False
    h11_max_incomplete_event_size: int | None = None
    reset_contextvars: bool = False
    app_dir: _Path | None = None
    settings: Mapping[str, object] | None = None

    loaded: bool = field(init=False, default=False)
    loaded_app: Any = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        """Check the values, and set up logging and the environment, as uvicorn does at this point."""
        self._origins: dict[str, str] = {}
        self._fill_in()
        settings = self.to_settings()
        self.configure_logging()
        before = dict(os.environ)
        if settings.app.env_file is not None:
            from srvctl.worker.env_file import load_env_file  # noqa: PLC0415 - rarely needed

            load_env_file(settings.app)
        self._of_env_file = {name: value for name, value in os.environ.items() if name not in before}
        if (self.reload_dirs or self.reload_includes or self.reload_excludes) and not self.should_reload:
            logger.warning("Nothing will be reloaded: that takes reload=True and an import string.")

    # -- what it means ---------------------------------------------------------------------------------

    def to_layer(self) -> Layer:
        """Return what differs from the defaults, by the dotted keys of the settings."""
        keywords = {one.name: getattr(self, one.name) for one in _keywords() if one.name not in _OWN}
        left = {name: value for name, value in keywords.items() if not _is_default(name, value)}
        for name in ("app", "loop"):
            if not isinstance(getattr(self, name), str):  # an object, which is no setting
                left.pop(name, None)
        layer = layer_of(left, self.settings or {}, self._origins)
        self._add_log(layer)
        return layer

    def environ_for_processes(self) -> dict[str, str]:
        """Return the environment without what ``env_file`` has added: each worker reads that for itself.

        Else a reload could not change it, for the file replaces nothing that is set.
        """
        return {name: value for name, value in os.environ.items() if self._of_env_file.get(name) != value}

    def to_settings(self) -> Settings:
        """Return the settings that the attributes mean by now.

        Raises:
            UsageError: A value is wrong, or two contradict each other; says which, one on a line.
        """
        refuse_for_any(self)
        settings = settings_of(self.to_layer())
        if self.ssl_context_factory is None:
            from srvctl.worker.tls.context import check  # noqa: PLC0415 - loads ssl and reads files
            from srvctl.worker.tls.errors import TlsError  # noqa: PLC0415

            try:
                check(settings.tls)
            except TlsError as error:
                raise UsageError(str(error)) from None
        return settings

    @property
    def is_ssl(self) -> bool:
        """Whether TLS is spoken."""
        return bool(self.ssl_keyfile or self.ssl_certfile or self.ssl_context_factory)

    @property
    def should_reload(self) -> bool:
        """Whether the application is to be reloaded when its files change."""
        return isinstance(self.app, str) and self.reload

    @property
    def use_subprocess(self) -> bool:
        """Whether `run` starts processes that serve, and does not serve itself."""
        return bool(self.reload or self.workers == "auto" or int(self.workers or 1) > 1)

    @property
    def lifespan_class(self) -> type[LifespanState]:
        """What programs make `Server.lifespan` of before they call `Server.startup` themselves."""
        from srvctl.embedding.views import LifespanState  # noqa: PLC0415 - loads what a worker is made of

        return LifespanState

    @property
    def asgi_version(self) -> str:
        """The version of ASGI that the application is written for."""
        return "2.0" if self.interface == "asgi2" else "3.0"

    # -- what is done with it --------------------------------------------------------------------------

    def configure_logging(self) -> None:
        """Set up the loggers; with ``log_config=None`` they are left as they are.

        Raises:
            ConfigError: A file cannot be read or opened.
        """
        logs.configure(self.to_settings().log, self.log_config, self.log_level)

    def load_app(self) -> Any:
        """Import the application and return it as it is.

        What cannot be imported ends the process (code 3).
        """
        from srvctl.embedding.loading import import_app  # noqa: PLC0415 - loads what a worker is made of

        try:
            return import_app(self)
        except AppError as error:
            leave(error)

    def load(self) -> None:
        """Make ``loaded_app`` of the application; what cannot be loaded ends the process (code 3)."""
        try:
            self.load_or_raise()
        except SrvctlError as error:
            leave(error)

    def load_or_raise(self) -> Application:
        """Do what `load` does, unless it is done, and leave the process alone.

        Raises:
            SrvctlError: The application cannot be loaded, or a setting is wrong.
        """
        from srvctl.embedding.loading import load  # noqa: PLC0415 - as above

        if not self.loaded:
            self.loaded_app = load(self)
            self.loaded = True
        application: Application = self.loaded_app
        return application

    def get_loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        """Return what makes the event loop; None for asyncio's own choice.

        What cannot be imported ends the process (code 3).

        Raises:
            UsageError: ``loop`` is an event loop, not what makes one.
        """
        if callable(self.loop):
            return self.loop
        if self.loop is not None and not isinstance(self.loop, str):
            raise UsageError(
                "loop: is an event loop, and run() makes one of its own; have that loop run serve(), or "
                "leave it out"
            )
        from srvctl.worker.loops import loop_factory_of  # noqa: PLC0415 - as above

        try:
            return loop_factory_of(self.to_settings().workers.loop, os.fspath(self.app_dir or sys.path[0]))
        except AppError as error:
            leave(error)

    def bind_socket(self) -> socket.socket:
        """Open the address and return its socket, which listens.

        An address that is taken ends the process (code 3).
        """
        from srvctl.embedding.listening import open_addresses  # noqa: PLC0415 - as above

        try:
            listeners = open_addresses(self.to_settings(), is_tls=self.is_ssl)
        except BindError as error:
            leave(error)
        first, *others = listeners
        for other in others:
            other.socket.close()
        announce(logger, first.url)
        first.socket.set_inheritable(True)
        return first.socket

    # -- details ---------------------------------------------------------------------------------------

    def _fill_in(self) -> None:
        """Put the values that are meant where nothing was said."""
        if self.workers is None:
            self.workers = 1
            count = os.environ.get("WEB_CONCURRENCY")
            if count:
                self.workers, self._origins["workers"] = count, "WEB_CONCURRENCY"
                if count.strip().isdecimal():
                    self.workers = int(count)
        if self.forwarded_allow_ips is None:
            self.forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", _PROXIES)
            self._origins["forwarded_allow_ips"] = "FORWARDED_ALLOW_IPS"
        self.headers = list(self.headers or [])
        for name in ("reload_dirs", "reload_includes", "reload_excludes"):
            value = getattr(self, name)
            setattr(self, name, [value] if isinstance(value, (str, os.PathLike)) else list(value or []))

    def _add_log(self, layer: Layer) -> None:
        """Add what settings can say of logging; `srvctl.embedding.log_config` does the rest."""
        if isinstance(self.log_config, (str, os.PathLike)):
            layer.values["log.config"] = _given("log_config", os.fspath(self.log_config))
        level = logs.level_name(self.log_level)
        if level is not None:
            layer.values["log.level"] = _given("log_level", level)


def _given(name: str, value: object) -> Given:
    return Given(value, Origin(Source.COMMAND_LINE, name))


def names() -> list[str]:
    """Return the keywords, in their order."""
    return [one.name for one in _keywords()]


def _keywords() -> list[dataclasses.Field[Any]]:
    return [one for one in dataclasses.fields(Config) if one.init]


def _is_default(name: str, value: object) -> bool:
    if name in {"reload_dirs", "reload_includes", "reload_excludes", "headers"}:
        return not value
    default = _DEFAULTS[name]
    # By type as well: False is not 0 to somebody who reads a message about it.
    return value is default or (type(value) is type(default) and value == default)


_DEFAULTS: Final[Mapping[str, object]] = {one.name: one.default for one in _keywords()}
_init_checked: Final = Config.__init__


@functools.wraps(_init_checked)
def _init(self: Config, *values: Any, **keywords: Any) -> None:
    for name in keywords:
        if name not in _DEFAULTS:
            near = get_close_matches(name, _DEFAULTS, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise TypeError(f'srvctl.Config has no keyword "{name}"{hint}')
    _init_checked(self, *values, **keywords)


Config.__init__ = _init  # type: ignore[method-assign]  # dataclasses say nothing of the nearest name
