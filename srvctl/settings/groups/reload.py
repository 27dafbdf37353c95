"""How new code takes over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option
from srvctl.settings.units import Seconds  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadSettings:
    """How new code takes over."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    bake: Annotated[
        Seconds,
        Option(
            "Time the first worker of new code serves beside the old ones before the others are replaced.",
            "--reload-bake",
            "DURATION",
            change=Change.LIVE,
        ),
    ] = 1.0
