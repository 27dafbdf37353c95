"""``srvctl rehearse``: its flags, and what they mean. It is carried out by `srvctl.cli.rehearsing`."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - typer evaluates the annotations of commands
from typing import Annotated

import typer

from srvctl.cli.flags import ConfigFlag  # noqa: TC001 - as above
from srvctl.cli.printing import show
from srvctl.cli.running import load_all
from srvctl.errors import ExitCode, UsageError, printable
from srvctl.rehearse.acts import SENTENCES, plan
from srvctl.rehearse.judging import Limits
from srvctl.rehearse.wishes import Wishes
from srvctl.settings.checks import check_header
from srvctl.settings.units import parse_duration

_Acts = Annotated[
    list[str] | None,
    typer.Option("--act", metavar="ACT", help="Try only this; repeatable.", show_default=False),
]
_Skipped = Annotated[
    list[str] | None,
    typer.Option("--skip", metavar="ACT", help="Leave this out; repeatable.", show_default=False),
]
_List = Annotated[bool, typer.Option("--list", help="Print the acts, and try none.")]
_Duration = Annotated[
    str, typer.Option("--duration", metavar="DURATION", help="Time for each act, at least. Default: 5s.")
]
_Rate = Annotated[float, typer.Option("--rate", metavar="N", help="Requests a second. Default: 50.")]
_Connections = Annotated[
    int, typer.Option("--connections", metavar="N", help="Connections at the same time. Default: 16.")
]
_Paths = Annotated[
    list[str] | None,
    typer.Option(
        "--path", metavar="PATH", help="Path to GET; repeatable, in turn. Default: /.", show_default=False
    ),
]
_Send = Annotated[
    list[str] | None,
    typer.Option(
        "--send",
        metavar="NAME:VALUE",
        help="Header of each request, such as Host:example.org; repeatable.",
        show_default=False,
    ),
]
_Late = Annotated[
    str, typer.Option("--late", metavar="DURATION", help="Time after which an answer is late. Default: 1s.")
]
_GiveUp = Annotated[
    str,
    typer.Option("--give-up", metavar="DURATION", help="Time after which a request is lost. Default: 10s."),
]
_MaxLost = Annotated[
    int,
    typer.Option(
        "--max-lost",
        metavar="N",
        help="Lost requests that an act may have, beside those at a worker it kills or blocks. Default: 0.",
    ),
]
_MaxFailed = Annotated[
    int,
    typer.Option(
        "--max-failed",
        metavar="N",
        help="Answers of 500 or more that an act may have, of paths that had none in steady. Default: 0.",
    ),
]
_MaxLate = Annotated[
    int | None,
    typer.Option("--max-late", metavar="N", help="Late answers that an act may have.", show_default=False),
]
_MaxP99 = Annotated[
    str | None,
    typer.Option(
        "--max-p99", metavar="DURATION", help="Time in which 99 of 100 answers must come.", show_default=False
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Print an object with all numbers.")]


def rehearse_command(
    given: Mapping[str, object],
    config: ConfigFlag = None,
    act: _Acts = None,
    skip: _Skipped = None,
    is_list: _List = False,
    duration: _Duration = "5s",
    rate: _Rate = 50.0,
    connections: _Connections = 16,
    path: _Paths = None,
    send: _Send = None,
    late: _Late = "1s",
    give_up: _GiveUp = "10s",
    max_lost: _MaxLost = 0,
    max_failed: _MaxFailed = 0,
    max_late: _MaxLate = None,
    max_p99: _MaxP99 = None,
    is_json: _Json = False,
) -> ExitCode:
    """Start APP on a free port, and try under load what can happen to a service."""
    acts = plan(act or [], skip or [])
    if is_list:
        show("\n".join(f"{name:10}  {SENTENCES[name]}" for name in acts))
        return ExitCode.OK
    wishes = Wishes(
        acts=acts,
        duration=_seconds("--duration", duration),
        rate=_at_least("--rate", rate, 0.1),
        connections=int(_at_least("--connections", connections, 1)),
        paths=tuple(_path(each) for each in path or ["/"]),
        headers=tuple(_header(each) for each in send or []),
        late_after=_seconds("--late", late),
        patience=_seconds("--give-up", give_up),
        limits=Limits(
            max_lost, max_failed, max_late, None if max_p99 is None else _seconds("--max-p99", max_p99)
        ),
    )
    settings = load_all(given, config).settings
    if settings.app.target is None:
        raise UsageError("nothing to rehearse: give APP (module:attribute) or -c FILE with [app] target")
    from srvctl.cli.rehearsing import carry_out  # noqa: PLC0415 - what other commands need not load

    return carry_out(settings, wishes, is_json=is_json)


rehearse_command.__name__ = "rehearse"


def _seconds(flag: str, value: str) -> float:
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise UsageError(f"{flag} {printable(value)!r} {error}") from None
    return _at_least(flag, seconds, 0.001)


def _at_least(flag: str, value: float, least: float) -> float:
    if value < least:
        raise UsageError(f"{flag} {value:g} is too small; write {least:g} or more")
    return value


def _path(value: str) -> str:
    if not value.startswith("/") or not value.isascii() or not value.isprintable() or " " in value:
        raise UsageError(f"--path: {printable(value)!r} is not a path; write for example /a/b?c=d")
    return value


def _header(value: str) -> str:
    try:
        check_header(value)
    except ValueError as error:
        raise UsageError(f"--send: {printable(value)!r} {error}") from None
    name, _, content = value.partition(":")
    return f"{name}: {content.strip()}"
