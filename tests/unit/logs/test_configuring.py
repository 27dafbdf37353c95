"""Configurations of logging that were made for uvicorn, or for us: in every format, right and wrong."""

from __future__ import annotations

import copy
import json
import logging
import logging.handlers
import os
import pickle
import re
import socket
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn.config
import yaml

from srvctl.errors import ConfigError
from srvctl.logs.access.handler import AccessHandler
from srvctl.logs.access.log import AccessLog
from srvctl.logs.access.record import AccessRecord
from srvctl.logs.config_file import ConfigFile, LogConfigError, read
from srvctl.logs.dictionary import LOG_LEVELS, LOGGING_CONFIG, is_default, logging_config, translated
from srvctl.settings.groups import LogSettings
from srvctl.settings.log_setup import configure_logs, leave_logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.logs.conftest import Listener, Streams

NEWS, REQUEST = "INFO:     news\n", 'INFO:     127.0.0.1:5 - "GET /p HTTP/1.1" 200 OK\n'
INI = """
    [loggers]
    keys = root, server, access
    [handlers]
    keys = err, out
    [formatters]
    keys = default, access
    [logger_root]
    level = INFO
    handlers = err
    [logger_server]
    qualname = uvicorn
    level = INFO
    handlers = err
    propagate = 0
    [logger_access]
    qualname = uvicorn.access
    level = INFO
    handlers = out
    propagate = 0
    [handler_err]
    class = StreamHandler
    formatter = default
    args = (sys.stderr,)
    [handler_out]
    class = StreamHandler
    formatter = access
    args = (sys.stdout,)
    [formatter_default]
    class = uvicorn.logging.DefaultFormatter
    format = * %(levelprefix)s %(message)s
    [formatter_access]
    class = uvicorn.logging.AccessFormatter
    format = * %(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s
"""
TOML = """
    version = 1
    disable_existing_loggers = true
    [formatters.default]
    "()" = "uvicorn.logging.DefaultFormatter"
    fmt = "* %(levelprefix)s %(message)s"
    [formatters.access]
    "()" = "uvicorn.logging.AccessFormatter"
    fmt = '* %(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s'
    [handlers.default]
    formatter = "default"
    class = "logging.StreamHandler"
    [handlers.access]
    formatter = "access"
    class = "logging.StreamHandler"
    stream = "ext://sys.stdout"
    [loggers.uvicorn]
    handlers = ["default"]
    level = "INFO"
    propagate = false
    [loggers."uvicorn.access"]
    handlers = ["access"]
    level = "INFO"
    propagate = false
"""


class NoLoop:
    def call_soon(self, _callback: Callable[[], None], /) -> None: ...

    def call_later(self, _delay: float, _callback: Callable[[], None], /) -> None: ...


def say() -> None:
    """Say something, and log a request as a worker does."""
    logging.getLogger("srvctl.error").info("news")
    access = AccessLog(NoLoop())
    access.log(AccessRecord("127.0.0.1:5", "GET", b"/p", "1.1", 200))
    access.close()


