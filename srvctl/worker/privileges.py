"""Make a process what the settings of the workers say: its user, its limits, its CPUs.

`check` says what would fail, before anything is bound; `become` does what holds for every worker of a
generation; `settle` what holds for one. Knows nothing of event loops and applications. The mold calls
`become`, a worker `settle`; a worker that is forked without a mold calls both.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.errors import AppError
from srvctl.ipc.capabilities import drop_capabilities
from srvctl.ipc.topology import read_topology
from srvctl.settings.cpu_placement import cpus_for
from srvctl.settings.identity import Identity, of_workers
from srvctl.settings.process_values import UNLIMITED, parse_rlimit, parse_umask
from srvctl.worker.misgivings import problems_of
from srvctl.worker.standing import LIMITS, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from srvctl.settings.groups import WorkersSettings
    from srvctl.worker.standing import Standing

logger = logging.getLogger("srvctl.error")

_OOM: Final = Path("/proc/self/oom_score_adj")
_HIGHEST_OOM: Final = 1000  #: proc_pid_oom_score_adj(5)
_PR_SET_DUMPABLE: Final = 4  # prctl(2)
_PR_SET_NO_NEW_PRIVS: Final = 38  # prctl(2)


class PrivilegeError(AppError):
    """A process cannot become what the settings say; the message is a sentence that says what to do."""


def check(workers: WorkersSettings, here: Standing | None = None) -> list[str]:
    """Return a sentence for everything in the settings that this process and its children cannot do.

    To be asked before anything is bound. It reads the databases of users and groups, which may take its time.

    Args:
        workers: What is wanted.
        here: What the process is and may do; None reads it.
    """
    here = here or standing()
    try:
        identity = of_workers(workers, here.uid)
    except LookupError as error:
        return [str(error.args[0]), *problems_of(workers, Identity(), here)]
    return problems_of(workers, identity, here)


def become(workers: WorkersSettings, rebind: Callable[[], None] | None = None) -> None:
    """Take on the limits, the niceness, the umask and the user of the workers, for good.

    To be called once, before the application is imported, so that its import already runs as that user and
    what it opens and allocates is limited; and after the logs and the listening sockets are open, for which
    root may be needed. What is forked afterwards inherits all of it.

    Args:
        workers: What to become.
        rebind: Asks the kernel for SIGKILL when the master dies (PR_SET_PDEATHSIG), and makes sure that the
            master still lives. Called as soon as the last id has changed, because a change of ids clears that
            request (prctl(2)). Forking clears it as well: a worker that a mold forks has to ask by itself.

    Raises:
        PrivilegeError: Something is refused. The process may have changed halfway and is good for nothing.
    """
    here = standing()
    try:
        identity = of_workers(workers, here.uid)
    except LookupError as error:
        raise PrivilegeError(str(error.args[0])) from None
    if problems := problems_of(workers, identity, here):
        raise PrivilegeError(" ".join(problems))
    # First what needs root's capabilities and would fail after the change of user: raising a hard limit needs
    # CAP_SYS_RESOURCE (setrlimit(2)), a lower niceness CAP_SYS_NICE; /proc/self/oom_score_adj belongs to root
    # once the process is not dumpable. Limits before niceness: RLIMIT_NICE may be what allows it.
    for text in workers.rlimits:
        with _obeying(f"workers.rlimits {text}"):
            _limit(text)
    _raise_oom_score(workers.oom_score)
    if workers.nice is not None:
        with _obeying("workers.nice"):
            os.setpriority(os.PRIO_PROCESS, 0, workers.nice)
    if workers.umask is not None:
        os.umask(parse_umask(workers.umask))
    _change_ids(identity, here)
    if rebind is not None:
        rebind()
    if identity.uid not in (None, here.uid):
        _live_as(identity)
        _stay_readable(workers)
    # Last: from here on nothing can be gained any more, not even by execve(2).
    if workers.no_new_privs:
        with _obeying("workers.no_new_privs"):
            _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def settle(workers: WorkersSettings, slot: int, generation: int) -> None:
    """Take a worker's place: its CPUs, and the variables by which the application knows it.

    To be called in every worker before it starts a thread, because threads inherit the CPUs of who starts
    them; without a mold, before the application is imported.

    Args:
        workers: Which CPUs there are.
        slot: The worker's slot.
        generation: The worker's generation.

    Raises:
        PrivilegeError: The kernel refuses the CPUs.
    """
    if workers.cpu_affinity is not None:
        with _obeying("workers.cpu_affinity"):
            available = frozenset(os.sched_getaffinity(0))
            cpus = cpus_for(workers.cpu_affinity, slot, available, read_topology(available))
            os.sched_setaffinity(0, cpus)
    os.environ["SRVCTL_SLOT"] = str(slot)
    os.environ["SRVCTL_GENERATION"] = str(generation)


@contextlib.contextmanager
def _obeying(setting: str) -> Iterator[None]:
    """Turn the kernel's refusal into a sentence. `resource` raises ValueError for EPERM and EINVAL."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PrivilegeError(
            f"{setting} cannot be obeyed, the kernel says: {reason}. Change the setting, or allow it where "
            "srvctl is started (the service's unit, the container's options)."
        ) from None


