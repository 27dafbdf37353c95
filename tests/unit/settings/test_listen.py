"""Which way to say where to listen wins when several sources say it in several ways."""

from __future__ import annotations

import pytest

from srvctl.settings.layer import Given, Layer, Origin, Source
from srvctl.settings.listen import keep_one_way
from srvctl.settings.load import load

_FLAGS = {
    "server.bind": "--bind",
    "server.uds": "--uds",
    "server.fd": "--fd",
    "server.host": "--host",
    "server.port": "--port",
}


def layer(source: Source, *names: str) -> Layer:
    values = {
        f"server.{name}": Given("x", Origin(source, _FLAGS.get(f"server.{name}", name))) for name in names
    }
    return Layer(source, values)


def kept(*layers: Layer) -> list[set[str]]:
    return [{key.removeprefix("server.") for key in layer.values} for layer in layers]


@pytest.mark.parametrize(
    ("flags", "file", "left"),
    [
        (["port"], ["bind"], [{"port"}, set()]),
        (["port"], ["host"], [{"port"}, {"host"}]),
        (["host"], ["host", "port"], [{"host"}, {"host", "port"}]),
        (["bind"], ["host", "port"], [{"bind"}, set()]),
        (["uds"], ["bind", "backlog"], [{"uds"}, {"backlog"}]),
        (["uds"], ["uds"], [{"uds"}, {"uds"}]),
        (["fd"], ["uds"], [{"fd"}, set()]),
        ([], ["fd"], [set(), {"fd"}]),
        (["backlog"], ["bind"], [{"backlog"}, {"bind"}]),
    ],
)
def test_the_highest_source_decides_the_way(flags: list[str], file: list[str], left: list[set[str]]) -> None:
    layers = [layer(Source.COMMAND_LINE, *flags), layer(Source.FILE, *file)]
    assert keep_one_way(layers) == []
    assert kept(*layers) == left


@pytest.mark.parametrize("empty", [[], (), None])
def test_an_empty_value_says_nothing(empty: object) -> None:
    layers = [
        Layer(Source.ENVIRONMENT, {"server.bind": Given(empty, Origin(Source.ENVIRONMENT, "X"))}),
        layer(Source.FILE, "uds"),
    ]
    assert keep_one_way(layers) == []
    assert "server.uds" in layers[1].values


_WHY = "each says where to listen; keep one of bind, uds, fd, or host and port"


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["uds", "port"], f"--uds cannot be combined with --port: {_WHY}"),
        (["port", "uds"], f"--uds cannot be combined with --port: {_WHY}"),
        (["bind", "uds"], f"--bind cannot be combined with --uds: {_WHY}"),
        (["fd", "host", "port"], f"--fd cannot be combined with --host: {_WHY}"),
        (["bind", "uds", "fd", "port"], f"--bind cannot be combined with --uds: {_WHY}"),
    ],
)
def test_two_ways_in_one_source_are_a_mistake(names: list[str], line: str) -> None:
    [problem] = keep_one_way([layer(Source.COMMAND_LINE, *names)])
    assert problem.line == line


def test_in_a_file_both_lines_are_named() -> None:
    both = layer(Source.FILE)
    both.values["server.uds"] = Given("x", Origin(Source.FILE, "srvctl.toml", 9))
    both.values["server.port"] = Given(80, Origin(Source.FILE, "srvctl.toml", 4))
    [problem] = keep_one_way([both])
    assert problem.line == f"srvctl.toml:9: server.uds cannot be combined with server.port (line 4): {_WHY}"


def test_a_conflict_in_the_file_is_told_even_where_a_flag_decides() -> None:
    layers = [layer(Source.COMMAND_LINE, "port"), layer(Source.FILE, "uds", "bind")]
    assert len(keep_one_way(layers)) == 1


def test_a_conflict_among_variables_of_other_tools_is_told_only_where_they_decide() -> None:
    assert keep_one_way([layer(Source.COMMAND_LINE, "port"), layer(Source.FOREIGN, "uds", "host")]) == []
    assert len(keep_one_way([layer(Source.COMMAND_LINE), layer(Source.FOREIGN, "uds", "host")])) == 1


def test_what_is_overruled_goes_back_to_its_default_and_says_so() -> None:
    loaded = load({"server.uds": "/a"}, {"UVICORN_PORT": "9", "SRVCTL_SERVER__HOST": "::1"}, None)
    assert (loaded.settings.server.uds, loaded.settings.server.host, loaded.settings.server.port) == (
        "/a",
        "127.0.0.1",
        8000,
    )
    assert str(loaded.origins["server.host"]) == "default"


def test_host_and_port_come_from_different_sources() -> None:
    server = load({"server.port": "9"}, {"UVICORN_HOST": "0.0.0.0"}, None).settings.server
    assert (server.host, server.port) == ("0.0.0.0", 9)