def starred(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration as somebody has changed it who wants to see the difference."""
    changed = copy.deepcopy(config)
    for formatter in changed["formatters"].values():
        formatter["fmt"] = f"* {formatter['fmt']}"
    return changed


def written(folder: Path, suffix: str) -> str:
    """Write the file that such a user has, and return its name."""
    config = starred(uvicorn.config.LOGGING_CONFIG)
    texts = {
        ".json": json.dumps(config),
        ".yaml": yaml.safe_dump(config),
        ".yml": yaml.safe_dump(config),
        ".toml": dedent(TOML),
        ".ini": dedent(INI),
        ".conf": dedent(INI),
    }
    file = folder / f"log{suffix}"
    file.write_text(texts[suffix])
    return str(file)


# -- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".yml", ".toml", ".ini", ".conf"])
@pytest.mark.parametrize("is_installed", [True, False])
def test_a_file_made_for_uvicorn(
    suffix: str, is_installed: bool, tmp_path: Path, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its names of loggers and classes mean ours, whether uvicorn is installed or not."""
    if not is_installed:
        for name in ("uvicorn", "uvicorn.logging"):
            monkeypatch.setitem(sys.modules, name, None)
    with streams.redirected():
        configure_logs(LogSettings(config=written(tmp_path, suffix)))
    say()
    assert (streams.out.getvalue(), streams.err.getvalue()) == (f"* {REQUEST}", f"* {NEWS}")


def test_the_file_in_the_documentation(tmp_path: Path, streams: Streams) -> None:
    """It does what is said there."""
    page = Path(__file__).parents[3] / "docs/how-to/logging.md"
    (text,) = re.findall(
        r"^```yaml[^\n]*\n(version: 1\n.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "log.yaml").write_text(text)
    with streams.redirected():
        configure_logs(LogSettings(config=str(tmp_path / "log.yaml")))
    say()
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
    assert re.fullmatch(time + re.escape(NEWS), streams.err.getvalue())
    assert re.fullmatch(time + re.escape(REQUEST), streams.out.getvalue())


def test_what_was_read_travels_with_the_name(tmp_path: Path, streams: Streams) -> None:
    """All processes of a generation do the same, whatever becomes of the file; so does what is in force."""
    name = written(tmp_path, ".json")
    sent: ConfigFile = pickle.loads(pickle.dumps(read(name, "here")))
    (tmp_path / "log.json").write_text("{}")
    assert (sent, sent.folder) == (name, "here")
    assert name == sent
    assert hash(sent) == hash(name)
    assert sent != read(name), "the file says something else by now"
    assert json.dumps(sent) == json.dumps(name)
    with streams.redirected():
        configure_logs(LogSettings(config=ConfigFile(sent, sent.content)))
    say()
    assert streams.err.getvalue() == f"* {NEWS}"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("no.json", None, "cannot be read: No such file or directory"),
        ("a.json", '{"version" 1}', "is not JSON: Expecting ':' delimiter: line 1 column 12"),
        ("a.json", "[" * 10**5, "is nested too deeply"),
        ("a.json", "[]", "has no keys at its top"),
        ("a.yaml", "a: b: c", "is not YAML: mapping values are not allowed here: line 1 column 5"),
        ("a.yml", "\x01", "is not YAML: "),
        ("a.yaml", "", "has no keys at its top"),
        ("a.toml", "a = ", "is not TOML: Invalid value"),
        ("a.ini", "\xff", "is not text in UTF-8"),
        ("a.ini", "hello", "File contains no section headers. line: 1"),
        ("a.ini", "", "there is no 'loggers'"),
        ("a.ini", "[loggers]\nkeys=root\n[handlers]\nkeys=\n", "there is no 'formatters'"),
        ("a.json", "{}", "dictionary doesn't specify a version"),
        ("a.json", '{"version": 1, "loggers": ["a"]}', "list indices must be integers"),
        ("a.json", '{"version": 1, "loggers": {"a": {"level": "LOUD"}}}', "Unknown level: 'LOUD'"),
        ("a.json", '{"version": 1, "loggers": {"a": {"handlers": ["x"]}}}', "Unable to configure logger 'a'"),
        ("a.json", '{"version": 1, "handlers": {"x": {"class": "nix.Da"}}}', "No module named 'nix'"),
        (
            "a.json",
            '{"version": 1, "formatters": {"x": {"()": "uvicorn.logging.DefaultFormatter", "colour": 1}}}',
            "unexpected keyword argument 'colour'",
        ),
    ],
)
def test_mistakes(tmp_path: Path, streams: Streams, name: str, text: str | None, said: str) -> None:
    """One line each, that names the file; and the log works as by default."""
    if text is not None:
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    with streams.redirected(), pytest.raises(ConfigError) as caught:
        configure_logs(LogSettings(config=str(tmp_path / name)))
    message = str(caught.value)
    assert message.startswith(f"log.config: {tmp_path / name}")
    assert said in message
    assert "\n" not in message


# -- dictionaries ------------------------------------------------------------------------------------------


