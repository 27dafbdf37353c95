"""A factory of event loops that says which user its module was imported by."""

from __future__ import annotations

import asyncio
import logging
import os

IMPORTED_BY = os.geteuid()


def make() -> asyncio.AbstractEventLoop:
    logging.getLogger("srvctl.error").info("The loop was imported by user %d.", IMPORTED_BY)
    return asyncio.SelectorEventLoop()
