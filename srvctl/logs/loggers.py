"""The loggers of srvctl and their twins, which are uvicorn's: what is done to one holds for the other.

srvctl logs to ``srvctl.error``, ``srvctl.access``, ``srvctl.asgi``, below ``srvctl``. Each has a twin, as
``uvicorn.error``. The handlers are with the twins, where applications made for uvicorn look for them; a
`Relay` on ``srvctl`` and ``srvctl.access`` passes every record on as if it had been logged there. The rules:

1. A record is logged if neither its logger nor the twin is disabled, and its level is at least `threshold`.
2. It passes the filters of its logger, then those of the twin.
3. It goes to the handlers of its logger, of which the relay is one, so to those of the twin and, as far as
   these propagate, to those above it; there it has the twin's name.
4. What is logged to a twin itself goes the same way, without the relay.
5. A handler that both a logger of ours and its twin have hears a record once.
6. Programs take the handlers of all loggers away, to let everything propagate to the root logger, and so the
   relays. A record then passes the filters of the twin nevertheless, and has its name; it goes to the
   twin's handlers if the program has put others in the place of those there were, else to the root logger's.
7. No configuration of logging disables these loggers for not naming them (``disable_existing_loggers``).

So whoever replaces the handlers of ``uvicorn.error``, lets ``uvicorn`` propagate to the root logger, or does
so with ``srvctl``, gets what he would get of uvicorn. Called by `setup` and `configuring`; knows no settings.
"""

from __future__ import annotations

import logging
import sys
from functools import cache
from typing import Final

OWN: Final = "srvctl"
TWIN: Final = "uvicorn"
_KINDS: Final = ("", ".error", ".access", ".asgi")
NAMES: Final = tuple(f"{OWN}{kind}" for kind in _KINDS)
TWINS: Final = tuple(f"{TWIN}{kind}" for kind in _KINDS)
_BLANKET: Final = "_handle_existing_loggers"  #: in logging.config; disables what is not named


def threshold(own: int, twin: int, root: int) -> int:
    """Return the least level that is logged: what is set on our logger counts most, then what is on the twin.

    Args:
        own: What is set on the logger or above it, below the root; 0 for nothing.
        twin: The same of its twin.
        root: The level of the root logger.
    """
    return own or twin or root


def twin_name(name: str) -> str:
    """Return the name of the logger whose twin this one of ours is."""
    return TWIN + name.removeprefix(OWN)


@cache
def _own(name: str) -> logging.Logger:
    return logging.getLogger(name)


@cache
def _twin(name: str) -> logging.Logger:
    return logging.getLogger(twin_name(name))


def _renamed(record: logging.LogRecord, name: str) -> logging.LogRecord:
    """Return a copy with another name; by hand, which takes a fifth of the time of `copy.copy`."""
    new = record.__class__.__new__(record.__class__)
    new.__dict__.update(record.__dict__, name=name)
    return new


class ServerLogger(logging.Logger):
    """A logger that no configuration disables, or enables, just because it does not name it."""

    @property
    def disabled(self) -> bool:
        """Whether somebody has switched it off."""
        return bool(self.__dict__.get("disabled"))

    @disabled.setter
    def disabled(self, value: bool) -> None:
        if sys._getframe(1).f_code.co_name != _BLANKET:  # noqa: SLF001 - nothing else tells one from the other
            self.__dict__["disabled"] = value


class OwnLogger(ServerLogger):
    """A logger of ours, which minds its twin."""

    @property
    def twin(self) -> logging.Logger:
        """The twin."""
        return _twin(self.name)

    def getEffectiveLevel(self) -> int:  # noqa: N802 - the name in logging
        """Return the least level that is logged."""
        return threshold(_level_set(self), _level_set(self.twin), logging.root.level)

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name in logging
        """Return whether a record of this level is logged.

        logging remembers the answer until it hears of a change, and hears of none that concerns the twin.
        """
        if self.disabled or self.manager.disable >= level:
            return False
        return level >= self.getEffectiveLevel() and not self.twin.disabled

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name in logging
        """Hand a record to all whom it concerns."""
        if not _has_lost_its_relay(self):
            super().callHandlers(record)
            return
        passed = _SUBSTITUTE.passed(record)
        if passed is not None:
            heard_by = self if _as_connected & _handlers_of(self.twin) else self.twin
            logging.Logger.callHandlers(heard_by, passed)


def _level_set(logger: logging.Logger) -> int:
    """Return the level that is set on a logger or the nearest one above it but the root; 0 for none."""
    here: logging.Logger | None = logger
    while here is not None and here is not logging.root:
        if here.level:
            return here.level
        here = here.parent
    return logging.NOTSET


