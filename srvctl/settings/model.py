"""The pydantic-settings model of all groups, made from the declarations; only the resolver imports it."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError, create_model
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from srvctl.settings.catalog import ENV_DELIMITER, ENV_PREFIX, groups

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
        errors: dict[str, list[ErrorDetails]] = {}
        for detail in error.errors(include_url=False):
            errors.setdefault(".".join(str(part) for part in detail["loc"][:2]), []).append(detail)
        return validate({key: value for key, value in values.items() if key not in errors})[0], errors
    return {key: attrgetter(key)(valid) for key in values}, {}
