"""``srvctl restart``: for an instance that ``srvctl start`` has started; no other can be started again.

What it would be started with is read before it is stopped: a mistake in a file leaves it as it is. What is
needed to read it is loaded only then.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.cli import asking
from srvctl.cli.answer import Answer
from srvctl.cli.asking import Asked
from srvctl.cli.commands.stop import stop
from srvctl.cli.service_manager import unit_of
from srvctl.errors import ExitCode, SrvctlError
from srvctl.ipc.control import Command, Done, Request
from srvctl.supervisor import provenance

if TYPE_CHECKING:
    from argparse import Namespace

    from srvctl.cli.background.launching import Launch
    from srvctl.cli.instances import Master
    from srvctl.cli.parsing import Parser

_INSTEAD: Final = (
    "`srvctl reload` brings new code and settings without an interruption, `srvctl upgrade` a new srvctl"
)


class NotRestartedError(SrvctlError):
    """The instance cannot be started again from here, so it is not stopped either."""

    exit_code = ExitCode.REFUSED


def declare(parser: Parser) -> None:
    """Add the flags."""
    asking.declare_instance(parser, asking.TO_FINISH)
    parser.add_argument("--now", action="store_true", help="Do not wait for running requests.")


def carry_out(values: Namespace) -> ExitCode:
    """Stop an instance, and start it again with the same words, in the same directory.

    Raises:
        NotRestartedError: It was not started in the background, or nobody knows how.
    """
    asked = Asked.read(values)
    with Answer(is_json=asked.is_json) as answer:
        with asking.met(asked.wanted) as master:
            if sentence := refusal(
                master.name, master.pid, str(master.about.get("started", "")), Path("/proc")
            ):
                raise NotRestartedError(sentence)
            again = _same_again(master)
            if isinstance(again, ExitCode):
                raise NotRestartedError(
                    f"it cannot be started again like this, so {master} goes on as it was"
                )
            request = Request(Command.STOP, {"immediately": values.now})
            done = stop(master, request, asked.patience, answer.progress)
            if not done.ok:
                return answer.end(done)
            answer.progress(done.message)
            former = master.pid
        return answer.end(_start(again, asked.patience, answer, former))


def refusal(name: str, pid: int, started: str, proc: Path) -> str:
    """Return why an instance is not restarted from here, and what to do instead; nothing if it can be.

    Args:
        name: What it is called.
        pid: Its master.
        started: What it says of how it was started.
        proc: Where processes are looked for.
    """
    if started == provenance.START:
        return ""
    unit = unit_of(pid, proc) if started == provenance.SERVICE else ""
    if unit:
        return f"instance {name} (pid {pid}) is a service of systemd: use `{unit}`"
    if started == provenance.SERVICE:
        return (
            f"instance {name} (pid {pid}) belongs to a service manager, which has to restart it; {_INSTEAD}"
        )
    return (
        f"instance {name} (pid {pid}) runs in the foreground (srvctl run): who started it has to start it "
        f"again; {_INSTEAD}"
    )


def _same_again(master: Master) -> Launch | ExitCode:
    """Return what starts it again; the exit code, where that has been told already, if it cannot be.

    Raises:
        NotRestartedError: Nobody knows how it was started.
    """
    import psutil  # noqa: PLC0415 - for this command only

    from srvctl.cli.background.launching import Launch  # noqa: PLC0415 - as above
    from srvctl.cli.background.words import arguments_of  # noqa: PLC0415 - as above
    from srvctl.cli.running import invoke  # noqa: PLC0415 - it loads all that reading settings needs

    try:
        process = psutil.Process(master.pid)
        program, words = arguments_of(process.cmdline())
        os.chdir(process.cwd())
    except (psutil.Error, OSError, ValueError) as error:
        raise NotRestartedError(f"it cannot be known how {master} was started: {error}") from None
    service = invoke(["run", *words])
    if isinstance(service, ExitCode):
        return service
    # Without a name of the user's own, it may have been given a number; its log goes on where it was.
    named = replace(service, instance=replace(service.instance, name=master.name or service.instance.name))
    return Launch(tuple(program), tuple(words), named)


def _start(again: Launch, patience: float, answer: Answer, former: int) -> Done:
    from srvctl.cli.background.launching import launch  # noqa: PLC0415 - as above

    name = again.service.instance.name
    try:
        done = launch(again, os.environ, patience=patience, progress=answer.progress)
    except SrvctlError as error:
        error.args = (f"{error}. Instance {name} was stopped before, so it is down now",)
        raise
    if done.ok:
        return replace(done, data={**done.data, "former_pid": former})
    return replace(done, message=f"{done.message}. It was stopped before, so it is down now")
