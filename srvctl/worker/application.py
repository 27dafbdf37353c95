"""Import the application a user names as ``module:attribute``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.worker.importing import import_from, load_attribute
from srvctl.worker.interfaces import FAILURE, adapt

if TYPE_CHECKING:
    from srvctl.settings.groups import AppSettings
    from srvctl.worker.http.cycle import Application


def load_application(settings: AppSettings) -> Application:
    """Import the application, and make it one that speaks ASGI 3.

    Raises:
        AppError: It cannot be imported or served; the message is one line, the details the user's own
            traceback.
    """
    import_from(settings.dir)
    return adapt(load_attribute(settings.target or "", FAILURE), settings)
