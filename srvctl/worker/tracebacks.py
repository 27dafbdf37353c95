"""Tracebacks that begin where the user's code begins."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

import srvctl

if TYPE_CHECKING:
    from types import TracebackType

_OWN: Final = f"{Path(srvctl.__file__).parent}{os.sep}"
_IMPORT_SYSTEM: Final = ("<frozen importlib", str(Path(traceback.__file__).parent / "importlib"))


def format_user_traceback(error: BaseException) -> str:
    """Return the traceback without the leading frames of srvctl and of the import system."""
    trace = error.__traceback__
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def _is_ours(trace: TracebackType) -> bool:
    return trace.tb_frame.f_code.co_filename.startswith((_OWN, *_IMPORT_SYSTEM))
