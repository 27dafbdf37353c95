"""Whether Python, the application and whatever starts srvctl are as they should be. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.doctor.finding import Finding, note, ok, problem, warning
from srvctl.supervisor.pulse import SHORTEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srvctl.doctor.facts import Facts, Import
    from srvctl.settings.groups import Settings

_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh"})
#: Seconds from which on it is worth to import once for all workers.
_LONG_IMPORT: Final = 3.0


def interpreter(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge Python and its event loop."""
    python = facts.interpreter
    if python.name != "cpython":
        yield warning("Python", f"{python.name} {python.version}: srvctl is made and tested for CPython")
    elif python.slowed_by:
        yield warning(
            "Python",
            f"{python.version}, slowed down for debugging by {', '.join(python.slowed_by)}",
            "leave that out where it serves",
        )
    else:
        yield ok("Python", python.version)
    loop = settings.workers.loop
    if loop in {"auto", "uvloop"} and not python.uvloop:
        level = problem if loop == "uvloop" else warning
        yield level("event loop", "uvloop cannot be imported, so it is asyncio's own", "pip install uvloop")
    elif loop in {"asyncio", "none"}:
        yield note("event loop", f"workers.loop is {loop}; uvloop takes more requests", "--loop auto")
    elif python.uvloop and loop in {"auto", "uvloop"}:
        yield ok("event loop", f"uvloop {python.uvloop}")


def user(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge whom the application runs as."""
    if settings.workers.user is not None:
        yield ok("user", f"workers run as {settings.workers.user}")
    elif facts.surroundings.uid == 0:
        yield warning(
            "user",
            "the application runs as root",
            "--user NAME, User= in the unit, or USER in the Dockerfile",
        )
    else:
        yield ok("user", f"workers run as user {facts.surroundings.uid}, as srvctl does")


def service(_settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge the service manager, where one has started this command."""
    here = facts.surroundings
    for mistake in here.mistakes:
        yield warning("service", mistake.rstrip("."))
    if 0 < here.watchdog < SHORTEST:
        yield warning(
            "service",
            f"WatchdogSec={here.watchdog:g} is shorter than it takes to see whether workers live",
            f"WatchdogSec={SHORTEST:g} or more",
        )
    elif here.watchdog:
        yield ok(
            "service", f"the watchdog ({here.watchdog:g} s) is fed while more than half of the workers beat"
        )
    if here.is_notified:
        yield ok("service", "the service manager is told when workers are ready")
    elif here.is_service and not here.mistakes:
        yield note(
            "service",
            "the service manager does not ask to be told when workers are ready",
            "Type=notify-reload, or notify before systemd 253; srvctl init systemd writes a unit",
        )


def container(_settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge the container, where there is one."""
    here = facts.surroundings
    if not here.is_container:
        return
    if here.first_process in _SHELLS:
        yield warning(
            "container",
            f"process 1 is {here.first_process}, which does not pass signals on: a stop becomes a kill",
            'CMD ["srvctl", "run", ...] in the exec form, or exec in the script',
        )
    else:
        yield ok("container", f"process 1 is {here.first_process or 'not known'}; srvctl needs no --init")
    if here.is_read_only and _lacks_a_place(facts):
        yield warning(
            "container",
            "the file system is read-only, and there is no directory for sockets and the ledger",
            "--tmpfs /run/srvctl --tmpfs /var/lib/srvctl of docker, or emptyDir volumes",
        )


def _lacks_a_place(facts: Facts) -> bool:
    return any(place is not None and place.reason for place in (facts.places.control, facts.places.ledger))


def application(settings: Settings, facts: Facts) -> Iterator[Finding]:
    """Judge what importing the application did."""
    found = facts.imported
    if found is None:
        yield note("application", "none is named, so it was not imported", "srvctl doctor APP, or -c FILE")
    elif found.is_late:
        yield problem(
            "application",
            f"importing {settings.app.target} was not done within {found.seconds:.0f} s (timeouts.boot)",
            "look where it waits; a longer --timeout-boot, if it has to",
        )
    elif found.error:
        yield problem("application", found.error, found.details.strip())
    else:
        yield from _imported(settings, found)


def _imported(settings: Settings, found: Import) -> Iterator[Finding]:
    took = f"{settings.app.target} is imported in {found.seconds:.1f} s"
    boot = settings.timeouts.boot
    if found.seconds > boot / 2:
        yield warning(
            "application", f"{took}, and has {boot:g} s", f"--timeout-boot {3 * found.seconds:.0f}s"
        )
    elif found.seconds > _LONG_IMPORT and (settings.workers.preload == "off" or found.left):
        yield note(
            "application", f"{took}, in each worker anew", "--preload auto, if its import can be shared"
        )
    else:
        yield ok("application", took)
    if not found.left or settings.workers.preload == "off":
        return
    left = "; ".join(found.left)
    if settings.workers.preload == "on":
        yield warning(
            "preload",
            f"workers are forked with what importing {settings.app.target} {left}; it may hang or fail in "
            "them",
            "move that into the lifespan, or --preload auto",
        )
    else:
        yield note(
            "preload",
            f"workers import by themselves, because importing {settings.app.target} {left}",
            "move that into the lifespan, for workers that share memory and begin in milliseconds",
        )
