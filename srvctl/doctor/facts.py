"""What is known about the machine, as plain values; None, or an empty text, where it cannot be known.

Sizes are bytes, times seconds. Made by `srvctl.doctor.look`, judged by the checks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from srvctl.ipc.topology import Topology


@dataclass(frozen=True, slots=True)
class Limits:
    """What this process, and each that it starts, may use.

    Attributes:
        files: Open files: soft limit; None for no limit.
        files_hard: How far that may be raised; None for no limit.
        tasks: Processes and threads that the cgroup allows.
        tasks_now: Those it has now.
    """

    files: int | None = None
    files_hard: int | None = None
    tasks: int | None = None
    tasks_now: int = 0


@dataclass(frozen=True, slots=True)
class Capacity:
    """What there is to be used.

    Attributes:
        affinity: CPUs this process may run on.
        quota: CPUs' worth of time that the cgroup gives.
        memory: Bytes that the cgroup gives.
        cpus: Those this process may run on; none where the system has no such thing.
        topology: How they belong together.
    """

    affinity: int = 1
    quota: float | None = None
    memory: int | None = None
    cpus: frozenset[int] = frozenset()
    topology: Topology = field(default_factory=Topology)


@dataclass(frozen=True, slots=True)
class Kernel:
    """How the kernel is set.

    Attributes:
        somaxconn: ``net.core.somaxconn``, the longest queue of a listening socket.
        syn_backlog: ``net.ipv4.tcp_max_syn_backlog``.
        first_free_port: ``net.ipv4.ip_unprivileged_port_start``.
        overcommit: ``vm.overcommit_memory``.
        huge_pages: ``always``, ``madvise`` or ``never``.
        ptrace_scope: ``kernel.yama.ptrace_scope``.
        tells_waiting: /proc/PID/schedstat says how long a process waited for a CPU.
        tells_memory: /proc/PID/smaps_rollup says how much of its memory is shared.
        tells_pressure: /proc/pressure says how long all of them waited for something.
        is_linux: It is Linux; nothing else is known of others.
    """

    somaxconn: int | None = None
    syn_backlog: int | None = None
    first_free_port: int = 1024
    overcommit: int | None = None
    huge_pages: str = ""
    ptrace_scope: int | None = None
    tells_waiting: bool = True
    tells_memory: bool = True
    tells_pressure: bool = True
    is_linux: bool = True


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python that serves.

    Attributes:
        version: Such as ``3.12.4``.
        name: ``cpython`` or another.
        slowed_by: What makes it slower for the sake of debugging, as it can be found and removed.
        uvloop: Its version; empty where it cannot be imported.
    """

    version: str = ""
    name: str = "cpython"
    slowed_by: tuple[str, ...] = ()
    uvloop: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A file or directory that is going to be written.

    Attributes:
        path: Where it is; empty where none was found.
        reason: Why it cannot be; empty if it can.
    """

    path: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """All of them; None for those that are not wanted."""

    control: Place | None = None
    ledger: Place | None = None
    pid_file: Place | None = None
    log: Place | None = None
    access_log: Place | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """An address that is going to be listened on.

    Attributes:
        text: As it is written.
        port: Of TCP; 0 for any, and for others.
        is_open: Others than this machine may reach it.
        holder: Who listens there now.
        is_ours: That is a srvctl.
        reason: Why a socket cannot be made there; empty if it can.
        mode: Of a Unix socket that everybody may connect to, as in ``666``; else empty.
    """

    text: str
    port: int = 0
    is_open: bool = False
    holder: str = ""
    is_ours: bool = False
    reason: str = ""
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that clients are shown.

    Attributes:
        file: Where it is.
        days: Until it ends; negative when it has.
        is_readable: Workers can read it again, and its key, when it was replaced.
    """

    file: str
    days: float
    is_readable: bool = True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Whose process this is, and in what it runs.

    Attributes:
        uid: The effective user.
        may_bind_low: It may listen on the ports of the system.
        is_notified: A service manager waits for notifications (NOTIFY_SOCKET).
        is_service: A service manager has started it (INVOCATION_ID).
        watchdog: Seconds in which it expects a sign of life (WATCHDOG_USEC); 0 for never.
        mistakes: What is wrong with what it asks for, in sentences.
        is_container: It runs in a container.
        first_process: What process 1 is called.
        is_read_only: The root file system cannot be written.
        stdout: ``pipe``, ``file``, ``terminal`` or ``other``.
        stdout_blocks: Writing to it waits when nobody reads.
    """

    uid: int = 1000
    may_bind_low: bool = False
    is_notified: bool = False
    is_service: bool = False
    watchdog: float = 0.0
    mistakes: tuple[str, ...] = ()
    is_container: bool = False
    first_process: str = ""
    is_read_only: bool = False
    stdout: str = "other"
    stdout_blocks: bool = False


@dataclass(frozen=True, slots=True)
class Import:
    """What came of importing the application, in a process of its own.

    Attributes:
        seconds: How long it took.
        error: Why it failed; empty if it did not.
        details: The traceback.
        is_late: It was not done in time, and was ended.
        left: What it left behind that no worker should be forked with, as ends of sentences.
    """

    seconds: float = 0.0
    error: str = ""
    details: str = ""
    is_late: bool = False
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the checks judge.

    Attributes:
        imported: None where there is no application to import.
    """

    limits: Limits = field(default_factory=Limits)
    capacity: Capacity = field(default_factory=Capacity)
    kernel: Kernel = field(default_factory=Kernel)
    interpreter: Interpreter = field(default_factory=Interpreter)
    places: Places = field(default_factory=Places)
    addresses: tuple[Address, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)
    imported: Import | None = None
