"""The program. For ``run``, this process becomes the master, so it imports as little as it can (ADR 2)."""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

from srvctl.cli.report import report
from srvctl.cli.shorthand import spelled_out
from srvctl.errors import SrvctlError
from srvctl.logs.streams import flush

#: `srvctl.supervisor.handover.VARIABLE`, which is not loaded for its sake.
HANDOVER: Final = "SRVCTL_HANDOVER"
#: `srvctl.supervisor.provenance.VARIABLE`, likewise.
STARTED: Final = "SRVCTL_STARTED"
#: First words with which srvctl tells of itself, and which end the command line, as with all programs.
_ABOUT_ITSELF: Final = frozenset({"-h", "--help", "--version"})


def main() -> int:
    """Carry out the command line and return the exit code."""
    argv = spelled_out(sys.argv[1:])
    try:
        return _run(argv) if argv[:1] == ["run"] else _other(argv)
    except SrvctlError as error:
        report(str(error))
        return int(error.exit_code)
    finally:
        flush()


def _run(argv: list[str]) -> int:
    task = os.environ.pop(HANDOVER, "")
    if task:
        from srvctl.cli.successor import succeed  # noqa: PLC0415 - an upgrade of a master that runs

        return succeed(argv, task)
    # The master takes both out of the environment. `srvctl start` learns by itself what has happened.
    told = "" if STARTED in os.environ else os.environ.get("NOTIFY_SOCKET", "")
    try:
        return _serve(argv)
    except (SrvctlError, SystemExit) as error:
        if told:
            from srvctl.cli.start_failure import tell  # noqa: PLC0415 - where it is needed

            tell(told, error)
        raise


def _serve(argv: list[str]) -> int:
    from srvctl.cli.resolver import reread, resolve  # noqa: PLC0415 - other commands do not need it
    from srvctl.cli.warming import Meanwhile  # noqa: PLC0415 - as above

    try:
        with Meanwhile(argv) as meanwhile:
            service = resolve(argv, meanwhile.begin, holds_stops_back=True)
            from srvctl.launch import serve  # noqa: PLC0415 - after the fork, so that the child does not carry it

            return serve(service, lambda: reread(argv), meanwhile.warm)
    finally:  # where nobody was there to let them through
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))


def _other(argv: list[str]) -> int:
    if not argv or argv[0] in _ABOUT_ITSELF:
        from srvctl.cli import front  # noqa: PLC0415 - never in the process that becomes the master

        return front.invoke(argv)
    from srvctl.cli import quick  # noqa: PLC0415 - as above

    if argv and argv[0] in quick.COMMANDS:
        return quick.invoke(argv)
    if argv[:1] == ["completion"]:
        from srvctl.cli import completion  # noqa: PLC0415 - as above

        return completion.invoke(argv)
    from srvctl.cli.app import invoke  # noqa: PLC0415 - as above; and it takes half a second

    result = invoke(argv)
    if not isinstance(result, int):
        raise TypeError("only run returns settings, and run has a process of its own")
    return int(result)


if __name__ == "__main__":
    sys.exit(main())
