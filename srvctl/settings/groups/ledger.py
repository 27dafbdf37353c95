"""The record of every worker's death."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option
from srvctl.settings.units import Bytes  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSettings:
    """The record of every worker's death."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    file: Annotated[
        str,
        Option(
            "File in which the deaths of workers are kept for srvctl why; auto picks one for the instance in "
            "the state directory, none keeps them in memory only.",
            "--ledger-file",
            "PATH|auto|none",
            change=Change.RESTART,
        ),
    ] = "auto"
    size: Annotated[
        Bytes,
        Option(
            "Largest size of that file; the oldest deaths are dropped first.",
            "--ledger-size",
            "SIZE",
            minimum=16384,
            change=Change.RESTART,
        ),
    ] = 1048576
