"""A command line without a command: when it means ``run``, and that nothing else does."""

from __future__ import annotations

import pytest

from srvctl.cli.app import everything
from srvctl.cli.shorthand import spelled_out


@pytest.mark.parametrize(
    "argv",
    [
        ["main:app"],
        ["main:app", "--port", "8001", "--reload"],
        ["shop.web:create", "--factory"],
        ["--host", "0.0.0.0", "main:app"],
        ["--host=::1"],
        ["--factory", "main:create"],
        ["--reload"],  # UVICORN_APP names the application
        ["-c", "srvctl.toml", "main:app"],
        ["--config=srvctl.toml", "main:app"],
        ["--name", "web", "main:app"],
    ],
)
def test_an_application_or_a_flag_of_run_means_run(argv: list[str]) -> None:
    assert spelled_out(argv) == ["run", *argv]


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["-h"],
        ["--help"],
        ["--version"],
        ["relod"],
        ["main"],
        ["main.py"],
        ["-c", "srvctl.toml"],
        ["-csrvctl.toml", "stop"],
        ["--config=srvctl.toml", "reload"],
        ["--name", "web", "status"],
        ["--control-socket=/run/web.sock", "reload"],
        *([command.name, "main:app"] for command in everything()),
    ],
)
def test_everything_else_is_left_as_it_is(argv: list[str]) -> None:
    assert spelled_out(argv) == argv
