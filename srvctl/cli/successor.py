"""What the installed srvctl does when one that runs makes way for it: rehearse, take over, or go back.

The one that runs is `srvctl.supervisor.upgrading`. Whatever goes wrong in a rehearsal is printed and ends it;
whatever goes wrong afterwards must not end the service: the workers live in this very process's care.
Called by the program, instead of reading the settings.
"""

from __future__ import annotations

import base64
import contextlib
import os
import pickle
import sys
import traceback
from typing import TYPE_CHECKING, Any

import srvctl
from srvctl.errors import ExitCode
from srvctl.logs.streams import flush
from srvctl.supervisor import handover
from srvctl.supervisor.caretaker import tend
from srvctl.supervisor.events import Upgraded, UpgradeRefused
from srvctl.supervisor.handover import HandoverError, Program
from srvctl.supervisor.output.passing import pass_on, pipes_of
from srvctl.supervisor.upgrading import GO_BACK, REHEARSE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from srvctl.settings.service import Service
    from srvctl.supervisor.events import Event


def succeed(argv: Sequence[str], task: str) -> int:
    """Do what the one that runs wants; return the exit code.

    Args:
        argv: The command line.
        task: The value of `handover.VARIABLE`, which must not be in the environment any more.

    Raises:
        SrvctlError: In a rehearsal, and the text says why this srvctl cannot take over.
    """
    name, _, descriptor = task.partition(":")
    left = int(descriptor)
    os.set_inheritable(left, False)
    if name == REHEARSE:
        return _rehearse(argv, handover.decode(handover.read(left)))
    return _go_on(argv, left, is_back=name == GO_BACK)


# -- before ------------------------------------------------------------------------------------------------


def _rehearse(argv: Sequence[str], state: Mapping[str, Any]) -> int:
    """Do everything that taking over consists of and that leaves no trace, and leave an answer."""
    from srvctl import launch  # noqa: PLC0415 - all that the master consists of must be there, and loads
    from srvctl.cli.running import invoke  # noqa: PLC0415 - never in the master
    from srvctl.settings.instance import Instance  # noqa: PLC0415 - as above
    from srvctl.settings.keeping import kept  # noqa: PLC0415 - as above
    from srvctl.settings.service import Service  # noqa: PLC0415 - as above
    from srvctl.supervisor.portable import unpacked  # noqa: PLC0415 - as above

    missing = handover.missing(state)
    if missing:
        raise HandoverError(f"descriptors did not come along: {missing}")
    found = invoke(argv)
    if isinstance(found, ExitCode):
        return int(found or ExitCode.INTERNAL)
    settings, notes = kept(state["settings"], found.settings)
    service = Service(settings, unpacked(Instance, state["instance"]))
    launch.rehearse(service, state)
    handover.write(state["answer"], pickle.dumps((service, notes)))
    return ExitCode.OK


# -- after -------------------------------------------------------------------------------------------------


def _go_on(argv: Sequence[str], left: int, *, is_back: bool) -> int:
    """Be the master; signals are blocked until it is one."""
    spares: dict[int, int] = {}
    try:
        state = handover.decode(handover.read(left))
        spares.update(_copies(state["descriptors"]))
        service, first = _own(state) if is_back else _answer(state)
        os.close(state["answer"])
        go_on = _put_together(argv, service, state, first)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the workers serve
        return _fall_back(left, spares, error, is_back=is_back)
    for fd in (left, *spares.values()):
        os.close(fd)
    return go_on()


def _answer(state: Mapping[str, Any]) -> tuple[Service, Event]:
    """Return what the rehearsal found out; pickle is safe, for its writer was this very program."""
    service, notes = pickle.loads(handover.read(state["answer"]))  # noqa: S301
    return service, Upgraded(state["version"], srvctl.__version__, notes)


def _own(state: Mapping[str, Any]) -> tuple[Service, Event]:
    """Return what this program left to itself, before it made way."""
    if state["pythonpath"] is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = state["pythonpath"]
    service: Service = pickle.loads(base64.b64decode(state["own"]))  # noqa: S301
    reason, details = state["failure"]
    return service, UpgradeRefused(reason, details)


def _put_together(
    argv: Sequence[str], service: Service, state: Mapping[str, Any], first: Event
) -> Callable[[], int]:
    from srvctl.cli.resolver import reread  # noqa: PLC0415 - what cannot be loaded must not end the service
    from srvctl.launch import go_on  # noqa: PLC0415 - as above

    return go_on(service, lambda: reread(argv), state, first)


def _copies(descriptors: Sequence[int]) -> dict[int, int]:
    """Return copies: what fails half-way closes what it had."""
    copies = {}
    with contextlib.suppress(OSError):  # no descriptor left: then there are fewer
        for fd in descriptors:
            copies[fd] = os.dup(fd)
    return copies


def _fall_back(left: int, spares: Mapping[int, int], error: BaseException, *, is_back: bool) -> int:
    """Have the program go on that was there before; if that is what failed, nothing can."""
    details = "".join(traceback.format_exception(error))
    state: dict[str, Any] = {}
    try:
        state = handover.loads(handover.read(left))
        if not is_back:
            reason = f"the installed srvctl began to take over and failed: {error!r}"
            _become_former({**state, "failure": [reason, details]}, spares)
    except BaseException:  # noqa: BLE001 - as above
        details += traceback.format_exc()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(details)
        sys.stderr.flush()
    staff = state.get("staff", {})
    for fd in _not_for_caretaking(state):
        for copy in {fd, spares.get(fd, fd)}:
            with contextlib.suppress(OSError):
                os.close(copy)
    with contextlib.suppress(Exception):  # then they wait when their pipes are full
        pass_on((spares.get(fd, fd), target) for fd, target in pipes_of(state))
    return tend(_pids(staff.get("workers", [])), _pids(staff.get("molds", [])))


def _become_former(state: dict[str, Any], spares: Mapping[int, int]) -> None:
    for fd in state["descriptors"]:
        if fd in spares:
            os.dup2(spares[fd], fd, inheritable=True)
        else:
            os.set_inheritable(fd, True)
    left = handover.kept(handover.encode(state))
    os.set_inheritable(left, True)
    program = Program.restore(state["former"])
    flush()
    os.execve(program.executable, program.argv, program.environ(GO_BACK, left, os.environ))  # noqa: S606


def _not_for_caretaking(state: Mapping[str, Any]) -> list[int]:
    """Return the descriptors whose other sides would wait for something that never comes."""
    admin = state.get("admin") or {}
    clients = admin.get("clients", {}).get("clients", [])
    console = (state.get("console") or {}).get("listeners", [])
    listeners = [*state.get("generation", {}).get("listeners", []), *console]
    control = [admin["listener"]] if admin.get("listener") is not None else []
    return [*control, *(client["fd"] for client in clients), *(listener["fd"] for listener in listeners)]


def _pids(children: Sequence[Mapping[str, Any]]) -> list[int]:
    return [child["pid"] for child in children if child.get("pid")]
