"""All sources together: who wins, what is wrong, and where each value came from.

Called in the short-lived resolver process only (ADR 2): it imports pydantic, which the result does not need.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import ConfigError, TargetError, UsageError, printable
from srvctl.settings.catalog import catalog, groups, program_catalog
from srvctl.settings.conflicts import keep_bounds, keep_one_worker
from srvctl.settings.explain import validated
from srvctl.settings.groups import Settings
from srvctl.settings.layer import DEFAULT, Layer, Origin, Problem, Source
from srvctl.settings.listen import keep_one_way
from srvctl.settings.sources import from_command_line, from_environment, from_foreign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from srvctl.settings.layer import GivenProgram
    from srvctl.settings.programs import Read

_PRECEDENCE: Final = tuple(Source)
_AFTER: Final = "workers.after"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings of one instance.

    Attributes:
        settings: The validated values.
        origins: Where each came from, for every dotted key.
        program_origins: The same for each program, by its key in the table.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    program_origins: tuple[Mapping[str, Origin], ...] = ()


def load(cli: Mapping[str, object], environ: Mapping[str, str], file: Path | None) -> Loaded:
    """Read, merge and validate all settings.

    Precedence: command line, ``SRVCTL_*``, variables of other tools, file, defaults.

    Args:
        cli: The values of the flags that were given, by dotted key, as typed.
        environ: The environment.
        file: The configuration file, if any.

    Raises:
        UsageError: Every mistake is on the command line.
        ConfigError: A mistake is in the environment or in the file. Both list all of them, one on a line.
    """
    flags, ours = from_command_line(cli), from_environment(environ)
    foreign = from_foreign(environ, flags, ours)
    own = [flags, ours, *([_from_file(file)] if file is not None else [])]
    # Every value in our own sources must be right, even one that is overruled; a variable of another tool
    # is judged only where it decides, so after what overrules it is known.
    typed = {layer.source: validated(layer) for layer in own}
    layers = sorted([*own, foreign], key=lambda layer: _PRECEDENCE.index(layer.source))
    conflicts = keep_one_way(layers) + keep_one_worker(layers)
    typed[Source.FOREIGN] = validated(foreign)
    conflicts += keep_bounds(layers, typed)
    programs, wrong = _programs(layers, typed)
    conflicts += wrong
    raise_all([problem for layer in layers for problem in layer.problems] + conflicts)
    values: dict[str, object] = {}
    origins: dict[str, Origin] = {}
    for layer in reversed(layers):
        for key, given in layer.values.items():
            values[key], origins[key] = typed[layer.source][key], given.origin
    return Loaded(
        replace(_assemble(values), program=tuple(filter(None, (read.settings for _, read in programs)))),
        MappingProxyType({key: origins.get(key, DEFAULT) for key in catalog()}),
        tuple(_origins(given) for given, _ in programs),
    )


def _from_file(file: Path) -> Layer:
    from srvctl.settings.file import from_file  # noqa: PLC0415 - without a file, no parser need be loaded

    return from_file(file)


def _programs(
    layers: Sequence[Layer], typed: Mapping[Source, Mapping[str, object]]
) -> tuple[Sequence[tuple[GivenProgram, Read]], list[Problem]]:
    """Return the programs of the file, and what is wrong with their order."""
    file = next((layer for layer in layers if layer.programs), None)
    decider = next((layer for layer in layers if _AFTER in layer.values), None)
    if file is None and decider is None:
        return (), []
    # Without programs, which most services are, nothing about them need be loaded.
    from srvctl.settings.program_order import order_problems  # noqa: PLC0415
    from srvctl.settings.programs import read_programs  # noqa: PLC0415

    programs = read_programs(file) if file is not None else []
    if decider is None:
        return programs, order_problems(programs, ())
    after: Any = typed[decider.source].get(_AFTER, ())
    return programs, order_problems(programs, after, decider.values[_AFTER].origin)


def _origins(given: GivenProgram) -> Mapping[str, Origin]:
    return MappingProxyType(
        {key: given.values[key].origin if key in given.values else DEFAULT for key in program_catalog()}
    )


def _assemble(values: Mapping[str, object]) -> Settings:
    """Put typed values by dotted key over the defaults."""
    by_group: dict[str, dict[str, Any]] = {group: {} for group in groups()}
    for key, value in values.items():
        by_group[catalog()[key].group][catalog()[key].name] = value
    return Settings(**{group: cls(**by_group[group]) for group, cls in groups().items()})


def raise_all(problems: list[Problem]) -> None:
    """Raise one error for all problems; none raises nothing.

    Raises:
        TargetError: The only mistake is what the command line calls the application.
        UsageError: Every mistake is on the command line.
        ConfigError: A mistake is elsewhere.
    """
    if not problems:
        return
    # Stable: sources stay in the order of precedence, and a file's problems come in the order of its lines.
    ordered = sorted(problems, key=lambda p: (_PRECEDENCE.index(p.origin.source), p.origin.line or 0))
    message = "\n".join(printable(problem.line) for problem in ordered)
    if all(problem.origin.source is Source.COMMAND_LINE for problem in problems):
        is_target = all(problem.key == "app.target" for problem in problems)
        raise (TargetError if is_target else UsageError)(message)
    raise ConfigError(message)
