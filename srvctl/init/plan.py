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
#: What the settings call the workers where programs are named.
_WORKERS: Final = "workers"
_FIRST_FREE_PORT: Final = 1024
#: A label of RFC 1035, as Kubernetes wants the names of Services.
_LONGEST_LABEL: Final = 50
#: What YAML 1.1 reads as something else than a text.
_YAML_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
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
        """The name where only small letters, digits and hyphens may be in it, and a letter comes first."""
        label = _NOT_A_LABEL.sub("-", self.name.lower())[:_LONGEST_LABEL].strip("-") or "srvctl"
        return label if label[0].isalpha() and label not in _YAML_WORDS else f"app-{label}"

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
        if self._is_kept_in_container:
            return self._open_ports[0]
        return self.port if self.port >= _FIRST_FREE_PORT else _DEFAULT_PORT

    @property
    def ports_in_container(self) -> list[int]:
        """All of its ports in a container that others reach, the one that clients are served on first."""
        return self._open_ports if self._is_kept_in_container else [self.port_in_container]

    @property
    def seconds_to_start(self) -> int:
        """How long whoever starts it has to wait."""
        return math.ceil(self.settings.timeouts.boot + self.settings.hooks.timeout) + _MARGIN

    def seconds_to_stop(self, drain_delay: float | None = None) -> int:
        """Return how long whoever stops it has to wait: anything less cuts requests off.

        Args:
            drain_delay: Instead of that of the settings.
        """
        delay = self.settings.timeouts.drain_delay if drain_delay is None else drain_delay
        return math.ceil(delay + _longest_end(self.settings)) + _MARGIN

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
        if not self._is_kept_in_container:
            kept = {key: value for key, value in kept.items() if key not in _WAYS_TO_LISTEN}
            kept = {**kept, "server.bind": [f":{self.port_in_container}"]}
        return words_of({**kept, **(further or {})}, config or None)

    @property
    def is_reachable(self) -> bool:
        """Whether other machines reach one of its addresses."""
        return bool(self._open_ports)

    @property
    def _open_ports(self) -> list[int]:
        ports = [bind.port for bind in self.tcp if bind.port and not bind.host.startswith(_LOCAL)]
        return list(dict.fromkeys(ports))

    @property
    def _is_kept_in_container(self) -> bool:
        return self.is_reachable and min(self._open_ports) >= _FIRST_FREE_PORT

    def _without_secrets(self, given: Mapping[str, object]) -> dict[str, object]:
        return {key: value for key, value in given.items() if not catalog()[key].option.is_secret}


def _longest_end(settings: Settings) -> float:
    """Return the seconds until the workers and all programs have ended.

    What comes after others is stopped before them, so the longest chain of those counts.
    """
    timeouts = settings.timeouts
    seconds = {program.name: program.stop_timeout for program in settings.program}
    seconds[_WORKERS] = timeouts.graceful_shutdown + timeouts.lifespan_shutdown
    after = {program.name: program.after for program in settings.program}
    after[_WORKERS] = settings.workers.after

    def until_ended(name: str, above: frozenset[str]) -> float:
        # Settings with a circle are refused elsewhere; here it must only not go on for ever.
        below = [each for each in after.get(name, ()) if each not in above]
        return seconds.get(name, 0.0) + max(
            (until_ended(each, above | {each}) for each in below), default=0.0
        )

    return max(until_ended(name, frozenset({name})) for name in seconds)


def commented(lines: Sequence[str]) -> str:
    """Return lines as comments of a file."""
    return "".join(f"# {line}\n" for line in lines)
