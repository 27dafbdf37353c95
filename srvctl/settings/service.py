"""What ``srvctl run`` is to serve: the settings, and who the instance is. Made by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srvctl.settings.groups import Settings
    from srvctl.settings.instance import Instance


@dataclass(frozen=True, slots=True)
class Service:
    """A service that can be started.

    Attributes:
        settings: How it is served.
        instance: What it is called.
    """

    settings: Settings
    instance: Instance
