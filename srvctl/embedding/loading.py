"""Imports the application of an embedded server, with ``sys.path`` as the program has it.

That is the difference to a worker, which looks in the current directory first. Called by `Config`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from srvctl.worker.importing import import_from, load_attribute
from srvctl.worker.interfaces import FAILURE
from srvctl.worker.loading import load_application

if TYPE_CHECKING:
    from srvctl.embedding.config import Config
    from srvctl.worker.http.cycle import Application


def import_app(config: Config) -> Any:
    """Import the application, if it is named, and return it as it is.

    Raises:
        AppError: It cannot be imported.
    """
    if not isinstance(config.app, str):
        return config.app
    if config.app_dir is not None:
        import_from(os.fspath(config.app_dir))
    return load_attribute(config.app, FAILURE)


def load(config: Config) -> Application:
    """Return the application as one that speaks ASGI 3.

    Raises:
        AppError: It cannot be imported or is no application, or something that it needs is not installed.
        UsageError: A setting is wrong.
    """
    return load_application(config.to_settings(), lambda: import_app(config))
