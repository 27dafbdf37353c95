"""uvicorn's command lines with the word replaced: they serve, also after an upgrade in place."""

from __future__ import annotations

import json
import socket
import tempfile
from pathlib import Path

import pytest

from tests.support.apps.written import write_app
from tests.support.commands import srvctl
from tests.support.releases import Releases
from tests.support.server import BASIC, ServerProcess


class LikeUvicorn(ServerProcess):
    """Runs ``srvctl`` with words as they are, and no command before them."""

    def __init__(self, *words: str, **rest: object) -> None:
        super().__init__(bind=None, **rest)  # type: ignore[arg-type] # what the other takes
        self._command = [*self._command[:3], *words]


@pytest.mark.parametrize("words", [(BASIC, "--port", "0"), ("--host", "127.0.0.1", "--port=0", BASIC)])
def test_what_uvicorn_is_given_serves(words: tuple[str, ...]) -> None:
    with LikeUvicorn(*words) as server:
        assert server.get().status == 200


def test_an_upgrade_goes_on_with_the_same_words(tmp_path: Path) -> None:
    write_app(tmp_path, "v1")
    releases = Releases(tmp_path / "releases")
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        control = ("--control-socket", str(Path(short) / "s"))
        with LikeUvicorn("site_app:app", "--port", "0", *control, cwd=tmp_path, env=releases.env) as web:
            workers = web.workers()
            releases.install("0.2.0")
            done = srvctl("upgrade", *control)
            assert done.returncode == 0, done.stderr
            assert json.loads(srvctl("status", "--json", *control).stdout)["version"] == "0.2.0"
            assert srvctl("reload", *control).returncode == 0  # the settings are read once more
            assert web.workers() != workers
            assert web.stop() == 0


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["--fd", "77"], 3, "fd://77 is not open in this process; whoever starts srvctl must pass it on"),
        (["--fd", "0"], 3, "fd://0 is not a socket; pass a listening socket under that number"),
        (
            ["--reload", "--workers", "4", "--port", "{port}"],
            2,
            "--workers cannot be combined with --reload: ",
        ),
        (["--uds", "{path}", "--port", "{port}"], 2, "--uds cannot be combined with --port: "),
        (["--bind", "127.0.0.1:{port}", "--bind", "fd://77"], 3, "fd://77 is not open in this process; "),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_opened(
    words: list[str], code: int, line: str, tmp_path: Path
) -> None:
    """The port is taken: who tried to open it would say so."""
    path = tmp_path / "s"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = [word.format(port=taken.getsockname()[1], path=path) for word in words]
        with LikeUvicorn(BASIC, *given, is_ready=False) as server:
            assert server.wait_exit() == code
    assert server.stderr.text.startswith(f"srvctl: error: {line}")
    assert server.stderr.text.count("\n") == 1
    assert not path.exists()
