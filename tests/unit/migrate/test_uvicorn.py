"""Each option of uvicorn's: it is mapped or told of, and means the same to ``srvctl run`` and in the file."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the command's annotation is read
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.main import get_command
from uvicorn.main import main as uvicorn_main

from srvctl.cli.flags import with_flags
from srvctl.migrate import uvicorn
from srvctl.migrate.checked import checked
from srvctl.migrate.source import from_words
from srvctl.migrate.toml import toml
from srvctl.settings.catalog import Kind, catalog
from srvctl.settings.load import load
from srvctl.settings.trusted import items_of
from tests.unit.migrate.reading import read_line

#: A value that is not the default, for each option that takes one.
VALUES: Mapping[str, str] = {
    "host": "0.0.0.0",
    "port": "9",
    "uds": "/tmp/s",
    "fd": "3",
    "reload_dirs": "src",
    "reload_includes": "*.html",
    "reload_excludes": "*.css",
    "reload_delay": "1.5",
    "workers": "3",
    "loop": "asyncio",
    "http": "h11",
    "ws": "wsproto",
    "ws_max_size": "1000",
    "ws_max_queue": "5",
    "ws_ping_interval": "3.5",
    "ws_ping_timeout": "2",
    "ws_per_message_deflate": "false",
    "lifespan": "off",
    "interface": "wsgi",
    "env_file": ".env",
    "log_config": "log.yaml",
    "log_level": "debug",
    "forwarded_allow_ips": "10.0.0.0/8,10.1.1.1",
    "root_path": "/api",
    "limit_concurrency": "7",
    "backlog": "11",
    "limit_max_requests": "100",
    "limit_max_requests_jitter": "10",
    "timeout_keep_alive": "9",
    "timeout_graceful_shutdown": "9",
    "timeout_worker_healthcheck": "9",
    "ssl_certfile": "c.pem",
    "ssl_keyfile": "k.pem",
    "ssl_keyfile_password": "hush",
    "ssl_version": "16",
    "ssl_cert_reqs": "2",
    "ssl_ca_certs": "ca.pem",
    "ssl_ciphers": "ECDHE+AESGCM",
    "headers": "X-A:b c",
    "app_dir": "src",
    "h11_max_incomplete_event_size": "5000",
}
OPTIONS = {parameter.name or "": parameter for parameter in uvicorn_main.params if parameter.name != "app"}
SPELLINGS = [
    (name, text, option.is_flag)  # type: ignore[attr-defined] # of click's options, which these are
    for name, option in OPTIONS.items()
    for text in (*option.opts, *option.secondary_opts)
]


@pytest.mark.parametrize(("name", "flag", "is_switch"), SPELLINGS, ids=[flag for _, flag, _ in SPELLINGS])
def test_every_option_of_uvicorns_is_taken_over_or_told_of(name: str, flag: str, is_switch: bool) -> None:
    words = [flag] if is_switch else [flag, VALUES[name]]
    migration = from_words(["uvicorn", "main:app", *words], lambda _: None)
    entries = {entry.setting.key for entry in checked(migration)}
    told = {entry.what for entry in migration.missing} | {entry.what for entry in migration.attention}
    assert len(entries) == 2 or flag in told, "neither taken over nor told of"
    assert (name in uvicorn.WITHOUT) is (len(entries) == 1 and name != "ssl_keyfile_password")


def test_a_default_of_uvicorns_that_is_another_here_is_told_of() -> None:
    other = set()
    for name, option in OPTIONS.items():
        setting = uvicorn.settings().get(name)
        if setting is not None and option.default not in (None, False) and not option.multiple:
            default = option.default if setting.kind is not Kind.DURATION else float(str(option.default))
            other |= {name} if default != setting.default else set()
    assert other <= {"timeout_worker_healthcheck"}
    assert "--timeout-worker-healthcheck" in read_line("uvicorn a:b --timeout-worker-healthcheck 9").different
    assert "no --timeout-graceful-shutdown" in read_line("uvicorn a:b").different
    assert (
        "no --timeout-graceful-shutdown"
        not in read_line("uvicorn a:b --timeout-graceful-shutdown 5").different
    )


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("uvicorn a:b --header A:1 --header B:2", {"http.headers": ["A:1", "B:2"]}),
        ("uvicorn a:b --no-access-log --no-use-colors", {"log.access": False, "log.use_colors": False}),
        ("uvicorn a:b --port 1 --port 2", {"server.port": 2}),
        ("uvicorn a:b --uds /s --host h --port 2", {"server.uds": "/s"}),
        ("uvicorn a:b --fd 3 --uds /s", {"server.fd": 3}),
        ("uvicorn a:b --reload --workers 4", {"reload.enabled": True}),
        ("WEB_CONCURRENCY=3 uvicorn a:b", {"workers.count": 3}),
        ("WEB_CONCURRENCY=3 uvicorn a:b --workers 2", {"workers.count": 2}),
        ("WEB_CONCURRENCY=3 UVICORN_WORKERS=4 uvicorn a:b", {"workers.count": 4}),
        ("UVICORN_HEADERS='A:1 B:2' uvicorn a:b", {"http.headers": ["A:1", "B:2"]}),
        (
            "FORWARDED_ALLOW_IPS=10.0.0.1,unix uvicorn a:b",
            {"proxy.forwarded_allow_ips": ["10.0.0.1", "unix"]},
        ),
        ("uvicorn a:b --loop m:factory", {"workers.loop": "m:factory"}),
        ("uvicorn a:b --timeout-keep-alive 65", {"timeouts.keep_alive": "65s"}),
        ("uvicorn a:b --ws-max-size 1048576", {"ws.max_size": "1MiB"}),
        ("uvicorn a:b --new-thing 5 --other", {}),
        ("uvicorn --new-thing a:b", {}),
    ],
)
def test_what_a_line_means(line: str, values: dict[str, object]) -> None:
    assert read_line(line).values == {"app.target": "a:b", **values}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("uvicorn a:b --host ::", "--host ::"),
        ("uvicorn a:b --limit-concurrency 5", "--limit-concurrency"),
        ("uvicorn a:b", "one process"),
    ],
)
def test_what_means_something_different(line: str, what: str) -> None:
    assert what in read_line(line).different


def test_zuvloop_is_named_as_any_other_loop() -> None:
    assert read_line("uvicorn a:b --loop zuvloop").values["workers.loop"] == "zuvloop:new_event_loop"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("uvicorn a:b --http m:Class", "--http m:Class"),
        ("uvicorn a:b --ws m:Class", "--ws m:Class"),
        ("uvicorn a:b --new-thing 5", "--new-thing 5"),
        ("UVICORN_NEW=1 uvicorn a:b", "UVICORN_NEW"),
    ],
)
def test_what_has_no_counterpart(line: str, what: str) -> None:
    assert what in read_line(line).missing


@pytest.mark.parametrize(
    ("line", "flag", "why"),
    [
        ("uvicorn a:b --port $PORT", "--port", "set SRVCTL_SERVER__PORT"),
        ("uvicorn a:b --port x", "--port", "cannot be taken over"),
        ("uvicorn a:b --port", "--port", "cannot be taken over"),
        ("uvicorn a:b --workers 0", "--workers", "too small"),
        ("uvicorn a:b --ssl-keyfile-password hush", "--ssl-keyfile-password", "SRVCTL_TLS__KEYFILE_PASSWORD"),
        ("uvicorn a:b --reload --workers 2", "--workers", "ignores"),
        ("uvicorn main.py --port 9", "APP", "module:attribute"),
    ],
)
def test_what_needs_a_person(line: str, flag: str, why: str) -> None:
    read = read_line(line)
    assert why in read.attention[flag]
    assert "hush" not in str(read.migration)


def test_only_text_can_be_written() -> None:
    migration = from_words(["uvicorn", "a:b", "--root-path", "/\udcff"], lambda _: None)
    assert [entry.setting.key for entry in checked(migration)] == ["app.target"]


def _given_to_run(argv: list[str]) -> Mapping[str, object]:
    """Return what ``srvctl run`` reads from its command line."""
    given: Mapping[str, object] = _run().main(args=argv, standalone_mode=False)
    return given


@cache
def _run() -> Any:
    def run(given: Mapping[str, object]) -> Mapping[str, object]:
        return given

    commands = typer.Typer()
    commands.command()(with_flags(run))
    return get_command(commands)


def _identity(words: list[str]) -> object:
    """uvicorn takes the last of a flag given twice, and srvctl run takes all trusted proxies."""
    return words[0] if words[0] == "--forwarded-allow-ips" else tuple(words)


_LISTEN = ("host", "port", "uds", "fd")
#: uvicorn takes them together, and srvctl refuses that; or it takes what is no value here.
_APART = {*_LISTEN, "reload", "ssl_keyfile", "ssl_certfile", "ssl_keyfile_password", "version"}
_NUMBERS = {name: st.integers(256, 60000).map(str) for name in VALUES if VALUES[name].isdecimal()}
_RANGES = {"ssl_version": st.just("17"), "ssl_cert_reqs": st.sampled_from("012")}
_WORDS: dict[str, st.SearchStrategy[str]] = {
    "headers": st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9).map("X-A:{}".format),
    "root_path": st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9).map("/{}".format),
    "forwarded_allow_ips": st.sampled_from(["*", "10.0.0.0/8, 10.1.1.1", "unix"]),
    "log_level": st.sampled_from(["critical", "info", "trace"]),
    "loop": st.sampled_from(["auto", "uvloop", "none", "m:f"]),
}


def _option(name: str, flag: str, is_switch: bool) -> st.SearchStrategy[list[str]]:
    if is_switch:
        return st.just([flag])
    value = {name: st.just(VALUES[name]), **_NUMBERS, **_RANGES, **_WORDS}[name]
    return value.map(lambda text: [flag, text])


_ARGV = st.tuples(
    st.sampled_from([[], ["--host", "h", "--port", "0"], ["--uds", "/é"], ["--fd", "3"]]),
    st.lists(
        st.one_of([_option(*spelling) for spelling in SPELLINGS if spelling[0] not in _APART]),
        max_size=8,
        unique_by=_identity,
    ),
).map(lambda parts: [*parts[0], *(word for option in parts[1] for word in option)])


@given(_ARGV)
@settings(deadline=None, max_examples=60)
def test_the_file_means_what_the_options_mean_to_run(argv: list[str]) -> None:
    entries = checked(from_words(["uvicorn", "main:app", *argv], lambda _: None))
    with TemporaryDirectory() as directory:
        path = Path(directory) / "srvctl.toml"
        path.write_text(toml(entries, "a test"), "utf-8")
        from_file = load({}, {}, path).settings
    from_flags = load(_given_to_run(["main:app", *argv]), {}, None).settings
    for key, setting in catalog().items():
        values: list[Any] = [
            getattr(getattr(s, setting.group), setting.name) for s in (from_file, from_flags)
        ]
        if key == "proxy.forwarded_allow_ips":
            values = [list(items_of(value)) for value in values]
        assert values[0] == values[1], key
