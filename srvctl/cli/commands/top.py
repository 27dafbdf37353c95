"""``srvctl top``: an instance on the whole screen, again and again."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from srvctl.cli import asking
from srvctl.cli.answer import Answer, print_json
from srvctl.cli.asking import Asked
from srvctl.errors import ExitCode, UsageError
from srvctl.settings.units import parse_duration

if TYPE_CHECKING:
    from argparse import Namespace

    from srvctl.cli.parsing import Parser
    from srvctl.cli.screen.terminal import Terminal
    from srvctl.cli.screen.watching import Watching

_INTERVAL: Final = "1s"
_SHORTEST: Final = 0.1
#: Of the metrics, what the figures do not say again.
_ABOUT: Final = ("at", "name", "app", "version", "pid", "uptime", "state", "generation", "target", "binds")


def declare(parser: Parser) -> None:
    """Add the flags."""
    text = f"Look so often. Default: {_INTERVAL}."
    parser.add_argument("--interval", metavar="DURATION", default=_INTERVAL, help=text)
    text = "Print what is seen after one interval, and end; as it is where there is no terminal."
    parser.add_argument("--once", action="store_true", help=text)
    asking.declare_instance(parser)


def carry_out(values: Namespace) -> ExitCode:
    """Show how an instance does until the user has seen enough."""
    asked, interval = Asked.read(values), _interval(values.interval)
    is_once = values.once or asked.is_json or not sys.stdout.isatty()
    with Answer(is_json=asked.is_json), asking.met(asked.wanted) as master:
        from srvctl.cli.screen.watching import Watching  # noqa: PLC0415 - not for --help

        watching = Watching(master)
        try:
            if is_once:
                _print_once(watching, interval, is_json=asked.is_json)
            else:
                _show(watching, interval)
        except KeyboardInterrupt:
            return ExitCode.OK
        finally:
            watching.close()
    return ExitCode.OK


def _interval(text: str) -> float:
    """Return seconds.

    Raises:
        UsageError: The text is no duration, or a very short one.
    """
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--interval {text!r} {error}") from None
    if seconds < _SHORTEST:
        raise UsageError(f"--interval {text} is too short; write {_SHORTEST} or more")
    return seconds


def _print_once(watching: Watching, interval: float, *, is_json: bool) -> None:
    time.sleep(interval)
    watching.look()
    if is_json:
        about = {name: watching.metrics[name] for name in _ABOUT if name in watching.metrics}
        print_json({**about, "interval": interval, **asdict(watching.figures)})
        return
    from srvctl.cli.screen.layout import View, page  # noqa: PLC0415 - as above
    from srvctl.cli.screen.terminal import print_lines, width  # noqa: PLC0415 - rich, which takes a while

    print_lines(page(View(watching.metrics, watching.figures, watching.events, note=watching.note), width()))


def _show(watching: Watching, interval: float) -> None:
    from srvctl.cli.screen.terminal import EndedBySignal, Terminal  # noqa: PLC0415 - as above

    try:
        with Terminal() as terminal:
            _go_round(watching, terminal, interval)
    except EndedBySignal as ended:
        ended.die()


def _go_round(watching: Watching, terminal: Terminal, interval: float) -> None:
    """Look, draw, and obey the keys; return when the user has seen enough."""
    from srvctl.cli.screen.layout import View, screen  # noqa: PLC0415 - as above
    from srvctl.cli.screen.worker_rows import SORTS  # noqa: PLC0415 - as above

    sorts = list(SORTS)
    sort, is_help_shown = 0, False
    due = time.monotonic() + interval
    while True:
        view = View(
            watching.metrics,
            watching.figures,
            watching.events,
            tuple(watching.history),
            sorts[sort],
            watching.note,
            has_bars=terminal.has_bars,
            is_help_shown=is_help_shown,
        )
        terminal.draw(screen(view, *terminal.size))
        for key in terminal.wait(due - time.monotonic()):
            match key:
                case "q" | "Q":
                    return
                case "s":
                    sort = (sort + 1) % len(sorts)
                case "S":
                    sort = (sort - 1) % len(sorts)
                case "?" | "h":
                    is_help_shown = not is_help_shown
                case _:
                    pass
        if time.monotonic() >= due:
            watching.look()
            due = time.monotonic() + interval