def test_ours_is_uvicorns() -> None:
    """Whoever changes a part of one finds it in the other, and the levels are the same."""
    assert translated(uvicorn.config.LOGGING_CONFIG) == LOGGING_CONFIG == logging_config()
    assert LOG_LEVELS == uvicorn.config.LOG_LEVELS
    assert is_default(uvicorn.config.LOGGING_CONFIG)
    assert not is_default(starred(LOGGING_CONFIG))


@pytest.mark.parametrize("config", [LOGGING_CONFIG, uvicorn.config.LOGGING_CONFIG, starred(LOGGING_CONFIG)])
def test_a_program_gives_a_dictionary(config: dict[str, Any], streams: Streams) -> None:
    """It is not changed by that."""
    before = copy.deepcopy(config)
    with streams.redirected():
        configure_logs(LogSettings(), config)
    say()
    star = "* " * (config["formatters"]["default"]["fmt"][0] == "*")
    assert (streams.out.getvalue(), streams.err.getvalue()) == (star + REQUEST, star + NEWS)
    assert config == before


def test_our_own_names_work_as_well(streams: Streams, listener: Listener) -> None:
    """And are what handlers see; what is done to uvicorn's still holds."""
    config = {
        "version": 1,
        "handlers": {"own": {"()": lambda: listener}},
        "loggers": {"srvctl": {"handlers": ["own"], "level": "DEBUG", "propagate": False}},
    }
    with streams.redirected():
        configure_logs(LogSettings(), config)
    logging.getLogger("uvicorn.access").addFilter(lambda _: False)
    say()
    logging.getLogger("srvctl.error").debug("details")
    assert [(record.name, record.msg) for record in listener.records] == [
        ("srvctl.error", "news"),
        ("srvctl.error", "details"),
    ]
    assert (streams.out.getvalue(), streams.err.getvalue()) == ("", "")


def test_both_names_are_two_things(listener: Listener) -> None:
    """Whoever names both may well want two files; nothing is written twice."""
    other = type(listener)()
    config = {
        "version": 1,
        "handlers": {"own": {"()": lambda: listener}, "other": {"()": lambda: other}},
        "loggers": {
            "srvctl": {"handlers": ["own"], "level": "INFO", "propagate": False},
            "uvicorn": {"handlers": ["other"], "level": "INFO", "propagate": False},
        },
    }
    configure_logs(LogSettings(), config)
    say()
    logging.getLogger("uvicorn.error").info("mine")
    assert len(listener.records) == 2
    assert other.texts == ["mine"]


def test_what_is_not_named_goes_to_the_root(streams: Streams, listener: Listener) -> None:
    """As it is with uvicorn."""
    config = {
        "version": 1,
        "handlers": {"own": {"()": lambda: listener}},
        "root": {"handlers": ["own"], "level": "INFO"},
    }
    with streams.redirected():
        configure_logs(LogSettings(), config)
    say()
    assert [record.name for record in listener.records] == ["uvicorn.error", "uvicorn.access"]
    assert [record.args for record in listener.records][1] == ("127.0.0.1:5", "GET", "/p", "1.1", 200)


@pytest.mark.parametrize("name", ["uvicorn", "srvctl", ""])
def test_a_program_that_sets_up_everything_itself(name: str, listener: Listener) -> None:
    """Its handlers get the server's lines, once, wherever they are."""
    logging.getLogger(name).addHandler(listener)
    leave_logs(LogSettings(level="info"))
    say()
    assert len(listener.records) == 2
    leave_logs(LogSettings(access=False), logging.ERROR)
    say()
    assert len(listener.records) == 2


def test_a_program_may_give_any_level_and_an_ini_file(streams: Streams) -> None:
    """As numbers, and as text."""
    with streams.redirected():
        configure_logs(LogSettings(), dedent(INI), 25)
        logging.getLogger("srvctl.error").log(25, "notice")
    say()
    assert (streams.out.getvalue(), streams.err.getvalue()) == ("", "* Level 25: notice\n")


