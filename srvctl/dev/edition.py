"""What a page was made by: open pages that another edition has made are to be loaded again.

Owned by whoever may show something else without being another generation; watched by `browser`.
"""

from __future__ import annotations

import asyncio


class Edition:
    """A number that grows, and that can be waited for; to be used in one event loop."""

    def __init__(self) -> None:
        self.number = 0
        self._changed = asyncio.Event()

    def renew(self) -> None:
        """What was shown so far is old."""
        self.number += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_renewed(self) -> None:
        """Wait for the next one."""
        await self._changed.wait()
