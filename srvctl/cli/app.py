"""All commands. Those that are waited for most have sets of their own: `srvctl.cli.running` and `quick`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - typer evaluates the annotations of commands
from typing import Annotated

import typer

from srvctl.cli import completion, config_show, quick
from srvctl.cli import explain_proxy as proxies
from srvctl.cli.check import as_json, as_table
from srvctl.cli.doctor import doctor
from srvctl.cli.flags import ConfigFlag, with_flags
from srvctl.cli.init import init
from srvctl.cli.invoking import listed, new_commands, outcome, own_flags, print_version
from srvctl.cli.migrate import migrate
from srvctl.cli.quick import COMMANDS
from srvctl.cli.quick import invoke as invoke_quick
from srvctl.cli.rehearse import rehearse_command
from srvctl.cli.running import load_all, run
from srvctl.cli.start import start
from srvctl.cli.surface import Command, Flag, of_argparse
from srvctl.cli.why import why
from srvctl.errors import ExitCode, UsageError, printable
from srvctl.settings.service import Service

_app = new_commands()


def invoke(argv: Sequence[str]) -> Service | ExitCode:
    """Carry out one command line, and report what is wrong with it.

    Returns:
        What to serve, for ``run``; the exit code for everything else.
    """
    result = outcome(_app, argv)
    return result if isinstance(result, Service) else ExitCode(result or ExitCode.OK)


def everything() -> list[Command]:
    """Return every command with all that can be typed behind it, in the order of the help."""
    parsers = {name: quick.parser(name) for name in COMMANDS} | {completion.NAME: completion.parser()}
    return [
        of_argparse(command.name, parsers[command.name]) if command.name in parsers else command
        for command in listed(_app)
    ]


def flags() -> tuple[Flag, ...]:
    """Return the flags of ``srvctl`` itself."""
    return own_flags(_app)


def check(
    given: Mapping[str, object],
    config: ConfigFlag = None,
    json: Annotated[bool, typer.Option("--json", help="Print an object: key to value and origin.")] = False,
) -> None:
    """Check the settings and print each value and where it is from."""
    loaded = load_all(given, config)
    print(as_json(loaded) if json else as_table(loaded))


def config_command(
    given: Mapping[str, object],
    what: Annotated[
        str,
        typer.Argument(
            metavar="show|diff",
            help="show prints the settings; diff what a reload of an instance that runs would change.",
            show_default=False,
        ),
    ],
    origin: Annotated[bool, typer.Option("--origin", help="Also print where each is from.")] = False,
    changed: Annotated[bool, typer.Option("--changed", help="Leave out those with their defaults.")] = False,
    running: Annotated[bool, typer.Option("--running", help="Ask the instance that runs.")] = False,
    config: ConfigFlag = None,
    json: Annotated[bool, typer.Option("--json", help="Print an object.")] = False,
) -> ExitCode:
    """Print the settings, those of an instance that runs, or what differs."""
    if what not in {"show", "diff"}:
        raise UsageError(f"srvctl config {printable(what)} is not known; write srvctl config show or diff")
    if what == "diff":
        return config_show.print_difference(config_show.wanted(given, config), is_json=json)
    if running:
        which = config_show.wanted(given, config)
        config_show.print_running(which, changed_only=changed, is_json=json)
    else:
        loaded = load_all(given, config)
        config_show.print_read(loaded, with_origin=origin, changed_only=changed, is_json=json)
    return ExitCode.OK


def explain_proxy(
    given: Mapping[str, object],
    peer: Annotated[
        str,
        typer.Option(
            "--from", metavar="PEER", help="Who sends the request: IP, IP:PORT or unix.", show_default=False
        ),
    ],
    fields: Annotated[
        list[str] | None,
        typer.Option("-H", metavar="NAME:VALUE", help="A header of it; repeatable.", show_default=False),
    ] = None,
    scheme: Annotated[str, typer.Option(metavar="SCHEME", help="http or https.")] = "http",
    path: Annotated[str, typer.Option(metavar="PATH", help="What it asks for.")] = "/",
    config: ConfigFlag = None,
    json: Annotated[bool, typer.Option("--json", help="Print an object.")] = False,
) -> None:
    """Print what forwarding headers make of a request, and why."""
    question = proxies.read_question(peer, fields or [], scheme, path)
    answer = proxies.explain(load_all(given, config).settings, question)
    print(proxies.as_json(answer) if json else proxies.as_text(answer))


_app.command()(with_flags(run))
_app.command()(with_flags(start))
_app.command()(with_flags(check))
_app.command("config")(with_flags(config_command))
_app.command()(with_flags(explain_proxy))
_app.command()(with_flags(rehearse_command))
_app.command()(with_flags(doctor))
_app.command()(with_flags(init))
_app.command()(why)
_app.command(context_settings={"allow_interspersed_args": False})(migrate)


def _quick(context: typer.Context) -> ExitCode:
    return _QUICK[context.info_name or ""]([context.info_name or "", *context.args])


_QUICK = {**dict.fromkeys(COMMANDS, invoke_quick), completion.NAME: completion.invoke}
for _name, _text in {**COMMANDS, completion.NAME: completion.HELP}.items():
    # Here to be listed; `srvctl.__main__` does not load all this for them.
    _flags = {"allow_extra_args": True, "ignore_unknown_options": True}
    _app.command(_name, help=_text, add_help_option=False, context_settings=_flags)(_quick)


@_app.command()
def version() -> None:
    """Print the version."""
    print_version(is_asked=True)