# -- what counts more --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "out", "err"), [("warning", "", ""), ("debug", REQUEST, NEWS), (None, REQUEST, NEWS)]
)
def test_the_level_that_is_set_counts_more(level: Any, out: str, err: str, streams: Streams) -> None:
    """Than what the file says, which is info here."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["loggers"]["uvicorn"]["propagate"] = True  # so that it is not what we do by default
    with streams.redirected():
        configure_logs(LogSettings(level=level), config)
    say()
    assert (streams.out.getvalue(), streams.err.getvalue()) == (out, err)


@pytest.mark.parametrize("config", [LOGGING_CONFIG, starred(LOGGING_CONFIG)])
def test_requests_can_be_switched_off(config: dict[str, Any], streams: Streams) -> None:
    """Whatever the file says of them."""
    with streams.redirected():
        configure_logs(LogSettings(access=False), config)
    say()
    assert streams.out.getvalue() == ""
    assert "news" in streams.err.getvalue()


@pytest.mark.parametrize("use_colors", [True, False])
def test_colours_can_be_said(use_colors: bool, streams: Streams) -> None:
    """For formatters that can."""
    with streams.redirected():
        configure_logs(LogSettings(use_colors=use_colors), starred(LOGGING_CONFIG))
    say()
    assert ("\x1b" in streams.err.getvalue(), "\x1b" in streams.out.getvalue()) == (use_colors, use_colors)


@pytest.mark.parametrize("is_named", [True, False])
def test_a_format_for_requests_needs_a_file_that_says_nothing_of_them(
    is_named: bool, tmp_path: Path, streams: Streams
) -> None:
    """Then requests go where the settings say; else the file decides."""
    config = starred(LOGGING_CONFIG)
    if not is_named:
        del config["loggers"]["uvicorn.access"]
    file = tmp_path / "access.log"
    with streams.redirected():
        configure_logs(LogSettings(access_format="%m %s", access_file=str(file)), config)
    say()
    assert (file.read_text() if file.exists() else "") == ("" if is_named else "GET 200\n")
    assert streams.out.getvalue() == (f"* {REQUEST}" if is_named else "")


def test_what_our_own_handler_would_write_it_writes(streams: Streams) -> None:
    """In a tenth of the time, and without waiting for whoever reads it."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["formatters"]["default"]["fmt"] = "* %(message)s"
    with streams.redirected():
        configure_logs(LogSettings(), config)
    (handler,) = logging.getLogger("uvicorn.access").handlers
    assert isinstance(handler, AccessHandler)
    say()
    assert streams.out.getvalue() == REQUEST


# -- processes ---------------------------------------------------------------------------------------------


def test_the_applications_modules_are_forgotten(tmp_path: Path, streams: Streams) -> None:
    """Or a reload would find them, old as they are, in every process forked from the master."""
    (tmp_path / "shop_of_a_test.py").write_text("import logging\nclass Mine(logging.Formatter): pass\n")
    config = starred(LOGGING_CONFIG)
    config["formatters"]["default"] = {"()": "shop_of_a_test.Mine", "fmt": "mine %(message)s"}
    with streams.redirected():
        configure_logs(LogSettings(config=ConfigFile("log.json", config, str(tmp_path))))
    say()
    assert streams.err.getvalue() == "mine news\n"
    assert "shop_of_a_test" not in sys.modules
    assert str(tmp_path) not in sys.path


def test_each_process_connects_by_itself() -> None:
    """Two that write to one stream would tear each other's records."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        config = {
            "version": 1,
            "handlers": {"net": {"class": "logging.handlers.SocketHandler", "host": host, "port": port}},
            "loggers": {"uvicorn": {"handlers": ["net"], "level": "INFO", "propagate": False}},
        }
        configure_logs(LogSettings(), config)
        (handler,) = logging.getLogger("uvicorn").handlers
        assert isinstance(handler, logging.handlers.SocketHandler)
        logging.getLogger("srvctl.error").info("parent")
        if (child := os.fork()) == 0:
            os._exit(handler.sock is not None)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert handler.sock is not None
        handler.close()


def test_reading_tells_mistakes_of_its_own(tmp_path: Path) -> None:
    """For whoever reads the settings."""
    with pytest.raises(LogConfigError, match=r"^\S+/gone\.ini cannot be read: No such file or directory$"):
        read(str(tmp_path / "gone.ini"))
