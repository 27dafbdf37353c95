"""How srvctl's other commands reach this instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """How srvctl's other commands reach this instance."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    socket: Annotated[
        str,
        Option(
            "Unix socket for srvctl reload, stop and the like; auto picks one for the instance in the "
            "runtime directory, none opens none.",
            "--control-socket",
            "PATH|auto|none",
            change=Change.RESTART,
        ),
    ] = "auto"
    group: Annotated[
        str | None,
        Option(
            "Group whose members may look through that socket, without acting: status, logs, events.",
            "--control-group",
            "GROUP",
            change=Change.RESTART,
        ),
    ] = None
