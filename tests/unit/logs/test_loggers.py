"""What an application does to uvicorn's loggers, or to ours, and what becomes of the server's lines."""

from __future__ import annotations

import logging
import logging.config
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.logs.access.log import AccessLog
from srvctl.logs.access.record import AccessRecord
from srvctl.logs.loggers import NAMES, TWINS, threshold, twin_name
from srvctl.logs.setup import Wanted, configure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.logs.conftest import Listener, Streams

REQUEST = AccessRecord("127.0.0.1:5", "GET", b"/p?token=secret", "1.1", 200)
LINE = 'INFO:     127.0.0.1:5 - "GET /p?token=secret HTTP/1.1" 200 OK\n'


class NoLoop:
    """Nothing is ever due; what is logged past logging stays in its batch."""

    def call_soon(self, _callback: Callable[[], None], /) -> None: ...

    def call_later(self, _delay: float, _callback: Callable[[], None], /) -> None: ...


@pytest.fixture
def ours(streams: Streams) -> logging.Logger:
    """What the server says goes here, set up by default."""
    with streams.redirected():
        configure(Wanted(use_colors=False))
    return logging.getLogger("srvctl.error")


def log_request() -> None:
    """Log one as a worker does."""
    access = AccessLog(NoLoop())
    access.log(REQUEST)
    access.close()


# -- rules -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "twin", "root", "level"), [(0, 0, 30, 30), (0, 20, 30, 20), (10, 20, 30, 10), (40, 0, 30, 40)]
)
def test_whose_level_counts(own: int, twin: int, root: int, level: int) -> None:
    """Ours, where somebody has set it; else the twin's; else the root's."""
    assert threshold(own, twin, root) == level


def test_everybody_has_a_twin() -> None:
    """Of uvicorn's name."""
    assert tuple(map(twin_name, NAMES)) == TWINS


# -- by hand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["uvicorn", "uvicorn.error", "uvicorn.asgi"])
def test_what_is_logged_to_uvicorn_looks_like_ours(ours: logging.Logger, streams: Streams, name: str) -> None:
    """Applications use the server's logger, as it is there and shows what they say."""
    logging.getLogger(name).warning("mine")
    ours.warning("ours")
    assert streams.err.getvalue() == "WARNING:  mine\nWARNING:  ours\n"


@pytest.mark.parametrize("name", ["uvicorn.error", "srvctl.error"])
def test_a_filter_applies(ours: logging.Logger, streams: Streams, name: str) -> None:
    """To what the server says."""
    logging.getLogger(name).addFilter(lambda record: "dull" not in record.getMessage())
    ours.info("dull")
    ours.info("news")
    assert streams.err.getvalue() == "INFO:     news\n"


@pytest.mark.parametrize("name", ["uvicorn.error", "srvctl.error"])
@pytest.mark.parametrize("how", ["level", "disabled"])
def test_a_logger_can_be_made_quiet(ours: logging.Logger, streams: Streams, name: str, how: str) -> None:
    """By its level, or altogether."""
    if how == "level":
        logging.getLogger(name).setLevel(logging.ERROR)
    else:
        logging.getLogger(name).disabled = True
    ours.info("news")
    assert streams.err.getvalue() == ""
    assert not ours.isEnabledFor(logging.INFO)


@pytest.mark.parametrize("name", ["uvicorn.error", "srvctl.error"])
def test_a_logger_can_be_made_talkative(ours: logging.Logger, streams: Streams, name: str) -> None:
    """As with any."""
    logging.getLogger(name).setLevel(logging.DEBUG)
    ours.debug("details")
    assert streams.err.getvalue() == "DEBUG:    details\n"


def test_handlers_of_the_twin_hear_its_name(ours: logging.Logger, listener: Listener) -> None:
    """Filters of handlers go by that; a handler of ours hears ours."""
    logging.getLogger("uvicorn.error").addHandler(listener)
    ours.info("news")
    ours.addHandler(listener)
    ours.info("news")
    assert [record.name for record in listener.records] == ["uvicorn.error", "srvctl.error"]


def test_interception(ours: logging.Logger, streams: Streams, listener: Listener) -> None:
    """What users of loguru write: the server's lines go to their handler and nowhere else."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = [listener]
        logging.getLogger(name).propagate = False
    ours.info("news")
    log_request()
    assert listener.texts == ["news", '127.0.0.1:5 - "GET /p?token=secret HTTP/1.1" 200']
    assert (streams.out.getvalue(), streams.err.getvalue()) == ("", "")


@pytest.mark.parametrize("names", [TWINS, NAMES, (*NAMES, *TWINS)], ids=["uvicorn", "srvctl", "both"])
def test_all_to_the_root_logger(
    ours: logging.Logger, streams: Streams, listener: Listener, names: tuple[str, ...]
) -> None:
    """The other way: take the handlers away and let everything propagate. Each line arrives once."""
    logging.root.addHandler(listener)
    for name in names:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    ours.info("news")
    log_request()
    assert listener.texts == ["news", '127.0.0.1:5 - "GET /p?token=secret HTTP/1.1" 200']
    assert (streams.out.getvalue(), streams.err.getvalue()) == ("", "")


def take_all_handlers_away() -> None:
    """What many programs do, with every logger that there is."""
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def test_all_loggers_to_the_root_logger_with_a_filter(ours: logging.Logger, listener: Listener) -> None:
    """The twins' filters apply, and records have the names that programs look for."""
    take_all_handlers_away()
    logging.root.addHandler(listener)
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.getMessage() != "/health")
    ours.info("/health")
    ours.info("news")
    log_request()
    assert [record.name for record in listener.records] == ["uvicorn.error", "uvicorn.access"]


