"""Every setting, declared once: name, type, default, flag, help. One module for each group.

Plain frozen dataclasses, so that the master and the workers can hold them without importing pydantic
(ADR 2). `srvctl.settings.load` validates them. A function takes the group it reads, never the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from srvctl.settings.groups.app import AppSettings
from srvctl.settings.groups.broadcast import BroadcastSettings
from srvctl.settings.groups.console import ConsoleSettings
from srvctl.settings.groups.control import ControlSettings
from srvctl.settings.groups.health import HealthSettings
from srvctl.settings.groups.hooks import HookSettings
from srvctl.settings.groups.http import HttpSettings
from srvctl.settings.groups.ledger import LedgerSettings
from srvctl.settings.groups.limits import LimitSettings
from srvctl.settings.groups.log import LogLevel, LogSettings
from srvctl.settings.groups.metrics import MetricsSettings
from srvctl.settings.groups.program import ProgramSettings
from srvctl.settings.groups.proxy import ProxySettings
from srvctl.settings.groups.reload import ReloadSettings
from srvctl.settings.groups.server import ServerSettings
from srvctl.settings.groups.timeouts import TimeoutSettings
from srvctl.settings.groups.tls import TlsSettings
from srvctl.settings.groups.workers import WorkersSettings
from srvctl.settings.groups.ws import WsSettings

__all__ = [
    "AppSettings",
    "BroadcastSettings",
    "ConsoleSettings",
    "ControlSettings",
    "HealthSettings",
    "HookSettings",
    "HttpSettings",
    "LedgerSettings",
    "LimitSettings",
    "LogLevel",
    "LogSettings",
    "MetricsSettings",
    "ProgramSettings",
    "ProxySettings",
    "ReloadSettings",
    "ServerSettings",
    "Settings",
    "TimeoutSettings",
    "TlsSettings",
    "WorkersSettings",
    "WsSettings",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All groups of one instance; the name of each is its table in the file.

    Attributes:
        program: Not a group, but a list: each ``[[program]]`` of the file.
    """

    app: AppSettings = field(default_factory=AppSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    workers: WorkersSettings = field(default_factory=WorkersSettings)
    health: HealthSettings = field(default_factory=HealthSettings)
    reload: ReloadSettings = field(default_factory=ReloadSettings)
    hooks: HookSettings = field(default_factory=HookSettings)
    timeouts: TimeoutSettings = field(default_factory=TimeoutSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    ws: WsSettings = field(default_factory=WsSettings)
    broadcast: BroadcastSettings = field(default_factory=BroadcastSettings)
    proxy: ProxySettings = field(default_factory=ProxySettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    log: LogSettings = field(default_factory=LogSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    control: ControlSettings = field(default_factory=ControlSettings)
    console: ConsoleSettings = field(default_factory=ConsoleSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    program: tuple[ProgramSettings, ...] = ()
