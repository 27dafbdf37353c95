"""What can be typed: every command with its flags, as plain values.

Read from the commands themselves, so that help, completion and the man page cannot say anything else. Knows
how typer and argparse keep their declarations; whoever presents them does not. Loads neither, and the
settings only once a flag of one is read: the overview of all commands has to be there at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterable, Mapping

#: Under which the flags stand that belong to no group of settings.
GENERAL: Final = "General"
#: Every command under the heading of its kind, in the order of the help.
SECTIONS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Serve": ("run", "start"),
        "Look after an instance that runs": (
            "status",
            "ls",
            "top",
            "reload",
            "stop",
            "restart",
            "upgrade",
            "recycle",
            "scale",
            "worker",
            "program",
            "why",
            "logs",
            "events",
            "healthcheck",
        ),
        "Look at settings": ("check", "config", "init", "migrate", "explain-proxy"),
        "Try it out": ("doctor", "rehearse"),
        "This program": ("completion", "version"),
    }
)
_HELP_TEXT: Final = "Show this help."
_NO_VALUE: Final = frozenset({"<bool>", "BOOLEAN"})


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag, or what unsets it as well.

    Attributes:
        names: All that can be typed, the plainest first.
        metavar: What stands for its value; empty where it takes none.
        help: One sentence or more.
        section: The heading it stands under.
        choices: The words it takes, where they are known.
        is_repeatable: Whether it may be given several times.
    """

    names: tuple[str, ...]
    metavar: str
    help: str
    section: str = GENERAL
    choices: tuple[str, ...] = ()
    is_repeatable: bool = False

    @property
    def opposite(self) -> str:
        """The name that unsets it; empty if there is none."""
        return next((name for name in self.names if name.startswith("--no-") and len(self.names) > 1), "")

    @property
    def spelling(self) -> str:
        """The names and the metavar, as help shows them."""
        return " ".join(filter(None, (", ".join(self.names), self.metavar)))


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: What is typed.
        help: One sentence or more.
        section: The heading it stands under.
        flags: Its flags, those of a section together.
        arguments: Metavar and help of what it takes beside flags; in brackets what may be left out.
    """

    name: str
    help: str
    section: str
    flags: tuple[Flag, ...]
    arguments: tuple[tuple[str, str], ...] = ()

    def sections(self) -> dict[str, list[Flag]]:
        """Return the flags by heading; those of no group come first."""
        found: dict[str, list[Flag]] = {GENERAL: []}
        for flag in self.flags:
            found.setdefault(flag.section, []).append(flag)
        return {section: flags for section, flags in found.items() if flags}

    @property
    def usage(self) -> str:
        """How it is typed, behind ``srvctl``."""
        return " ".join((self.name, *(metavar for metavar, _ in self.arguments), "[OPTIONS]"))


def of_typer(name: str, command: Any, parameters: Iterable[Any]) -> Command:
    """Return a command that typer has made.

    Args:
        name: What is typed.
        command: Typer's object.
        parameters: Its parameters, with the flag for help.
    """
    seen = list(parameters)
    return Command(
        name,
        (command.help or "").strip(),
        section_of(name),
        tuple(_flag(p) for p in seen if p.param_type_name == "option" and not p.hidden),
        tuple(
            (_argument(p.metavar or p.name.upper(), is_required=p.required), p.help or "")
            for p in seen
            if p.param_type_name == "argument"
        ),
    )


def _flag(parameter: Any) -> Flag:
    from srvctl.settings.catalog import Kind, catalog  # noqa: PLC0415 - the overview does without

    setting = catalog().get(str(parameter.name).replace("__", "."))
    names = sorted(parameter.opts, key=lambda name: name[:2] == "--")  # -c before --config
    takes_none = parameter.is_flag or parameter.metavar in _NO_VALUE
    choices = setting.choices if setting is not None else ()
    if setting is not None and setting.kind is Kind.FLAG and not takes_none:
        choices = ("true", "false")
    return Flag(
        (*names, *parameter.secondary_opts),
        "" if takes_none else parameter.metavar or "VALUE",
        _HELP_TEXT if "--help" in names else parameter.help or "",
        parameter.rich_help_panel or GENERAL,
        choices,
        bool(parameter.multiple),
    )


def of_argparse(name: str, parser: ArgumentParser) -> Command:
    """Return a command that argparse reads."""
    actions = parser._actions  # noqa: SLF001 - argparse has no other way to ask, and they are as old as it is
    return Command(
        name,
        parser.description or "",
        section_of(name),
        tuple(
            Flag(
                tuple(action.option_strings),
                "" if action.nargs == 0 else str(action.metavar or "VALUE"),
                _HELP_TEXT if "--help" in action.option_strings else action.help or "",
            )
            for action in actions
            if action.option_strings
        ),
        tuple(
            (_argument(str(action.metavar), is_required=action.nargs != "?"), action.help or "")
            for action in actions
            if not action.option_strings
        ),
    )


def _argument(metavar: str, *, is_required: bool) -> str:
    return metavar if is_required or metavar.startswith("[") else f"[{metavar}]"


def section_of(name: str) -> str:
    """Return the heading a command stands under."""
    return next((section for section, names in SECTIONS.items() if name in names), "Other")


def in_order(commands: Iterable[Command]) -> list[Command]:
    """Return commands in the order of the help; one without a place comes last."""
    order = [name for names in SECTIONS.values() for name in names]
    return sorted(commands, key=lambda c: order.index(c.name) if c.name in order else len(order))
