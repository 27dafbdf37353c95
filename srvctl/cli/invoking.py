"""Runs a command line through typer, and reports what is wrong with it. Imports typer and nothing heavy.

Also what every set of commands begins with: ``srvctl`` alone, and ``srvctl --version``; and how typer's
commands say what they are and what was wrong, in srvctl's words.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from srvctl import __version__
from srvctl.cli import mistakes
from srvctl.cli.helping import INTRO, command_help, overview
from srvctl.cli.report import report
from srvctl.cli.surface import Command, Flag, in_order, of_typer
from srvctl.errors import ExitCode, SrvctlError, UsageError, printable
from srvctl.logs.streams import flush

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


class _OneCommand(TyperCommand):
    """A command whose help and mistakes are told in srvctl's words."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        command = of_typer(ctx.info_name, self, self.get_params(ctx))
        formatter.write(command_help(command, shutil.get_terminal_size().columns, _bold))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the flags.

        Raises:
            UsageError: There is no such flag, or a word too many.
        """
        ctx.allow_extra_args = True
        with _in_own_words(ctx.info_name, of_typer(ctx.info_name, self, self.get_params(ctx)).flags):
            further = super().parse_args(ctx, args)
        if further and not self.context_settings.get("allow_extra_args"):
            application = ctx.params.get("app__target")
            raise UsageError(printable(mistakes.too_many(ctx.info_name, application, further)))
        return further


class _AllCommands(TyperGroup):
    """The set of commands, likewise."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        flags = of_typer("", self, self.get_params(ctx)).flags
        columns = shutil.get_terminal_size().columns
        formatter.write(overview(INTRO, in_order(_listed(self, ctx)), flags, columns, _bold))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the flags before the command.

        Raises:
            UsageError: There is no such flag.
        """
        with _in_own_words("", of_typer("", self, self.get_params(ctx)).flags):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command.

        Raises:
            UsageError: There is none of the name.
        """
        if self.get_command(ctx, args[0]) is None:
            raise UsageError(printable(mistakes.no_command(args[0], self.list_commands(ctx))))
        return super().resolve_command(ctx, args)


class _Commands(typer.Typer):
    """A set of commands; each looks as `_OneCommand` has it."""

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = None, **rest: Any
    ) -> Callable[[Any], Any]:
        """Return the decorator that adds a command."""
        return super().command(name, cls=cls or _OneCommand, **rest)


def new_commands() -> typer.Typer:
    """Return a set of commands that has none yet."""
    commands = _Commands(
        help=INTRO,
        cls=_AllCommands,
        add_completion=False,
        rich_markup_mode=None,  # help is plain text, and rich takes a fifth of a second to load
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    commands.callback(invoke_without_command=True)(root)
    return commands


def listed(commands: typer.Typer) -> list[Command]:
    """Return what can be typed of a set of commands, in the order of the help."""
    return in_order(_listed(*_group(commands)))


def own_flags(commands: typer.Typer) -> tuple[Flag, ...]:
    """Return the flags of ``srvctl`` itself, before any command."""
    group, context = _group(commands)
    return of_typer("", group, group.get_params(context)).flags


def _group(commands: typer.Typer) -> tuple[Any, Any]:
    group: Any = get_command(commands)
    return group, typer.Context(group, info_name="srvctl", **group.context_settings)


def _listed(group: Any, context: Any) -> Iterator[Command]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if not command.hidden:
            yield of_typer(
                name, command, command.get_params(typer.Context(command, info_name=name, parent=context))
            )


@contextmanager
def _in_own_words(command: str, flags: Sequence[Flag]) -> Iterator[None]:
    """Say what is wrong with a flag, and what was probably meant.

    Raises:
        UsageError: There is no such flag, or it has no value or one too many.
    """
    try:
        yield
    except _ClickError as error:
        name: str = getattr(error, "option_name", "")
        flag = next((flag for flag in flags if name in flag.names), None)
        if type(error).__name__ == "NoSuchOption":
            line = mistakes.no_flag(command, name, [name for flag in flags for name in flag.names])
        elif type(error).__name__ == "BadOptionUsage" and flag is not None:
            line = mistakes.wrong_use(name, flag.metavar, flag.opposite)
        else:
            raise
        raise UsageError(printable(line)) from None


def _bold(text: str) -> str:
    return typer.style(text, bold=True)  # on a terminal; typer takes it away elsewhere


def print_version(is_asked: bool) -> None:
    """Print the version and end the command, if that is asked for."""
    if is_asked:
        print(f"srvctl {__version__}")
        raise typer.Exit


VersionFlag = Annotated[
    bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
]


def root(
    context: typer.Context,
    *,
    is_version_asked: VersionFlag = False,  # noqa: ARG001 - its callback does the work
) -> None:
    """Serve an ASGI or WSGI application and supervise its workers."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)
