"""What of the wanted privileges and limits a process could not have, in sentences. Pure.

`srvctl.worker.privileges` asks before anything is bound, and again before it acts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.settings.cpu_placement import parse_affinity, spell_cpus
from srvctl.settings.process_values import parse_rlimit, spell_limit
from srvctl.worker.standing import Capability

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srvctl.settings.groups import WorkersSettings
    from srvctl.settings.identity import Identity
    from srvctl.settings.process_values import Rlimit
    from srvctl.worker.standing import Standing


def problems_of(workers: WorkersSettings, identity: Identity, here: Standing) -> list[str]:
    """Return a sentence for each problem, which says what to do; none for none.

    Args:
        workers: What is wanted.
        identity: Whom the names in it mean.
        here: What the process is and may do.
    """
    rlimits = [parse_rlimit(text) for text in workers.rlimits]
    found = [
        *_of_ids(workers, identity, here),
        *_of_rlimits(rlimits, here),
        *_of_nice(workers.nice, rlimits, here),
        *_of_cpus(workers.cpu_affinity, here),
    ]
    if workers.no_new_privs and not here.is_linux:
        found.append("workers.no_new_privs is set, but only Linux has it: leave the setting out.")
    return list(dict.fromkeys(found))


def _of_ids(workers: WorkersSettings, identity: Identity, here: Standing) -> Iterator[str]:
    user = f"workers.user is {workers.user}"
    if identity.uid not in (None, here.uid):
        yield from _needs(Capability.SETUID, user, here)
        # Without it the master can neither stop nor kill a worker of another user (kill(2)), and the kernel
        # does not kill it for a master that died, because it asks for the same permission then.
        yield from _needs(Capability.KILL, user, here)
    if identity.gid not in (None, here.gid):
        group = f"workers.group is {workers.group}" if workers.group is not None else user
        yield from _needs(Capability.SETGID, group, here)
    if identity.has_other_groups(here.gid, here.groups):
        names = ", ".join(workers.supplementary_groups)
        groups = f"workers.supplementary_groups is {names}" if names else user
        yield from _needs(Capability.SETGID, groups, here)


def _needs(capability: Capability, wanted: str, here: Standing) -> Iterator[str]:
    if here.has(capability):
        return
    if here.uid:
        yield f"{wanted}, but srvctl does not run as root: start it as root or leave the setting out."
    else:
        yield (
            f"{wanted}, but srvctl runs without the capability CAP_{capability.name}: grant it or leave the "
            "setting out."
        )


def _of_rlimits(rlimits: list[Rlimit], here: Standing) -> Iterator[str]:
    names = [limit.name for limit in rlimits]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"workers.rlimits has {name} more than once: leave one."
    for limit in rlimits:
        if limit.name not in here.limits:
            yield f"workers.rlimits has {limit.name}, which this system does not: leave it out."
            continue
        current = here.limits[limit.name][1]
        hard = limit.hard_over(current)
        if hard > current and not here.has(Capability.SYS_RESOURCE):
            yield (
                f"workers.rlimits asks for {limit.name}={spell_limit(hard)}, but the hard limit is "
                f"{spell_limit(current)} and srvctl may not raise it: ask for less, or raise it where srvctl "
                "is started (the service's unit, the container's options)."
            )
        elif limit.name == "nofile" and hard > here.most_files:
            yield (
                f"workers.rlimits asks for nofile={spell_limit(hard)}, but this system allows no more than "
                f"{here.most_files}: ask for less, or raise fs.nr_open with sysctl."
            )


def _of_nice(nice: int | None, rlimits: list[Rlimit], here: Standing) -> Iterator[str]:
    if nice is None or nice >= here.niceness or here.has(Capability.SYS_NICE):
        return
    allowed = here.limits.get("nice", (0, 0))[0]
    for limit in rlimits:
        if limit.name == "nice":
            allowed = limit.soft
    if 20 - nice > allowed:  # how RLIMIT_NICE counts: getrlimit(2)
        yield (
            f"workers.nice is {nice}, but srvctl runs at {here.niceness} and only root may lower it: start "
            "it as root or leave the setting out."
        )


def _of_cpus(text: str | None, here: Standing) -> Iterator[str]:
    if text is None:
        return
    if here.cpus is None:
        yield "workers.cpu_affinity is set, but this system has no such thing: leave the setting out."
        return
    affinity = parse_affinity(text)
    named = frozenset[int]() if isinstance(affinity, str) else frozenset().union(*affinity)
    if missing := named - here.cpus:
        yield (
            f"workers.cpu_affinity names CPU {spell_cpus(missing)}, but srvctl may use only "
            f"{spell_cpus(here.cpus)}: name some of these."
        )