def _limit(text: str) -> None:
    wanted = parse_rlimit(text)
    number = LIMITS[wanted.name]
    current = resource.getrlimit(number)[1]
    hard = wanted.hard_over(UNLIMITED if current == resource.RLIM_INFINITY else current)
    pair = [resource.RLIM_INFINITY if value == UNLIMITED else value for value in (wanted.soft, hard)]
    resource.setrlimit(number, (pair[0], pair[1]))


def _raise_oom_score(points: int) -> None:
    """Have the kernel rather end a worker than the master; never lower a score, which needs a capability.

    Has a default, so it must keep nobody from starting: where /proc cannot be written to, a warning says so.
    """
    if not points or not _OOM.exists():
        return
    try:
        current = int(_OOM.read_text("utf-8"))
        _OOM.write_text(str(min(current + points, _HIGHEST_OOM)), "utf-8")
    except OSError as error:
        text = "workers.oom_score: %s cannot be written: %s. Set it to 0 to do without."
        logger.warning(text, _OOM, error.strerror)


def _change_ids(identity: Identity, here: Standing) -> None:
    """Groups, then the group, then the user: each step needs what the next one gives away (setgroups(2))."""
    with _obeying("workers.user, workers.group or workers.supplementary_groups"):
        if identity.groups is not None and identity.has_other_groups(here.gid, here.groups):
            os.setgroups(sorted(identity.groups))
        if identity.gid not in (None, here.gid):
            os.setgid(identity.gid)
        if identity.uid not in (None, here.uid):
            os.setuid(identity.uid)
            if identity.uid:
                drop_capabilities()


def _live_as(identity: Identity) -> None:
    """Have libraries that look for a home or a user find those of the user, not root's."""
    os.environ["HOME"] = identity.home
    for variable in ("USER", "LOGNAME"):
        if identity.name:
            os.environ[variable] = identity.name
        else:
            os.environ.pop(variable, None)


def _stay_readable(workers: WorkersSettings) -> None:
    """Allow core dumps after the change of user, for whoever asked for them by a limit for cores.

    Otherwise it stays as the kernel leaves it: a process that was root is not dumpable, so it writes no core,
    its files in /proc belong to root and others of its user cannot trace it (proc_pid(5), ptrace(2)). That is
    wanted: its memory holds what was read as root, and often several services share one user. What srvctl
    itself reads of its workers (stat, schedstat) is open to everybody, and a process may always look at its
    own.
    """
    wants_cores = any(limit.name == "core" and limit.soft for limit in map(parse_rlimit, workers.rlimits))
    if wants_cores:
        with _obeying("workers.rlimits"):
            _prctl(_PR_SET_DUMPABLE, 1)


def _prctl(option: int, value: int) -> None:
    unused = ctypes.c_ulong(0)
    _succeed(ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), unused, unused, unused))


def _succeed(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
