"""The commands. ``run`` only reads settings; `srvctl.__main__` serves them, in a process without typer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence  # noqa: TC003 - typer evaluates the annotations of commands
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.main import get_command

from srvctl import __version__
from srvctl.cli import explain_proxy as proxies
from srvctl.cli.check import as_json, as_table
from srvctl.cli.flags import ConfigFlag, with_flags
from srvctl.cli.report import report
from srvctl.cli.tls import check_tls
from srvctl.cli.why import why
from srvctl.errors import ExitCode, SrvctlError, UsageError
from srvctl.logs.streams import flush
from srvctl.settings.groups import Settings
from srvctl.settings.load import Loaded, load

#: Typer raises click's exceptions, from click or from its own copy of it, and exports only this one of them.
_ClickError: Final[type[Exception]] = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)

_app = typer.Typer(
    help="Serve an ASGI application and supervise its workers.",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def invoke(argv: Sequence[str]) -> Settings | ExitCode:
    """Carry out one command line, and report what is wrong with it.

    Returns:
        What to serve, for ``run``; the exit code for everything else.
    """
    try:
        result = get_command(_app).main(args=list(argv), prog_name="srvctl", standalone_mode=False)
    except SrvctlError as error:
        report(str(error))
        return error.exit_code
    except _ClickError as error:
        report(error.format_message())  # type: ignore[attr-defined] # of ClickException
        return ExitCode.USAGE
    except SystemExit:
        # Only like this do rich and typer end when the reader of their help has left.
        return ExitCode.OK
    finally:
        flush()
    return result if isinstance(result, Settings) else ExitCode(result or ExitCode.OK)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"srvctl {__version__}")
        raise typer.Exit


@_app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    is_version_asked: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Serve an ASGI application and supervise its workers."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


def run(given: Mapping[str, object], config: ConfigFlag = None) -> Settings:
    """Serve APP in the foreground until asked to stop."""
    settings = _load(given, config).settings
    if settings.app.target is None:
        raise UsageError("nothing to serve: give APP (module:attribute) or -c FILE with [app] target")
    return settings


def check(
    given: Mapping[str, object],
    config: ConfigFlag = None,
    json: Annotated[bool, typer.Option("--json", help="Print an object: key to value and origin.")] = False,
) -> None:
    """Check the settings and print every value and where it came from."""
    loaded = _load(given, config)
    print(as_json(loaded) if json else as_table(loaded))


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
    """Print what a request becomes by its forwarding headers, and why."""
    question = proxies.read_question(peer, fields or [], scheme, path)
    answer = proxies.explain(_load(given, config).settings, question)
    print(proxies.as_json(answer) if json else proxies.as_text(answer))


def _load(given: Mapping[str, object], config: Path | None) -> Loaded:
    # Read here and not by typer, of which some versions do not read it for a path.
    named = os.environ.get("SRVCTL_CONFIG")
    loaded = load(given, os.environ, Path(named) if config is None and named else config)
    check_tls(loaded)
    return loaded


_app.command()(with_flags(run))
_app.command()(with_flags(check))
_app.command()(with_flags(explain_proxy))
_app.command()(why)


@_app.command()
def version() -> None:
    """Print the version."""
    _print_version(is_asked=True)
