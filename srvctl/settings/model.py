"""The pydantic-settings model of all groups, made from the declarations; only the resolver imports it."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, Field, ValidationError, create_model
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from srvctl.settings.catalog import ENV_DELIMITER, ENV_PREFIX, PROGRAM, groups
from srvctl.settings.groups import ProgramSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails


class _GivenOnly(BaseSettings):
    """Takes what it is given; `sources` asks each source by itself, to know which one gave what."""

    model_config = SettingsConfigDict(
        extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing but the arguments."""
        return (init_settings,)


@cache
def model() -> type[BaseSettings]:
    """Return the model whose fields are the groups."""
    fields: dict[str, Any] = {name: (cls, Field(default_factory=cls)) for name, cls in groups().items()}
    return create_model("SettingsModel", __base__=_GivenOnly, **fields)


def validate(values: Mapping[str, object]) -> tuple[dict[str, object], dict[str, list[ErrorDetails]]]:
    """Validate raw values by dotted key.

    Returns:
        The typed values of the keys that are right, and pydantic's errors of each that is wrong.
    """
    nested: dict[str, Any] = {}
    for key, value in values.items():
        group, _, name = key.partition(".")
        nested.setdefault(group, {})[name] = value
    try:
        valid = model()(**nested)
    except ValidationError as error:
        errors = _by_key(error)
        return validate({key: value for key, value in values.items() if key not in errors})[0], errors
    return {key: attrgetter(key)(valid) for key in values}, {}


def validate_program(
    values: Mapping[str, object],
) -> tuple[dict[str, object], dict[str, list[ErrorDetails]]]:
    """Validate raw values of a program, of which some that are required may be missing.

    Returns:
        The typed values, and pydantic's errors, as `validate` returns them, by key in the table.
    """
    try:
        valid: Any = _program_model()(**{PROGRAM: {**_REQUIRED, **values}})
    except ValidationError as error:
        errors = {key.removeprefix(f"{PROGRAM}."): found for key, found in _by_key(error).items()}
        return validate_program({key: value for key, value in values.items() if key not in errors})[0], errors
    return {key: getattr(valid.program, key) for key in values}, {}


#: Stands for what a program has to say and does not.
_REQUIRED: Final[Mapping[str, object]] = {"name": "none", "command": ("none",)}


@cache
def _program_model() -> type[BaseModel]:
    return create_model("ProgramModel", program=(ProgramSettings, ...))


def _by_key(error: ValidationError) -> dict[str, list[ErrorDetails]]:
    errors: dict[str, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        errors.setdefault(".".join(str(part) for part in detail["loc"][:2]), []).append(detail)
    return errors
