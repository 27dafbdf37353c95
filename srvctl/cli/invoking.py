"""Runs a command line through typer, and reports what is wrong with it. Imports typer and nothing heavy.

Also what every set of commands begins with: ``srvctl`` alone, and ``srvctl --version``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.main import get_command

from srvctl import __version__
from srvctl.cli.report import report
from srvctl.errors import ExitCode, SrvctlError
from srvctl.logs.streams import flush

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Typer raises click's exceptions, from click or from its own copy of it, and exports only this one of them.
_ClickError: Final[type[Exception]] = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)


def outcome(commands: typer.Typer, argv: Sequence[str]) -> Any:
    """Carry out one command line, and report what is wrong with it.

    Returns:
        What the command returns, or the exit code.
    """
    try:
        return get_command(commands).main(args=list(argv), prog_name="srvctl", standalone_mode=False)
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


def new_commands() -> typer.Typer:
    """Return a set of commands that has none yet."""
    commands = typer.Typer(
        help="Serve an ASGI application and supervise its workers.",
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    commands.callback(invoke_without_command=True)(root)
    return commands


def print_version(is_asked: bool) -> None:
    """Print the version and end the command, if that is asked for."""
    if is_asked:
        print(f"srvctl {__version__}")
        raise typer.Exit


def root(
    context: typer.Context,
    *,
    is_version_asked: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Serve an ASGI application and supervise its workers."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)
