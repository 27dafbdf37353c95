"""What a page was made by: open pages that another edition has made are to be loaded again.

Owned by whoever may show something else without being another generation; watched by `browser`.
"""

from __future__ import annotations

import asyncio


class Edition:
    """A number that grows, and that can be waited for; to be used in one event loop.

    Attributes:
        number: How often it was renewed.
        renewed: Is set with the next one; to be taken before the number is told, or one may be missed.
    """

    def __init__(self) -> None:
        self.number = 0
        self.renewed = asyncio.Event()

    def renew(self) -> None:
        """What was shown so far is old."""
        self.number += 1
        self.renewed.set()
        self.renewed = asyncio.Event()
