"""The flags of ``run`` and ``check``, made from the declarations in `srvctl.settings.groups`.

Typer reads the parameters of a function, so this module writes the signature of one. Every value stays the
raw text: pydantic alone validates, for all sources alike.
"""

from __future__ import annotations

from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from srvctl.settings.catalog import Kind, Setting, catalog, title
from srvctl.settings.display import format_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WIDEST_METAVAR: Final = 30


def with_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``command`` with a flag for every setting.

    Args:
        command: Called with ``given``, the values of the flags that were given by dotted key, with
            ``config``, the file, and with its own keyword parameters, which must be annotated for typer.
    """
    names = {setting.key.replace(".", "__"): setting for setting in catalog().values()}
    own = [
        p for p in Signature.from_callable(command, eval_str=True).parameters.values() if p.name != "given"
    ]
    arguments = [p for p in own if _is_argument(p)]
    parameters = [
        *(p.replace(kind=Parameter.KEYWORD_ONLY) for p in arguments),  # typed before APP
        *(
            Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(setting))
            for name, setting in names.items()
        ),
        *(p.replace(kind=Parameter.KEYWORD_ONLY) for p in own if p not in arguments),
    ]

    def wrapper(**values: Any) -> Any:
        given = {setting.key: values.pop(name) for name, setting in names.items()}
        # Typer gives an empty list for a repeatable flag that was not given.
        given = {key: value for key, value in given.items() if value is not None and value != []}
        return command(given=given, **values)

    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(wrapper)["__signature__"] = Signature(parameters)
    return wrapper


ConfigFlag = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        show_default=False,
        help="File with settings: .toml, .yaml or .yml; without the flag, the one that SRVCTL_CONFIG names.",
    ),
]


def _is_argument(parameter: Parameter) -> bool:
    marks = getattr(parameter.annotation, "__metadata__", ())
    return any(isinstance(mark, typer.models.ArgumentInfo) for mark in marks)


def _annotation(setting: Setting) -> Any:
    """Return what typer reads a setting's flag from."""
    if not setting.option.flag:
        return Annotated[
            str | None,
            typer.Argument(metavar=setting.option.metavar, help=setting.option.help, show_default=False),
        ]
    presentation: Mapping[str, Any] = {
        "help": _help(setting),
        "rich_help_panel": title(setting.group),
        "show_default": False,
    }
    on, off = setting.flags
    if setting.is_switch:
        return Annotated[bool | None, typer.Option(f"{on}/{off}" if off else on, metavar="", **presentation)]
    raw = list[str] | None if setting.kind is Kind.LIST else str | None
    return Annotated[
        raw, typer.Option(on, *setting.option.aliases, metavar=_metavar(setting), **presentation)
    ]


def _help(setting: Setting) -> str:
    """Return the declared sentence, and those that the declaration's other parts make."""
    sentences = [setting.option.help]
    if setting.kind is Kind.CHOICE and _metavar(setting) != setting.metavar:
        sentences.append(f"One of {', '.join(setting.choices)}.")
    if setting.is_switch and setting.default is True:
        sentences.append("Default: on.")
    elif setting.default not in (None, False, "", ()):
        sentences.append(f"Default: {format_value(setting, setting.default)}.")
    return " ".join(sentences)


def _metavar(setting: Setting) -> str:
    """Return the metavar, or the key's name where all the words would squeeze the help into a corner."""
    return setting.metavar if len(setting.metavar) <= _WIDEST_METAVAR else setting.name.upper()