def _below_root(logger: logging.Logger) -> list[logging.Logger]:
    """Return a logger and those above it that its records come to, but for the root logger."""
    found = [logger]
    while found[-1].propagate and (above := found[-1].parent) not in {None, logging.root}:
        found.append(above)
    return found


def _handlers_of(logger: logging.Logger) -> set[logging.Handler]:
    return {handler for one in _below_root(logger) for handler in one.handlers}


def _has_lost_its_relay(logger: logging.Logger) -> bool:
    """Whether records would meet no handler before the root's."""
    if logger.handlers:
        return False
    return _below_root(logger)[-1].propagate and not _handlers_of(logger)


class Relay(logging.Handler):
    """Passes records on to the twin of their logger.

    Args:
        renames: Give them the twin's name.
    """

    def __init__(self, *, renames: bool = True) -> None:
        super().__init__()
        self.renames = renames

    def createLock(self) -> None:  # noqa: N802 - the name in logging
        """Do without: it writes nothing itself."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Pass a record on, if it may; return whether it does."""
        is_wanted = not self.filters or bool(self.filter(record))
        if is_wanted:
            self.emit(record)
        return is_wanted

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on; one whose filter fails as well, for no request shall suffer from that."""
        if self._is_second(record):
            return
        own = _own(record.name)
        passed = self.passed(record)
        if passed is not None:
            _hand_over(own, _twin(own.name), passed)

    def passed(self, record: logging.LogRecord) -> logging.LogRecord | None:
        """Return a record as the twin hands it to handlers; None if a filter keeps it."""
        twin = _twin(record.name)
        if self.renames:
            record = _renamed(record, twin.name)
        try:
            passed: object = twin.filter(record)
        except Exception:  # noqa: BLE001 - it is the application's
            self.handleError(record)
            passed = True
        if isinstance(passed, logging.LogRecord):  # since Python 3.12, a filter may put another in its place
            record = passed
        return record if passed else None

    def _is_second(self, record: logging.LogRecord) -> bool:
        """Whether the record has met the relay of its logger, and somebody lets it propagate."""
        handlers = _own(record.name).handlers
        return self not in handlers and any(isinstance(one, Relay) for one in handlers)


#: Does what relays did that somebody has taken away.
_SUBSTITUTE: Final = Relay()


def _hand_over(own: logging.Logger, twin: logging.Logger, record: logging.LogRecord) -> None:
    """Do what `logging.Logger.callHandlers` does, for those that have not heard of it from our logger.

    By hand: tools that watch errors replace that method, and would see each twice.
    """
    heard_by = _handlers_of(own)
    here: logging.Logger | None = twin
    is_heard = False
    while here is not None:
        for handler in list(here.handlers):
            is_heard = True
            if record.levelno >= handler.level and handler not in heard_by:
                handler.handle(record)
        here = here.parent if here.propagate else None
    last = logging.lastResort
    if not is_heard and last is not None and record.levelno >= last.level:
        last.handle(record)


def adopt() -> None:
    """Have the rules apply, and change nothing else."""
    for name in (*NAMES, *TWINS):
        logger = logging.getLogger(name)
        if name in NAMES:
            logger.__class__ = OwnLogger  # modules have had theirs since they were imported
        elif type(logger) is logging.Logger:  # one of a class of the application's stays what it is
            logger.__class__ = ServerLogger


def reset() -> None:
    """Make the loggers and their twins what new ones are, but for filters: whoever added one still means it.

    Handlers are taken away and not closed.
    """
    adopt()
    for name in (*NAMES, *TWINS):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
        logger.disabled = False


#: The handlers of the twins when they were set up.
_as_connected: Final[set[logging.Handler]] = set()


def connect(*, renames: bool = True) -> None:
    """Put relays where records of ours would meet no handler before the root's; call it when all is set up.

    Args:
        renames: Records get the names of the twins.
    """
    _as_connected.clear()
    _as_connected.update(*(logging.getLogger(name).handlers for name in TWINS))
    top, access = (logging.getLogger(name) for name in (OWN, f"{OWN}.access"))
    if top.handlers:
        return
    for logger in (top, access):
        if not logger.handlers:
            logger.addHandler(Relay(renames=renames))
            logger.propagate = False


def set_level(level: int) -> None:
    """Have a level count more than what a configuration says; an application may still set another."""
    for kind in _KINDS:
        logging.getLogger(f"{OWN}{kind}").setLevel(logging.NOTSET)
        if kind:
            logging.getLogger(f"{TWIN}{kind}").setLevel(level)


def switch_off_requests() -> None:
    """Log no requests."""
    logging.getLogger(f"{OWN}.access").disabled = True
    twin = logging.getLogger(f"{TWIN}.access")
    twin.handlers[:] = []
    twin.propagate = False
