"""Reads the file that ``log.config`` names: JSON, YAML or TOML for dictConfig, anything else for fileConfig.

It is read once for each generation, by the process that reads the settings; what is in it then travels with
its name, so that every process of the generation does the same and the master never loads a parser for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class LogConfigError(ValueError):
    """The configuration cannot be used; the message is one line that names the file."""


class ConfigFile(str):
    """The name of a file, as the setting has it, and what was read there.

    Equal to another if name and content are; to a mere text if the name is.

    Attributes:
        content: A dictionary for dictConfig, or the text of a file for fileConfig.
        folder: Where its classes are imported from; nothing is the working directory.
    """

    __slots__ = ("content", "folder")

    content: dict[str, Any] | str
    folder: str

    def __new__(cls, name: str, content: dict[str, Any] | str, folder: str = "") -> Self:
        """Put them together."""
        made = super().__new__(cls, name)
        made.content = content
        made.folder = folder
        return made

    def __getnewargs__(self) -> tuple[str, dict[str, Any] | str, str]:  # type: ignore[override]  # str has one
        return str(self), self.content, self.folder

    def __eq__(self, other: object) -> bool:
        is_same = str.__eq__(self, other) is True
        return is_same and (not isinstance(other, ConfigFile) or self.content == other.content)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def read(name: str, folder: str = "") -> ConfigFile:
    """Read a file; its suffix says what it is.

    Args:
        name: The file; relative to the working directory.
        folder: Where its classes are to be imported from.

    Raises:
        LogConfigError: It cannot be read, or is not what its name says.
    """
    try:
        text = Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise LogConfigError(f"{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LogConfigError(f"{name} is not text in UTF-8") from None
    kind, parse = _parser(Path(name).suffix)
    if parse is None:
        return ConfigFile(name, text, folder)
    try:
        content = parse(text)
    except RecursionError:
        raise LogConfigError(f"{name} is nested too deeply") from None
    except ValueError as error:
        raise LogConfigError(f"{name} is not {kind}: {one_line(error)}") from None
    if not isinstance(content, dict):
        raise LogConfigError(f"{name} has no keys at its top, such as version: 1")
    return ConfigFile(name, content, folder)


def _parser(suffix: str) -> tuple[str, Callable[[str], Any] | None]:
    """Return what a suffix stands for, and what raises ValueError for a text that is something else."""
    match suffix:
        case ".json":
            import json  # noqa: PLC0415 - only the parser that is needed

            return "JSON", json.loads
        case ".toml":
            import tomllib  # noqa: PLC0415 - as above

            return "TOML", tomllib.loads
        case ".yaml" | ".yml":
            return "YAML", _parse_yaml
    return "", None


def _parse_yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 - as above

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = "" if mark is None else f": line {mark.line + 1} column {mark.column + 1}"
        raise ValueError(f"{error.problem}{place}") from None
    except yaml.YAMLError as error:  # such as a control character
        raise ValueError(one_line(error)) from None


def one_line(error: object) -> str:
    """Return what an error says, without line breaks and a full stop."""
    return " ".join(str(error).split()).removesuffix(".")
