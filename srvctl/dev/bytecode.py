"""Has Python import a file that was saved a moment ago from its source, whatever is cached of it.

Byte code is taken for that of a source of the same size and of the same second (PEP 552 tells of it), so of
two saves within a second the second one would not be seen, now and at every start from then on. Called in a
worker, before it imports the application.
"""

from __future__ import annotations

import time
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds in which a file may be saved once more and have the same time: one of its own, one of the clock's.
_FRESH: Final = 2.0

_stats_of = SourceFileLoader.path_stats


def distrust_fresh_files() -> None:
    """Neither read nor write byte code of files that have just been saved, in this process."""
    SourceFileLoader.path_stats = _stats_unless_fresh  # type: ignore[assignment, method-assign]


def _stats_unless_fresh(loader: SourceFileLoader, path: str) -> Mapping[str, object]:
    """Return what byte code is compared with.

    Raises:
        OSError: There is nothing that it could be: importlib does without it then.
    """
    stats = _stats_of(loader, path)
    if time.time() - stats["mtime"] < _FRESH:
        raise OSError("was saved a moment ago")
    return stats
