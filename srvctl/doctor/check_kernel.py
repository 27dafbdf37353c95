"""Whether the kernel queues, tells and gives memory as it should. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.doctor.finding import Finding, note, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srvctl.doctor.facts import Facts
    from srvctl.settings.groups import Settings

#: vm.overcommit_memory of proc_sys_vm(5): never promise more than there is.
_NO_OVERCOMMIT: Final = 2
#: kernel.yama.ptrace_scope from which on nobody but root may look into a process.
_ROOT_ONLY: Final = 2


def queue(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge how many connections may wait to be accepted."""
    topic, wanted, longest = "backlog", settings.server.backlog, facts.kernel.somaxconn
    if longest is None:
        return
    if wanted > longest:
        yield warning(
            topic,
            f"server.backlog is {wanted}, but the kernel queues only {longest} connections per socket",
            f"sysctl -w net.core.somaxconn={wanted} (and in /etc/sysctl.d), or --backlog {longest}",
        )
    else:
        yield ok(topic, f"the kernel queues {wanted} connections per socket")
    half_open = facts.kernel.syn_backlog
    if half_open is not None and half_open < wanted and any(address.is_open for address in facts.addresses):
        yield note(
            topic,
            f"only {half_open} connections may be half open, fewer than server.backlog ({wanted}); beyond "
            "them "
            "the kernel answers with SYN cookies",
            f"sysctl -w net.ipv4.tcp_max_syn_backlog={wanted}",
        )


def sight(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge what the kernel tells about processes: without it, srvctl has to guess."""
    kernel, missing = facts.kernel, False
    if not kernel.is_linux:
        yield note(
            "kernel", "it is not Linux: workers are watched less closely, and memory is what is resident"
        )
        return
    if not kernel.tells_waiting and settings.health.hang_timeout:
        missing = True
        yield note(
            "kernel",
            "it does not tell how long a process waits for a CPU (/proc/PID/schedstat), so on a busy machine "
            "a "
            "worker that waits may be taken for one that hangs",
            "a longer --hang-timeout, or a kernel with CONFIG_SCHED_INFO",
        )
    if not kernel.tells_memory and settings.workers.max_memory:
        missing = True
        yield warning(
            "kernel",
            "it does not tell what memory is shared (/proc/PID/smaps_rollup), so workers.max_memory counts "
            "that in "
            "every worker",
            "a kernel with CONFIG_PROC_PAGE_MONITOR, or a larger --max-memory",
        )
    if not kernel.tells_pressure:
        yield note(
            "kernel",
            "it does not tell how long processes wait for CPU, memory and disk (/proc/pressure)",
            "psi=1 on the kernel's command line, to see it with other tools",
        )
    if not missing:
        yield ok("kernel", "it tells what srvctl asks about workers")
    if kernel.ptrace_scope is not None and kernel.ptrace_scope >= _ROOT_ONLY:
        yield note(
            "kernel",
            "only root may attach debuggers such as py-spy to a worker",
            "sysctl -w kernel.yama.ptrace_scope=1, if you need one; srvctl worker dump does not",
        )


def memory_promises(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge how the kernel gives memory to forks."""
    if facts.kernel.overcommit == _NO_OVERCOMMIT and settings.workers.preload != "off":
        yield warning(
            "overcommit",
            "vm.overcommit_memory is 2: a fork needs as much free memory as the process has, so a large "
            "application may not be forked",
            "sysctl -w vm.overcommit_memory=0, or --preload off",
        )
    if facts.kernel.huge_pages == "always":
        yield note(
            "huge pages",
            "transparent huge pages are always used: a small change copies 2 MiB of what workers share",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        )
