"""The declarations of `groups`, read once into a flat list: what each setting is called and what it takes.

Everything that presents settings (flags, variables, messages, reference) reads this list; it imports no
pydantic, so the reference and the flags describe the declaration and not a library's view of it.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from enum import Enum
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from srvctl.settings.groups import ProgramSettings, Settings
from srvctl.settings.option import Option
from srvctl.settings.units import DURATION_FORM, SIZE_FORM, ParsedBy, parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_PREFIX: Final = "SRVCTL_"
ENV_DELIMITER: Final = "__"
#: The name of the tables, and of the field of `Settings`, that are no group: there may be many.
PROGRAM: Final = "program"


class Kind(Enum):
    """What a setting takes; the value is how a message names it."""

    TEXT = "a text"
    WHOLE = "a whole number"
    CHOICE = "one of the known values"
    FLAG = "true or false"
    LIST = "a list of texts"
    DURATION = "a duration"
    SIZE = "a size"


@dataclass(frozen=True, slots=True)
class Setting:
    """One declared setting.

    Attributes:
        group: The table it stands in.
        name: Its key in that table.
        kind: What it takes.
        choices: The words it takes: all of them for `Kind.CHOICE`, those beside a number for `Kind.WHOLE`.
        default: Its value when no source gives one.
        option: The declared metadata.
    """

    group: str
    name: str
    kind: Kind
    choices: tuple[str, ...]
    default: object
    option: Option

    @property
    def key(self) -> str:
        """The dotted key: ``workers.count``."""
        return f"{self.group}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable of its own: ``SRVCTL_WORKERS__COUNT``."""
        return f"{ENV_PREFIX}{self.group}{ENV_DELIMITER}{self.name}".upper()

    @property
    def label(self) -> str:
        """What stands for it on the command line: its flag, or the name of the argument."""
        return self.option.flag or self.option.metavar

    @property
    def is_switch(self) -> bool:
        """Whether its flag takes no value."""
        return self.kind is Kind.FLAG and not self.option.takes_word

    @property
    def flags(self) -> tuple[str, str]:
        """The flag that sets it and the one that unsets it; the second is empty unless it is on by itself."""
        flag = self.option.flag
        if not self.is_switch or self.default is False:
            return flag, ""
        return flag, f"--no-{flag.removeprefix('--')}"

    @property
    def metavar(self) -> str:
        """What stands for the value in help and reference: ``N|auto``, ``auto|on|off``, ``PATH``."""
        by_kind = {Kind.CHOICE: "|".join(self.choices), Kind.WHOLE: "N", Kind.FLAG: "true|false"}
        return self.option.metavar or by_kind.get(self.kind, "TEXT")

    @property
    def expects(self) -> str:
        """What would be right, for a message: ``a whole number ≥ 1 or auto``."""
        bounds = self._bounds()
        match self.kind:
            case Kind.WHOLE:
                expects = _or((f"a whole number{bounds}", *self.choices))
            case Kind.CHOICE:
                expects = _or(self.choices)
            case Kind.DURATION:
                expects = f"a duration{bounds}: {DURATION_FORM}" if bounds else DURATION_FORM
            case Kind.SIZE:
                expects = f"a size{bounds}: {SIZE_FORM}" if bounds else SIZE_FORM
            case Kind.LIST:
                expects = '["...", "..."]'
            case Kind.TEXT:
                expects = 'it in quotes: "..."'
            case Kind.FLAG:
                expects = "true or false"
        return expects

    def _bounds(self) -> str:
        low, high = self.option.minimum, self.option.maximum
        if low is not None and high is not None:
            return f" from {low:g} to {high:.0f}"
        return "".join(
            f" {sign} {bound:.12g}" for sign, bound in (("≥", low), ("≤", high)) if bound is not None
        )


@cache
def catalog() -> Mapping[str, Setting]:
    """Return every declared setting by its dotted key, in the order of declaration."""
    return MappingProxyType(
        {setting.key: setting for group, cls in groups().items() for setting in _settings_of(group, cls)}
    )


@cache
def program_catalog() -> Mapping[str, Setting]:
    """Return what a ``[[program]]`` may say, by its key in that table; required ones have no default."""
    return MappingProxyType({setting.name: setting for setting in _settings_of(PROGRAM, ProgramSettings)})


@cache
def groups() -> Mapping[str, type]:
    """Return the class of each group by the name of its table."""
    hints = get_type_hints(Settings)
    return MappingProxyType({name: hints[name] for name in hints if name != PROGRAM})


def title(group: str) -> str:
    """Return the heading of a group: the first line of its docstring, without the full stop."""
    return (groups()[group].__doc__ or group).partition("\n")[0].removesuffix(".")


def _settings_of(group: str, cls: type) -> list[Setting]:
    hints = get_type_hints(cls, include_extras=True)
    defaults = {field.name: None if field.default is MISSING else field.default for field in fields(cls)}
    return [_setting(group, name, default, hints[name]) for name, default in defaults.items()]


def _setting(group: str, name: str, default: object, hint: Any) -> Setting:
    base, *marks = get_args(hint)
    option = next(mark for mark in marks if isinstance(mark, Option))
    parser = next((mark.parser for mark in marks if isinstance(mark, ParsedBy)), None)
    kind = _PARSED[parser] if parser is not None else _kind(base)
    return Setting(
        group=group, name=name, kind=kind, choices=choices_of(base), default=default, option=option
    )


def _kind(annotation: Any) -> Kind:
    match [arm for arm in arms_of(annotation) if arm is not NoneType and get_origin(arm) is not Literal]:
        case []:
            return Kind.CHOICE
        case [arm] if arm in _KINDS:
            return _KINDS[arm]
        case _:
            raise TypeError(f"no kind of setting has the type {annotation}")


_PARSED: Final[dict[object, Kind]] = {parse_duration: Kind.DURATION, parse_size: Kind.SIZE}
_KINDS: Final[dict[object, Kind]] = {
    bool: Kind.FLAG,
    int: Kind.WHOLE,
    str: Kind.TEXT,
    tuple[str, ...]: Kind.LIST,
}


def arms_of(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the annotation itself."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def choices_of(annotation: Any) -> tuple[str, ...]:
    """Return the words of every `Literal` in an annotation."""
    return tuple(word for arm in arms_of(annotation) if get_origin(arm) is Literal for word in get_args(arm))


def _or(alternatives: tuple[str, ...]) -> str:
    *most, last = alternatives
    return f"{', '.join(most)} or {last}" if most else last
