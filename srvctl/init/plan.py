"""What the files around one service are made of: its settings, and where it is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from srvctl.settings.binds import Bind, SystemdBind, TcpBind, UnixBind, binds_of
from srvctl.settings.catalog import catalog
from srvctl.settings.words import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srvctl.settings.groups import Settings

#: Seconds beside the deadlines of the settings, for what they do not count: the kernel, a busy machine.
_MARGIN: Final = 10
_WAYS_TO_LISTEN: Final = frozenset({"server.bind", "server.host", "server.port", "server.uds", "server.fd"})
_LOCAL: Final = ("127.", "::1", "localhost")
_DEFAULT_PORT: Final = 8000
_FIRST_FREE_PORT: Final = 1024
#: A label of RFC 1123, as Kubernetes wants names.
_LONGEST_LABEL: Final = 50
_NOT_A_LABEL: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Plan:
    """One service.

    Attributes:
        name: What the instance is called.
        settings: All of its settings.
        given: Those that no file and no default gives, as words take them, by dotted key.
        program: Path of the program ``srvctl``.
        config: Its file of settings as it was given; empty without one.
        directory: Where it runs, which is where the application is imported from.
        user: Who it runs as.
        python: Version of Python, as ``3.12``.
    """

    name: str
    settings: Settings
    given: Mapping[str, object]
    program: str = "/opt/srvctl/bin/srvctl"
    config: str = ""
    directory: str = "/opt/srvctl"
    user: str = "srvctl"
    python: str = "3.12"

    @property
    def label(self) -> str:
        """The name where only small letters, digits and hyphens may be in it."""
        return _NOT_A_LABEL.sub("-", self.name.lower())[:_LONGEST_LABEL].strip("-") or "srvctl"

    @property
    def binds(self) -> tuple[Bind, ...]:
        """Where it listens."""
        return binds_of(self.settings.server)

    @property
    def tcp(self) -> tuple[TcpBind, ...]:
        """Where it listens of TCP."""
        return tuple(bind for bind in self.binds if isinstance(bind, TcpBind))

    @property
    def unix(self) -> tuple[UnixBind, ...]:
        """Where it listens of Unix sockets."""
        return tuple(bind for bind in self.binds if isinstance(bind, UnixBind))

    @property
    def passed(self) -> tuple[SystemdBind, ...]:
        """What systemd listens on for it."""
        return tuple(bind for bind in self.binds if isinstance(bind, SystemdBind))

    @property
    def port(self) -> int:
        """The port of TCP that clients are served on; one of our own choice where there is none."""
        return next((bind.port for bind in self.tcp if bind.port), _DEFAULT_PORT)

    @property
    def port_in_container(self) -> int:
        """The same in a container, where nobody is root, and the port outside is somebody else's choice."""
        return self.port if self.port >= _FIRST_FREE_PORT else _DEFAULT_PORT

    @property
    def seconds_to_start(self) -> int:
        """How long whoever starts it has to wait."""
        return math.ceil(self.settings.timeouts.boot + self.settings.hooks.timeout) + _MARGIN

    def seconds_to_stop(self, drain_delay: float | None = None) -> int:
        """Return how long whoever stops it has to wait: anything less cuts requests off.

        Args:
            drain_delay: Instead of that of the settings.
        """
        timeouts = self.settings.timeouts
        delay = timeouts.drain_delay if drain_delay is None else drain_delay
        return math.ceil(delay + timeouts.graceful_shutdown + timeouts.lifespan_shutdown) + _MARGIN

    @property
    def secrets(self) -> list[str]:
        """The variables of the secrets that were given, and that are written into no file."""
        return [catalog()[key].variable for key in self.given if catalog()[key].option.is_secret]

    def words(self, config: str | None = None) -> list[str]:
        """Return what stands behind ``run`` on the machine it was made on."""
        file = self.config if config is None else config
        return words_of(self._without_secrets(self.given), file or None)

    def words_in_container(self, config: str, further: Mapping[str, object] | None = None) -> list[str]:
        """Return what stands behind ``run`` in a container, which others have to reach.

        Args:
            config: Where the file of settings is in there; empty without one.
            further: Settings that a container needs.
        """
        kept: Mapping[str, object] = self._without_secrets(self.given)
        if not self.is_reachable or self.port < _FIRST_FREE_PORT:
            kept = {key: value for key, value in kept.items() if key not in _WAYS_TO_LISTEN}
            kept = {**kept, "server.bind": [f":{self.port_in_container}"]}
        return words_of({**kept, **(further or {})}, config or None)

    @property
    def is_reachable(self) -> bool:
        """Whether other machines reach one of its addresses."""
        return any(bind.port and not bind.host.startswith(_LOCAL) for bind in self.tcp)

    def _without_secrets(self, given: Mapping[str, object]) -> dict[str, object]:
        return {key: value for key, value in given.items() if not catalog()[key].option.is_secret}


def commented(lines: Sequence[str]) -> str:
    """Return lines as comments of a file."""
    return "".join(f"# {line}\n" for line in lines)
