"""The process that `run` starts: ``srvctl run`` with the caller's ``sys.path``. It ends when the caller does.

Arguments are a JSON object, so that they are there again when the master upgrades in place, and the command
line. Becomes the master, so it imports as little as that.
"""

from __future__ import annotations

import json
import os
import sys

from srvctl.__main__ import HANDOVER, main
from srvctl.ipc.forking import die_with


def begin(argv: list[str]) -> int:
    """Carry out a command line.

    Args:
        argv: That of this process, with the object first.
    """
    start = json.loads(argv.pop(1))
    if HANDOVER not in os.environ:
        # Else it is a master that upgrades, whose request outlives execve(2), or that one's rehearsal.
        die_with(start["parent"])
    sys.path[:] = list(dict.fromkeys([*start["path"], *sys.path]))
    return main()


if __name__ == "__main__":
    sys.exit(begin(sys.argv))
