"""Reads everything that the checks judge. Nothing here fails: what cannot be known is not known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from srvctl.doctor.facts import Facts
from srvctl.doctor.importing import try_import
from srvctl.doctor.look_kernel import capacity, kernel, limits
from srvctl.doctor.look_places import addresses, certificates, places
from srvctl.doctor.look_process import interpreter, surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.settings.service import Service


def look(service: Service, environ: Mapping[str, str], uid: int, root: Path = Path("/")) -> Facts:
    """Return the facts for what is to be served. Makes the directories that a start would make.

    Must be called before any thread exists: the application is imported in a forked process.

    Args:
        service: What is to be served.
        environ: The environment.
        uid: The effective user.
        root: Where /proc and /sys are looked for.
    """
    settings = service.settings
    return Facts(
        limits=limits(root),
        capacity=capacity(root),
        kernel=kernel(root),
        interpreter=interpreter(environ),
        places=places(service, environ, uid),
        addresses=addresses(settings),
        certificates=certificates(settings),
        surroundings=surroundings(environ, root),
        imported=try_import(settings) if settings.app.target is not None else None,
    )
