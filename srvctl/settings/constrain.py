"""The schema pydantic checks one setting with: its type, its bounds, and a forgiving reading of words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticCustomError, core_schema

from srvctl.settings.catalog import arms_of, choices_of

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

    from srvctl.settings.option import Option

#: The kernel's interfaces count in C integers; a larger number would be refused there, without its name.
_LARGEST_INT: Final = 2**31 - 1

TOO_SMALL: Final = "too_small"
TOO_LARGE: Final = "too_large"


def constrain(option: Option, annotation: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
    """Return the schema of ``annotation`` with the bounds of ``option`` around it."""
    arms, choices = arms_of(annotation), choices_of(annotation)
    schema = handler(annotation)
    low, high = option.minimum, option.maximum
    if high is None and schema["type"] != "function-before":  # durations and sizes have limits of their own
        high = _LARGEST_INT

    def read(value: Any) -> Any:
        if isinstance(value, bool) and bool not in arms:
            # YAML 1.1 reads the words on and off as booleans, and Python counts booleans as numbers.
            word = "on" if value else "off"
            if word not in choices:
                raise PydanticCustomError("not_a_boolean", "a boolean does not stand for anything here")
            return word
        if isinstance(value, str) and value.strip().lower() in choices:
            return value.strip().lower()
        return value

    def check(value: Any) -> Any:
        if isinstance(value, (int, float)):
            if low is not None and value < low:
                raise PydanticCustomError(TOO_SMALL, "below the minimum")
            if high is not None and value > high:
                raise PydanticCustomError(TOO_LARGE, "above the maximum")
        return value

    return core_schema.no_info_after_validator_function(
        check, core_schema.no_info_before_validator_function(read, schema)
    )
