"""Puts a script into HTML that comes in pieces: before the last ``</body>``, else at the end. Pure.

A page is not parsed: what stands in a string of a script is taken for a tag, too, unless another follows.
Used by `injecting`.
"""

from __future__ import annotations

from typing import Final

_TAG: Final = b"</body"
#: Bytes that are held back behind a tag: what goes on for longer is not the end of the page.
_MOST_HELD: Final = 65536


class Injector:
    """One page.

    Args:
        script: What to put in, once.
    """

    def __init__(self, script: bytes) -> None:
        self._script = script
        self._held = b""
        self._has_tag = False

    def feed(self, piece: bytes) -> bytes:
        """Return what can be sent after this piece of the page has come."""
        # A tag that is held begins at 0; another one may have begun in its last bytes.
        begin = max(0, len(self._held) - len(_TAG) + 1)
        data = self._held + piece
        at = data.lower().rfind(_TAG, begin)
        if at >= 0:
            self._has_tag = True
        elif self._has_tag and len(data) <= _MOST_HELD:
            at = 0
        else:
            self._has_tag = False
            at = len(data) - _begun(data)
        self._held = data[at:]
        return data[:at]

    def end(self) -> bytes:
        """Return what is still to be sent."""
        return self._script + self._held if self._has_tag else self._held + self._script


def _begun(data: bytes) -> int:
    """Return how many bytes at the end may be the beginning of a tag."""
    tail = data[-len(_TAG) + 1 :].lower()
    return next((size for size in range(len(tail), 0, -1) if _TAG.startswith(tail[-size:])), 0)
