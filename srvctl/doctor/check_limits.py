"""Whether workers, connections and memory fit into what the machine gives. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.doctor.finding import Finding, note, ok, problem, warning
from srvctl.settings.cpu_placement import NUMA, cpus_for, nodes_of, parse_affinity, spell_cpus
from srvctl.settings.display import format_size
from srvctl.settings.process_values import UNLIMITED, parse_rlimit
from srvctl.supervisor.capacity import MEMORY_PER_WORKER, count_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srvctl.doctor.facts import Facts
    from srvctl.settings.groups import Settings

_AFFINITY: Final = "CPU affinity"
#: Descriptors that a worker has beside its connections: channels, loop, logs, a few of the application's.
_FILES_BESIDE: Final = 64
#: A limit of fewer is what shells give for the sake of old programs (select(2)).
_FEW_FILES: Final = 4096
#: Tasks beside workers: master, mold, console, and room for threads that the runtime starts.
_TASKS_BESIDE: Final = 8
#: More workers a CPU than this only wait for each other.
_MOST_PER_CPU: Final = 2
#: What of a memory limit workers may have together; the rest is for the master and the page cache.
_SHARE: Final = 0.9


def workers_of(settings: Settings, facts: Facts) -> int:
    """Return how many workers there will be, at most."""
    count = settings.workers.max or settings.workers.count
    if settings.reload.enabled:
        return 1
    if count != "auto":
        return count
    capacity = facts.capacity
    return count_for(affinity=capacity.affinity, cpu_quota=capacity.quota, memory_limit=capacity.memory)


def open_files(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge the limit of open files: each connection is one."""
    topic, limit = "open files", _files(settings, facts)
    if limit is None:
        yield ok(topic, "there is no limit")
        return
    wanted = settings.limits.concurrency + settings.limits.concurrency_queue
    if wanted and limit < wanted + _FILES_BESIDE:
        yield problem(
            topic,
            f"a worker may have {limit}, but limits.concurrency lets it have {wanted} requests at a time",
            _raise_files(facts, wanted + 2 * _FILES_BESIDE),
        )
    elif not wanted and limit < _FEW_FILES:
        yield warning(
            topic,
            f"a worker may have {limit}, so about {max(0, limit - _FILES_BESIDE)} connections; further ones "
            "wait",
            _raise_files(facts, 65536),
        )
    else:
        yield ok(topic, f"a worker may have {limit}")


def _files(settings: Settings, facts: Facts) -> int | None:
    for text in settings.workers.rlimits:
        limit = parse_rlimit(text)
        if limit.name == "nofile":
            return None if limit.soft == UNLIMITED else limit.soft
    return facts.limits.files


def _raise_files(facts: Facts, wanted: int) -> str:
    hard = facts.limits.files_hard
    if hard is None or hard >= wanted:
        return f"--rlimit nofile={wanted}"
    return (
        f"LimitNOFILE={wanted} in the unit, --ulimit nofile={wanted} of docker, or ulimit -n {wanted} as root"
    )


def tasks(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge the limit of processes and threads of the cgroup."""
    limit = facts.limits.tasks
    if limit is None:
        return
    workers = workers_of(settings, facts)
    threads = settings.app.wsgi_threads if settings.app.interface == "wsgi" else 1
    needed = (workers + settings.workers.max_surge) * threads + _TASKS_BESIDE
    free = limit - facts.limits.tasks_now
    if free < needed:
        yield problem(
            "tasks",
            f"the cgroup allows {free} more processes and threads, and {workers} workers need about {needed}",
            f"TasksMax={limit + needed} in the unit, or --pids-limit {limit + needed} of docker",
        )
    else:
        yield ok("tasks", f"the cgroup allows {free} more processes and threads")


def cpus(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge the number of workers by the CPUs."""
    workers, capacity = workers_of(settings, facts), facts.capacity
    usable = float(capacity.affinity)
    why = f"{capacity.affinity} CPUs" if capacity.affinity != 1 else "1 CPU"
    if capacity.quota is not None and capacity.quota < usable:
        usable, why = capacity.quota, f"{capacity.quota:g} CPUs' worth of time (cgroup)"
    fitting = max(1, int(usable))
    said = f"{workers} workers for {why}" if workers != 1 else f"1 worker for {why}"
    if workers > max(fitting, usable * _MOST_PER_CPU):
        yield warning("CPUs", f"{said}: they wait for each other", f"--workers {fitting}, or --workers auto")
    elif workers < fitting and not settings.reload.enabled:
        yield note("CPUs", f"{said}: some have nothing to do", "--workers auto")
    else:
        yield ok("CPUs", said)


def affinity(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge which CPUs workers are to run on, by how many workers there are and by the memory nodes."""
    text, here = settings.workers.cpu_affinity, facts.capacity
    nodes = nodes_of(here.cpus, here.topology)
    if not here.cpus or (text is None and len(nodes) == 1):
        return
    if text is None:
        why = f"there are {len(nodes)} memory nodes, and each worker runs on all of them"
        yield note(_AFFINITY, why, "--cpu-affinity numa keeps each worker on one")
        return
    workers = workers_of(settings, facts)
    pinned = frozenset().union(*(cpus_for(text, slot, here.cpus, here.topology) for slot in range(workers)))
    unused = [spell_cpus(node) for node in nodes if not node & pinned]
    said = f"{workers} workers on CPUs {spell_cpus(pinned)}"
    if workers > len(pinned) and parse_affinity(text) != NUMA:
        fix = f"--workers {len(pinned)}, or leave workers.cpu_affinity out"
        yield warning(_AFFINITY, f"{said}: some must share one, even while another is free", fix)
    elif unused:
        yield note(_AFFINITY, f"{said}: the memory node of CPUs {unused[0]} is not used", "--workers auto")
    else:
        yield ok(_AFFINITY, said)


def memory(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge the memory of all workers by the limit of the cgroup."""
    limit, most = facts.capacity.memory, settings.workers.max_memory
    if limit is None:
        yield ok("memory", "no cgroup limits it")
        return
    workers = workers_of(settings, facts)
    together = workers + settings.workers.max_surge
    fitting = int(limit * _SHARE) // together // 2**20 * 2**20
    given = f"the cgroup gives {_size(limit)}"
    if most and most * workers > limit:
        yield problem(
            "memory",
            f"{given}, and {workers} workers may have {_size(most)} each: the kernel kills one before srvctl "
            "replaces it",
            f"--max-memory {_size(fitting)}",
        )
    elif not most and workers * MEMORY_PER_WORKER > limit:
        yield warning(
            "memory",
            f"{given}, which is less than {_size(MEMORY_PER_WORKER)} for each of {workers} workers",
            "--workers auto",
        )
    elif not most:
        yield note(
            "memory",
            f"{given}; a worker that grows is killed by the kernel, in the middle of its requests",
            f"--max-memory {_size(fitting)} replaces it before",
        )
    else:
        yield ok("memory", f"{given}, and each of {workers} workers is replaced at {_size(most)}")


def _size(size: int) -> str:
    return format_size(size) if size % 2**20 == 0 or size < 2**20 else f"{size // 2**20}MiB"