def test_all_loggers_bare_and_uvicorns_to_a_handler(ours: logging.Logger, listener: Listener) -> None:
    take_all_handlers_away()
    for name in ("uvicorn", "uvicorn.access"):
        logging.getLogger(name).handlers = [listener]
        logging.getLogger(name).propagate = False
    ours.info("news")
    log_request()
    assert listener.texts == ["news", '127.0.0.1:5 - "GET /p?token=secret HTTP/1.1" 200']


def test_one_handler_for_all_loggers(ours: logging.Logger, streams: Streams, listener: Listener) -> None:
    """It hears each record once; what the top logger had before, it keeps."""
    for name in ("srvctl.error", "srvctl.access", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = [listener]
    ours.info("news")
    log_request()
    assert listener.texts == ["news", '127.0.0.1:5 - "GET /p?token=secret HTTP/1.1" 200']
    assert streams.err.getvalue() == "INFO:     news\n"


def test_without_any_handler_warnings_are_still_seen(
    ours: logging.Logger, monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    """As logging has it for everybody."""
    monkeypatch.setattr(logging, "lastResort", listener)
    monkeypatch.setattr(logging.root, "handlers", [])
    listener.setLevel(logging.WARNING)
    logging.getLogger("uvicorn").handlers.clear()
    logging.getLogger("uvicorn").propagate = True
    ours.info("news")
    ours.warning("trouble")
    assert listener.texts == ["trouble"]


def test_a_filter_that_fails_stops_nobody(ours: logging.Logger, streams: Streams) -> None:
    """One that was written for other lines; no request shall suffer from that."""
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).addFilter(lambda record: record.args[7] > 0)  # type: ignore[index, operator]
    ours.info("news")
    log_request()
    assert (streams.out.getvalue(), streams.err.getvalue()) == (LINE, "INFO:     news\n")


def test_who_replaces_a_method_of_loggers_sees_each_record_once(
    ours: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So do tools that report errors."""
    seen = []
    call = logging.Logger.callHandlers

    def watch(self: logging.Logger, record: logging.LogRecord) -> None:
        seen.append(record.getMessage())
        call(self, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", watch)
    ours.error("trouble")
    assert seen == ["trouble"]


# -- requests ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ours")
def test_a_filter_may_hide_a_part_of_a_request(streams: Streams) -> None:
    """It changes the arguments; our own line shows what it left."""

    def mask(record: logging.LogRecord) -> bool:
        assert isinstance(record.args, tuple)
        client, method, target, *rest = record.args
        record.args = (client, method, str(target).partition("?")[0], *rest)
        return True

    logging.getLogger("uvicorn.access").addFilter(mask)
    log_request()
    assert streams.out.getvalue() == LINE.replace("?token=secret", "")


@pytest.mark.usefixtures("ours")
def test_our_handler_takes_a_formatter(streams: Streams) -> None:
    """Half of the advice there is on uvicorn's access log begins with ``.handlers[0]``."""
    logging.getLogger("uvicorn.access").handlers[0].setFormatter(logging.Formatter("[%(name)s] %(message)s"))
    log_request()
    expected = '[uvicorn.access] 127.0.0.1:5 - "GET /p?token=secret HTTP/1.1" 200\n'
    assert streams.out.getvalue() == expected


# -- dictConfig, after we have set up ----------------------------------------------------------------------


def apply(listener: Listener, disable: bool | None, **loggers: dict[str, Any]) -> None:
    config = {"version": 1, "handlers": {"own": {"()": lambda: listener}}, "loggers": loggers}
    logging.config.dictConfig(config if disable is None else {**config, "disable_existing_loggers": disable})


@pytest.mark.parametrize("disable", [True, False, None])
def test_a_configuration_that_names_uvicorns_loggers(
    ours: logging.Logger, streams: Streams, listener: Listener, disable: bool | None
) -> None:
    """Whatever it says of loggers that exist."""
    own = {"handlers": ["own"], "level": "INFO", "propagate": False}
    apply(listener, disable, **{"uvicorn": own, "uvicorn.access": own})
    ours.info("news")
    log_request()
    assert len(listener.records) == 2
    assert (streams.out.getvalue(), streams.err.getvalue()) == ("", "")


@pytest.mark.parametrize("disable", [True, False])
def test_a_configuration_of_something_else_silences_nobody(
    ours: logging.Logger, streams: Streams, listener: Listener, disable: bool
) -> None:
    """Hardly anybody who leaves out ``disable_existing_loggers`` wants the server silent."""
    logging.getLogger("elsewhere")
    apply(listener, disable, shop={"handlers": ["own"]})
    ours.info("news")
    log_request()
    assert logging.getLogger("elsewhere").disabled is disable
    assert (streams.out.getvalue(), streams.err.getvalue()) == (LINE, "INFO:     news\n")


@pytest.mark.parametrize("disable", [True, False])
def test_a_configuration_of_something_else_revives_nobody(
    streams: Streams, listener: Listener, disable: bool
) -> None:
    """What a setting switched off, and what somebody switched off by hand, stays off."""
    with streams.redirected():
        configure(Wanted(use_colors=False, access=False))
    logging.getLogger("uvicorn.error").disabled = True
    apply(listener, disable, shop={"handlers": ["own"]})
    logging.getLogger("srvctl.error").info("news")
    log_request()
    assert (streams.out.getvalue(), streams.err.getvalue()) == ("", "")


def test_nobody_loads_what_configurations_need() -> None:
    """The master of a service without one starts without logging.config, YAML and all that."""
    code = """
        import sys
        from srvctl.settings.groups import LogSettings
        from srvctl.settings.log_setup import configure_logs
        configure_logs(LogSettings())
        print([name for name in ("logging.config", "yaml", "tomllib", "configparser") if name in sys.modules])
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", dedent(code)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
