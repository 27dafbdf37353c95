"""`srvctl.Config`: uvicorn's keywords, and what they are in srvctl's settings."""

from __future__ import annotations

import asyncio
import inspect
import logging
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import srvctl
from srvctl.config import LOG_LEVELS, LOGGING_CONFIG, Config
from srvctl.embedding.log_config import level_name
from srvctl.embedding.translating import command_line
from srvctl.errors import UsageError
from tests.support.loggers import handlers_of

#: Keywords whose default is another one than uvicorn's, with the reason; docs/how-to/embedding.md lists them.
DIFFERENT = {
    "log_config": "srvctl's own loggers; see test_logging_config",
    "timeout_worker_healthcheck": "None: 30 s, and only a loop that does not turn counts",
}
#: Keywords of uvicorn's with a value of each that is not the default, and the setting it becomes.
MEANINGS: dict[str, tuple[object, str, object]] = {
    "host": ("0.0.0.0", "server.host", "0.0.0.0"),
    "port": (9000, "server.port", 9000),
    "uds": ("/tmp/x.sock", "server.uds", "/tmp/x.sock"),
    "fd": (3, "server.fd", 3),
    "loop": ("asyncio", "workers.loop", "asyncio"),
    "http": ("h11", "http.codec", "h11"),
    "ws": ("none", "ws.protocol", "none"),
    "ws_max_size": (1000, "ws.max_size", 1000),
    "ws_max_queue": (7, "ws.max_queue", 7),
    "ws_ping_interval": (None, "ws.ping_interval", 0.0),
    "ws_ping_timeout": (None, "ws.ping_timeout", 0.0),
    "ws_per_message_deflate": (False, "ws.per_message_deflate", False),
    "lifespan": ("off", "app.lifespan", "off"),
    "log_level": (logging.DEBUG, "log.level", "debug"),
    "access_log": (False, "log.access", False),
    "use_colors": (True, "log.use_colors", True),
    "interface": ("wsgi", "app.interface", "wsgi"),
    "reload": (True, "reload.enabled", True),
    "reload_dirs": ("src", "reload.dirs", ("src",)),
    "reload_delay": (0.5, "reload.delay", 0.5),
    "reload_includes": (["*.html"], "reload.include", ("*.html",)),
    "reload_excludes": (["*.tmp"], "reload.exclude", ("*.tmp",)),
    "workers": (3, "workers.count", 3),
    "proxy_headers": (False, "proxy.headers", False),
    "server_header": (False, "http.server_header", False),
    "date_header": (False, "http.date_header", False),
    "forwarded_allow_ips": (
        "10.0.0.1, 10.1.0.0/16",
        "proxy.forwarded_allow_ips",
        ("10.0.0.1", "10.1.0.0/16"),
    ),
    "http2": (True, "http.http2", True),
    "root_path": ("/api", "app.root_path", "/api"),
    "limit_concurrency": (9, "limits.concurrency", 9),
    "limit_max_requests": (100, "workers.max_requests", 100),
    "limit_max_requests_jitter": (10, "workers.max_requests_jitter", 10),
    "backlog": (64, "server.backlog", 64),
    "timeout_keep_alive": (7, "timeouts.keep_alive", 7.0),
    "timeout_graceful_shutdown": (11, "timeouts.graceful_shutdown", 11.0),
    "timeout_worker_healthcheck": (6, "health.hang_timeout", 6.0),
    "headers": ([("X-One", "1: 2"), ("X-Two", "")], "http.headers", ("X-One:1: 2", "X-Two:")),
    "factory": (True, "app.factory", True),
    "h11_max_incomplete_event_size": (2048, "limits.request_head_size", 2048),
    "reset_contextvars": (True, "app.reset_contextvars", True),
}
#: Keywords that are checked together with others, or are no settings; each has a test of its own.
ELSEWHERE = {
    "app",
    "env_file",
    "log_config",
    "timeout_notify",
    "callback_notify",
    "ssl_keyfile",
    "ssl_certfile",
    "ssl_keyfile_password",
    "ssl_version",
    "ssl_cert_reqs",
    "ssl_ca_certs",
    "ssl_ciphers",
    "ssl_context_factory",
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Do nothing."""


def config(**keywords: Any) -> Config:
    """Return a config that leaves the loggers of the test alone."""
    return Config(keywords.pop("app", app), **{"log_config": None, **keywords})


@pytest.fixture(autouse=True)
def loggers_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("error", "access", "asgi"):
        _keep(logging.getLogger(f"srvctl.{name}"), monkeypatch)
        _keep(logging.getLogger(f"uvicorn.{name}"), monkeypatch)
    for name in ("WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"):
        monkeypatch.delenv(name, raising=False)


def _keep(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logger, "level", logger.level)
    monkeypatch.setattr(logger, "disabled", logger.disabled)


def attribute(settings: object, key: str) -> object:
    for part in key.split("."):
        settings = getattr(settings, part)
    return settings


class TestUvicornsKeywords:
    def test_every_one_is_there_at_its_place_and_with_its_default(self) -> None:
        theirs, ours = inspect.signature(uvicorn.Config).parameters, inspect.signature(Config).parameters
        assert list(ours)[: len(theirs)] == list(theirs)
        different = {name for name in theirs if theirs[name].default != ours[name].default}
        assert different == set(DIFFERENT)

    @pytest.mark.parametrize("name", ["run", "serve"])
    def test_functions_take_them_as_well(self, name: str) -> None:
        theirs = inspect.signature(uvicorn.run).parameters
        ours = inspect.signature(getattr(srvctl, name)).parameters
        assert set(theirs) <= set(ours)

    def test_every_one_is_tried_here(self) -> None:
        assert set(MEANINGS) | ELSEWHERE == set(inspect.signature(uvicorn.Config).parameters)

    @pytest.mark.parametrize("name", MEANINGS)
    def test_it_becomes_a_setting(self, name: str) -> None:
        value, key, meant = MEANINGS[name]
        before = attribute(config(app="main:app").to_settings(), key)
        made = config(app="main:app", **{name: value})
        assert attribute(made.to_settings(), key) == meant != before

    @pytest.mark.parametrize("name", MEANINGS)
    def test_it_can_be_assigned_later(self, name: str) -> None:
        value, key, meant = MEANINGS[name]
        made = config(app="main:app")
        setattr(made, name, value)
        assert attribute(made.to_settings(), key) == meant

    def test_what_uvicorn_fills_in_is_there(self) -> None:
        made, theirs = config(), uvicorn.Config(app, log_config=None)
        for name in ("workers", "forwarded_allow_ips", "headers", "reload_includes", "is_ssl", "loaded"):
            assert getattr(made, name) == getattr(theirs, name)
        assert (made.should_reload, made.use_subprocess) == (False, False)
        assert config(app="main:app", reload=True).should_reload
        assert config(workers=2).use_subprocess


class TestEnvironment:
    def test_the_two_variables_that_uvicorns_reads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WEB_CONCURRENCY", "3")
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.9")
        assert config().workers == 3
        assert config(workers=2).workers == 2
        assert config().to_settings().proxy.forwarded_allow_ips == ("10.0.0.9",)
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", "")
        assert config().to_settings().proxy.forwarded_allow_ips == ()

    def test_a_wrong_one_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WEB_CONCURRENCY", "many")
        with pytest.raises(
            UsageError, match=r'^WEB_CONCURRENCY: workers\.count: "many" is not a whole number'
        ):
            config()

    def test_no_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UVICORN_PORT", "1")
        monkeypatch.setenv("SRVCTL_SERVER__PORT", "2")
        assert config().to_settings().server.port == 8000

    def test_a_file_of_variables(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OF_THE_FILE", "")
        monkeypatch.delenv("OF_THE_FILE")
        file = tmp_path / "env"
        file.write_text("OF_THE_FILE=yes")
        config(env_file=file)
        assert __import__("os").environ["OF_THE_FILE"] == "yes"


class TestWhatIsWrong:
    def test_an_unknown_keyword(self) -> None:
        with pytest.raises(TypeError, match=r'no keyword "prot"; did you mean "port"\?'):
            config(prot=1)
        with pytest.raises(TypeError, match='no keyword "prot"'):
            srvctl.run(app, prot=1)  # type: ignore[call-arg]

    @pytest.mark.parametrize(
        ("keywords", "line"),
        [
            ({"port": 70000}, r"^port: server\.port: .*70000.* is too large"),
            ({"http": type(app)}, "^http: .* takes no class of a protocol"),
            ({"loop": 3}, "^loop: 3 is neither an event loop nor the name of one"),
            ({"uds": "/x", "port": 1}, "^uds cannot be combined with port|^port cannot be combined with uds"),
            ({"ssl_keyfile": "key.pem"}, "has no effect without a certificate"),
            (
                {"settings": {"limits.request_body_siz": 1}},
                r'settings.*did you mean "limits\.request_body_size"',
            ),
            ({"port": 1, "settings": {"server.port": 2}}, "is what port sets as well"),
        ],
    )
    def test_a_value(self, keywords: dict[str, Any], line: str) -> None:
        with pytest.raises(UsageError, match=line):
            config(**keywords)


class TestSettings:
    def test_those_of_srvctl(self) -> None:
        made = config(settings={"limits.request_body_size": "1MB", "server.bind": ("127.0.0.1:0", "[::1]:0")})
        assert made.to_settings().limits.request_body_size == 1_000_000
        assert made.to_settings().server.bind == ("127.0.0.1:0", "[::1]:0")

    def test_as_flags_they_mean_the_same(self) -> None:
        from srvctl.cli.running import invoke
        from srvctl.settings.service import Service

        keywords = {name: value for name, (value, _, _) in MEANINGS.items()}
        for name in ("uds", "fd", "workers", "reload_dirs", "interface"):
            del keywords[name]
        made = config(app="main:app", **keywords, settings={"limits.exempt_paths": ["-a", "b c"]})
        arguments, variables = command_line(made.to_layer())
        service = invoke(["run", *arguments])
        assert isinstance(service, Service)
        assert service.settings == made.to_settings()
        assert variables == {}

    def test_nobody_to_trust_is_not_the_default(self) -> None:
        arguments, _ = command_line(config(app="main:app", forwarded_allow_ips="").to_layer())
        assert "--forwarded-allow-ips=" in arguments

    def test_a_password_is_no_flag(self) -> None:
        made = config(app="main:app")
        made.ssl_keyfile_password = "secret"
        arguments, variables = command_line(made.to_layer())
        assert "secret" not in "".join(arguments)
        assert variables == {"SRVCTL_TLS__KEYFILE_PASSWORD": "secret"}


class TestLogging:
    def test_levels(self) -> None:
        assert LOG_LEVELS == uvicorn.config.LOG_LEVELS
        assert [level_name(level) for level in ("INFO", 20, 15, 60, None)] == [
            "info",
            "info",
            "info",
            "critical",
            None,
        ]

    def test_logging_config(self) -> None:
        """Loggers, handlers and formatters have uvicorn's names, as what programs do to it names them."""
        text = str(uvicorn.config.LOGGING_CONFIG)
        assert str(LOGGING_CONFIG) == text.replace("uvicorn.logging", "srvctl.logging")

    def test_none_leaves_handlers_alone_and_sets_the_level(self) -> None:
        before = handlers_of("srvctl", "srvctl.access", "uvicorn", "uvicorn.access")
        config(log_level=17)
        assert logging.getLogger("srvctl.error").getEffectiveLevel() == 17
        assert handlers_of("srvctl", "srvctl.access", "uvicorn", "uvicorn.access") == before


class TestLoading:
    def test_an_application_by_name(self) -> None:
        made = config(app="tests.support.apps.basic:app")
        assert callable(made.load_app())
        assert made.loaded_app is None
        made.load()
        assert (made.loaded, callable(made.loaded_app)) == (True, True)

    def test_what_cannot_be_imported_ends_the_process(self, caplog: pytest.LogCaptureFixture) -> None:
        with pytest.raises(SystemExit) as ending:
            config(app="no_such_module:app").load()
        assert ending.value.code == 3

    def test_the_loop(self) -> None:
        factory = config(loop="asyncio").get_loop_factory()
        assert factory is not None
        loop = factory()
        loop.close()
        assert type(loop).__module__.startswith("asyncio")
        assert config(loop=asyncio.new_event_loop).get_loop_factory() is asyncio.new_event_loop

    def test_a_loop_that_is_there_is_for_serve_only(self) -> None:
        """`Config(app, loop=loop)` is often written, with `loop.run_until_complete(server.serve())`."""
        loop = asyncio.new_event_loop()
        try:
            made = config(loop=loop)
            with pytest.raises(UsageError, match=r"^loop: is an event loop, and run\(\)"):
                made.get_loop_factory()
            server = srvctl.Server(config(loop=loop, port=0))
            server.should_exit = True
            loop.run_until_complete(server.serve())
        finally:
            loop.close()

    def test_a_socket(self) -> None:
        with config(port=0).bind_socket() as sock:
            assert sock.getsockname()[1] > 0
            assert sock.get_inheritable()
            port = sock.getsockname()[1]
            with pytest.raises(SystemExit) as ending:
                config(port=port).bind_socket()
            assert ending.value.code == 3

    def test_ssl_version_has_uvicorns_default(self) -> None:
        assert config().ssl_version == ssl.PROTOCOL_TLS_SERVER


def test_importing_srvctl_loads_next_to_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules); import srvctl; srvctl.__version__; "
        "print([m for m in sys.modules if m.startswith(('srvctl', 'asyncio', 'pydantic'))])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "['srvctl']"


def test_what_is_different_is_written_down() -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/embedding.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ")]
    for name in DIFFERENT:
        assert any(f"`{name}" in row for row in rows), name
