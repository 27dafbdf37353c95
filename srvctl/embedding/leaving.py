"""How a server that cannot start ends its process, where uvicorn does so too."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

from srvctl.errors import AppError

if TYPE_CHECKING:
    from srvctl.errors import SrvctlError

logger = logging.getLogger("srvctl.error")


def leave(error: SrvctlError) -> NoReturn:
    """Log why the server cannot start, and end the process as uvicorn does.

    Raises:
        SystemExit: Always; with code 3 where the application or its address is at fault.
    """
    details = error.details.rstrip() if isinstance(error, AppError) else ""  # the application's traceback
    logger.error("%s%s", error, f"\n{details}" if details else "")
    raise SystemExit(int(error.exit_code)) from None
