"""Programs of the file made into `ProgramSettings`; what is wrong with one becomes a problem in our words.

Called by `settings.load`, and by `settings.keeping` for what another version has written. It loads pydantic,
so it is for the short-lived process that reads the settings (ADR 2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srvctl.listen_fds import FIRST_PASSED_FD
from srvctl.settings.catalog import Kind, Setting, program_catalog
from srvctl.settings.display import quote
from srvctl.settings.explain import why_wrong_type
from srvctl.settings.groups import ProgramSettings
from srvctl.settings.model import validate_program
from srvctl.settings.program_values import (
    EXIT,
    PROGRAM_CHECKS,
    check_command,
    notify_fd,
    split_command,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from srvctl.settings.layer import GivenProgram, Layer

_EXAMPLES = {"name": 'name = "queue"', "command": 'command = ["rq", "worker"]'}


@dataclass(slots=True)
class Read:
    """What reading the values of one program came to.

    Attributes:
        values: Those that are right, with their types.
        wrong: What is wrong with others, by key.
    """

    values: dict[str, Any]
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> ProgramSettings | None:
        """The settings; None where it has no name or no command."""
        if _EXAMPLES.keys() <= self.values.keys():
            return ProgramSettings(**self.values)
        return None


def read_programs(layer: Layer) -> list[tuple[GivenProgram, Read]]:
    """Return each program of a layer with what it came to; what is wrong becomes a problem of the layer."""
    found = []
    for given in layer.programs:
        read = read_program({key: one.value for key, one in given.values.items()})
        layer.problems += [given.problem(key, why) for key, why in read.wrong.items()]
        found.append((given, read))
    return found


def read_program(given: Mapping[str, object]) -> Read:
    """Return what the values of a program come to.

    Args:
        given: By key, of which each is known, as a file or JSON has them.
    """
    raw: dict[str, object] = {}
    wrong: dict[str, str] = {}
    for key, value in given.items():
        try:
            raw[key] = _forgiving(program_catalog()[key], value)
        except ValueError as error:
            wrong[key] = f"{quote(value)} {error}"
    values, errors = validate_program(raw)
    wrong |= {key: _wrong_type(key, raw[key], details) for key, details in errors.items()}
    wrong |= {key: why for key, value in values.items() if (why := _wrong_form(key, value))}
    wrong |= {
        key: f"is missing; write for example {example}"
        for key, example in _EXAMPLES.items()
        if key not in given
    }
    read = Read({key: value for key, value in values.items() if key not in wrong}, wrong)
    _judge_together(read)
    return read


def _forgiving(setting: Setting, value: object) -> object:
    """Return a value as the declaration has it, where people write it otherwise too."""
    if not isinstance(value, str):
        return value
    if setting.name == "command":
        return split_command(value)
    # Signals are also written sig-first and small.
    word = value.strip().upper().removeprefix("SIG")
    return word if setting.kind is Kind.CHOICE and word in setting.choices else value


def _wrong_type(key: str, value: object, details: list[Any]) -> str:
    setting = program_catalog()[key]
    if setting.kind is Kind.LIST and isinstance(value, dict):
        return f"is a table; write {setting.option.metavar}"
    return why_wrong_type(setting, value, details)


def _wrong_form(key: str, value: object) -> str:
    """Return what is wrong with a value of the right type; nothing if nothing is."""
    check = PROGRAM_CHECKS.get(key)
    shown = value
    try:
        if key == "command" and isinstance(value, tuple):
            check_command(value)
        for shown in () if check is None else value if isinstance(value, tuple) else (value,):
            if check is not None and shown is not None:
                check(shown)
    except ValueError as error:
        told = "an entry" if program_catalog()[key].option.is_secret else quote(shown)
        return f"{told} {error}" if key != "command" else str(error)
    return _given_twice(value) if key == "environment" and isinstance(value, tuple) else ""


def _given_twice(environment: Iterable[str]) -> str:
    seen = set()
    for entry in environment:
        name = entry.partition("=")[0]
        if name in seen:
            return f"gives {quote(name)} twice; leave one out"
        seen.add(name)
    return ""


def _judge_together(read: Read) -> None:
    """Judge values that are right by themselves: how a program is ready, and what else it says."""
    ready = read.values.get("ready")
    fd = notify_fd(ready) if ready else None
    passed = len(read.values.get("bind", ()))
    if fd is not None and fd < FIRST_PASSED_FD + passed:
        free = FIRST_PASSED_FD + passed
        read.wrong["ready"] = f"{quote(ready)} is one of the sockets of its bind; write fd:{free}"
    if ready != EXIT:
        return
    # A task that must be done once is not begun again for having been done.
    if read.values.setdefault("restart", "on-failure") == "always":
        read.wrong["restart"] = (
            '"always" would do what is ready by its exit over and over; write on-failure or never'
        )
