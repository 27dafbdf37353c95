"""Wrong values in words: what was written, and what would be right. No term of a library reaches the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.settings.catalog import Kind, Setting, catalog
from srvctl.settings.checks import CHECKS
from srvctl.settings.constrain import TOO_LARGE, TOO_SMALL
from srvctl.settings.display import quote
from srvctl.settings.layer import Given, Layer, Problem, Source
from srvctl.settings.model import validate
from srvctl.settings.refused import CLASSES

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WHERE_IN_A_LIST = 2


def validated(layer: Layer) -> dict[str, object]:
    """Return the typed values of ``layer`` by key; what is wrong in them becomes its problems."""
    values, errors = validate({key: given.value for key, given in layer.values.items()})
    for key, details in errors.items():
        given = layer.values[key]
        why = why_wrong_type(catalog()[key], given.value, details)
        layer.problems.append(Problem.at(given.origin, key, why))
    for key, value in values.items():
        problem = _wrong_form(catalog()[key], layer.values[key], value)
        if problem is not None:
            layer.problems.append(problem)
    return values


def why_wrong_type(setting: Setting, given: object, details: list[ErrorDetails]) -> str:
    """Return what is wrong with a value that has not the type of its setting, and what would be right.

    Args:
        setting: The setting.
        given: The value as it was given.
        details: What pydantic says.
    """
    detail = _most_telling(details)
    in_list = setting.kind is Kind.LIST and len(detail["loc"]) > _WHERE_IN_A_LIST
    value = quote(detail["input"] if in_list else given)
    expects = setting.expects
    match detail["type"]:
        case "value_error":
            why = str(detail["ctx"]["error"])
        case problem if problem in (TOO_SMALL, TOO_LARGE):
            why = f"is {problem.replace('_', ' ')}; write {expects}"
        case _ if setting.key in CLASSES and ":" in value:
            why = CLASSES[setting.key]
        case _ if in_list:
            why = f"is not a text; write {expects}"
        case _ if setting.kind is Kind.FLAG:
            why = f"is neither true nor false; write {expects}"
        case _:
            why = f"is not {setting.kind.value}; write {expects}"
    return f"{value} {why}"


def _most_telling(details: list[ErrorDetails]) -> ErrorDetails:
    """Prefer our own errors to those of each member of a union that did not fit."""
    return min(details, key=lambda detail: detail["type"] not in ("value_error", TOO_SMALL, TOO_LARGE))


def _wrong_form(setting: Setting, given: Given, value: object) -> Problem | None:
    check = CHECKS.get(setting.key)
    if check is None:
        return None
    for item in value if isinstance(value, tuple) else (value,):
        if item is None:
            continue
        try:
            check(item)
        except ValueError as error:
            hint = ""
            if setting.kind is Kind.LIST and given.origin.source in (Source.ENVIRONMENT, Source.FOREIGN):
                hint = ' (a list with spaces in it is written as JSON: ["...", "..."])'
            shown = "the value" if setting.option.is_secret else quote(item)
            return Problem.at(given.origin, setting.key, f"{shown} {error}{hint}", key=setting.key)
    return None
