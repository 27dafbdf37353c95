"""What is to be rehearsed, as the command line says it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from srvctl.rehearse.schedule import LoadPlan

if TYPE_CHECKING:
    from srvctl.rehearse.acts import Act
    from srvctl.rehearse.judging import Limits


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be rehearsed.

    Attributes:
        acts: In their order.
        duration: Seconds for each act, at least.
        rate: Requests a second.
        connections: Of the load, at the same time.
        paths: What it asks for.
        headers: What each request says, beside ``Host``: lines without their ends.
        late_after: Seconds after which an answer is late.
        patience: Seconds after which a request is lost.
        limits: What is good enough.
    """

    acts: tuple[Act, ...]
    duration: float
    rate: float
    connections: int
    paths: tuple[str, ...]
    headers: tuple[str, ...]
    late_after: float
    patience: float
    limits: Limits

    @property
    def asked(self) -> str:
        """What the load asks for, in words."""
        paths = ", ".join(self.paths)
        return f"{self.rate:g} requests a second for {paths} on {self.connections} connections"

    def load(self, port: int) -> LoadPlan:
        """Return what is asked of the instance that listens on a port."""
        lines = list(self.headers)
        names = {line.partition(":")[0].lower() for line in lines}
        defaults = {"Host": f"127.0.0.1:{port}", "User-Agent": "srvctl-rehearse", "Accept": "*/*"}
        lines += [f"{name}: {value}" for name, value in defaults.items() if name.lower() not in names]
        head = "".join(f"{line}\r\n" for line in lines)
        return LoadPlan(port, self.rate, self.connections, self.paths, head, self.late_after, self.patience)
