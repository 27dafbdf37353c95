"""Real servers whose log is set up by files that were made for uvicorn, or by applications that were."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final

import pytest
import uvicorn.config
import yaml

from tests.support.apps.written import write_app
from tests.support.client import Connection
from tests.support.server import ServerProcess
from tests.support.server_waits import Gate

if TYPE_CHECKING:
    from pathlib import Path

SITE: Final = "site_app:app"
#: Stands in the place of uvicorn where that is not to be found.
NO_UVICORN: Final = "raise ImportError('not installed here')\n"
FILTER: Final = """
    import logging
    logging.getLogger("uvicorn.access").addFilter(lambda record: record.args[2] != "/health")
    logging.getLogger("uvicorn.error").addFilter(lambda record: "Waiting for" not in record.getMessage())
    logging.getLogger("uvicorn.error").info("the application is imported")
"""
INI: Final = """
    [loggers]
    keys = root, server
    [handlers]
    keys = all
    [formatters]
    keys = shop
    [logger_root]
    level = WARNING
    handlers =
    [logger_server]
    qualname = uvicorn
    level = INFO
    handlers = all
    propagate = 0
    [handler_all]
    class = FileHandler
    formatter = shop
    args = ("all.log",)
    [formatter_shop]
    class = shop_log.Formatter
    format = %(levelprefix)s %(name)s %(message)s
"""
SHOP_LOG: Final = """
    import os
    from srvctl.logging import DefaultFormatter
    class Formatter(DefaultFormatter):
        def format(self, record):
            return f"[{os.getpid()}] {super().format(record)}"
"""
INTERCEPTION: Final = """
    import logging
    import sys

    class InterceptHandler(logging.Handler):
        def emit(self, record):
            sys.stderr.write(f"{record.levelname} | {record.name} | {record.getMessage()}\\n")

    logging.basicConfig(handlers=[InterceptHandler()], level=0, force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
"""


def starred(star: str) -> dict[str, Any]:
    """Return uvicorn's own configuration with this before each line."""
    config = copy.deepcopy(uvicorn.config.LOGGING_CONFIG)
    for formatter in config["formatters"].values():
        formatter["fmt"] = f"{star} {formatter['fmt']}"
    return config


def test_a_file_made_for_uvicorn_changes_with_a_reload(tmp_path: Path) -> None:
    """Master and workers obey it, an application's filters hold; what cannot be obeyed is refused."""
    file = tmp_path / "log.yaml"
    file.write_text(yaml.safe_dump(starred("one")))
    write_app(tmp_path, "site", before=FILTER)
    with ServerProcess(SITE, "--log-config", "log.yaml", cwd=tmp_path) as server:
        for path in ("/health", "/plain"):
            server.get(path)
        server.wait_line(r"^one INFO: +Started master process")
        server.wait_line(r"^one INFO: +Started worker process")
        server.wait_line(r"^one INFO: +the application is imported")

        file.write_text(yaml.safe_dump({**starred("two"), "disable_existing_loggers": True}))
        server.signal(signal.SIGHUP)
        server.wait_line(r"^two INFO: +Reload done")
        server.wait_line(r"^one INFO: +Finished worker process")  # until then it may answer, too
        server.get("/plain")

        file.write_text("version: 1\nroot: {handlers: [nobody]}\n")
        server.signal(signal.SIGHUP)
        server.wait_line(r"^two .*Reload failed: the settings cannot be used")
        server.wait_line(r"log\.config: log\.yaml: .*nobody")
        assert server.get().text == "site"
        assert server.stop() == 0
        server.wait_line(r"^two INFO: +Finished master process")
        requests = [line.split(" - ")[0][:3] + line.split('"')[1] for line in server.stdout.text.splitlines()]
        assert requests == ["oneGET /plain HTTP/1.1", "twoGET /plain HTTP/1.1", "twoGET / HTTP/1.1"]
        assert not server.lines("Waiting for application")
        assert not server.lines("Traceback")


def test_an_ini_file_whose_class_is_the_applications(tmp_path: Path) -> None:
    """All processes write to its file, without uvicorn; the class is found where the application is."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "uvicorn.py").write_text(NO_UVICORN)
    (site / "shop_log.py").write_text(dedent(SHOP_LOG))
    (tmp_path / "log.ini").write_text(dedent(INI))
    path = tmp_path / "s"
    flags = ("--app-dir", "site", "--log-config", "log.ini")
    with Gate() as gate:
        write_app(site, "site", before=f"import shop_log\ngate({gate.port})")
        with ServerProcess(SITE, *flags, bind=f"unix:{path}", cwd=tmp_path, is_ready=False) as server:
            gate.wait_visitor().let_pass()
            with Connection(str(path)) as client:  # the socket is open before the first worker is
                pid = client.get("/plain").pid
            assert server.stop() == 0
    lines = (tmp_path / "all.log").read_text().splitlines()
    assert f"[{server.pid}] INFO:     uvicorn.error Started master process [{server.pid}]" in lines
    assert f"[{pid}] INFO:     uvicorn.error Started worker process [{pid}]" in lines
    assert f'[{pid}] INFO:     uvicorn.access  - "GET /plain HTTP/1.1" 200' in lines
    assert (server.stdout.text, server.stderr.text) == ("", "")


def test_an_application_that_takes_the_lines_over(tmp_path: Path) -> None:
    """As users of loguru do, with the names of uvicorn: each line of its worker arrives there, and once."""
    write_app(tmp_path, "site", before=INTERCEPTION)
    with ServerProcess(SITE, cwd=tmp_path) as server:
        server.get("/plain")
        assert server.stop() == 0
        assert server.stdout.text == ""
        lines = server.stderr.text.splitlines()
        assert [
            line for line in lines if "GET /plain" in line and line.startswith("INFO | uvicorn.access | ")
        ]
        assert len([line for line in lines if "GET /plain" in line]) == 1
        assert "INFO | uvicorn.error | Waiting for application startup." in lines
        assert not [line for line in lines if line.startswith("INFO:     Waiting")]
        assert f"INFO:     Finished master process [{server.pid}]" in lines, "the master has not imported it"


@pytest.mark.parametrize(
    ("flags", "env", "code", "place"),
    [
        (("--log-config", "log.json"), {}, 2, "--log-config"),
        ((), {"UVICORN_LOG_CONFIG": "log.json"}, 78, "UVICORN_LOG_CONFIG"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, flags: tuple[str, ...], env: dict[str, str], code: int, place: str
) -> None:
    """Before anything is bound; and trying a file out creates none of the files that it names."""
    config = starred("one")
    config["handlers"] = {
        "default": {"class": "logging.FileHandler", "filename": "created.log"},
        "access": {"class": "shop.Handler"},
    }
    (tmp_path / "log.json").write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", "srvctl", "run", SITE, *flags],
        cwd=tmp_path,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = "log.json: Unable to configure handler 'access': No module named 'shop'"
    assert done.stderr == f"srvctl: error: {place}: log.config: {said}.\n"
    assert (done.returncode, done.stdout) == (code, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.json"]
