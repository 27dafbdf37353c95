"""What each command is for, in a sentence. Made by `srvctl.cli.generated` from the commands: do not edit.

The overview is printed from this, because to ask the commands themselves takes half a second.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: In the order of the help.
COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "run": "Serve APP in the foreground until asked to stop.",
        "start": "Serve APP in the background; return when its workers are ready, or say why they are not.",
        "status": "Print how an instance and its workers are.",
        "ls": "List the instances that run.",
        "top": "Watch an instance on the whole screen.",
        "reload": "Replace every worker by one that runs what is on disk now.",
        "stop": "Answer what was begun, then end the instance.",
        "restart": "Stop an instance that was started in the background, and start it again.",
        "upgrade": "Replace the master, in place, by the srvctl installed now.",
        "recycle": "Replace workers by new ones of the same code and settings.",
        "scale": "Have another number of workers.",
        "worker": "List the workers; replace, stop or kill one, or print its stacks.",
        "program": "List what runs beside the workers; start, stop or restart one.",
        "why": "Print why workers died, the newest death first.",
        "logs": "Print the last lines of the log, and those that follow.",
        "events": "Print what has happened, and what happens.",
        "healthcheck": "Tell by the exit code whether an instance is ready.",
        "check": "Check the settings and print each value and where it is from.",
        "config": "Print the settings, those of an instance that runs, or what differs.",
        "init": "Print a file for systemd, containers, Kubernetes or nginx, or of settings, for APP and its flags.",  # noqa: E501
        "migrate": "Read how uvicorn or gunicorn is started, write srvctl.toml, and list what means something different.",  # noqa: E501
        "explain-proxy": "Print what forwarding headers make of a request, and why.",
        "doctor": "Look at this machine, and say what to change for APP and these settings.",
        "rehearse": "Start APP on a free port, and try under load what can happen to a service.",
        "completion": "Print the script that completes command lines in a shell.",
        "version": "Print the version.",
    }
)
#: Those of ``srvctl`` itself.
FLAGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "--version": "Print the version.",
        "-h, --help": "Show this help.",
    }
)
