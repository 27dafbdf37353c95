"""What `basic` serves, and an application that prints in every way: for tests of where that goes."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from urllib.parse import parse_qsl

from tests.support.apps.basic import Message, Receive, Send
from tests.support.apps.basic import app as basic


def _print(how: str, text: str, count: int) -> None:
    for _ in range(count):
        match how:
            case "print":
                print(text)
            case "stderr":
                print(text, file=sys.stderr)
            case "descriptor":
                os.write(2, f"{text}\n".encode())
            case "half":
                os.write(2, text.encode())
            case "crash":
                os.write(2, f"{text}\n".encode())
                ctypes.string_at(0)
            case "grandchild":
                command = "import sys, time; sys.stdin.read(1); print(sys.argv[1], flush=True)"
                subprocess.Popen([sys.executable, "-c", command, text], stdin=int(os.environ["GRANDCHILD"]))


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Print what the query asks for: ``how``, ``text`` and how often."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("the last line of stderr", file=sys.stderr)
        print("the last line of stdout", end="")  # whoever ends it
        await send({"type": "lifespan.shutdown.complete"})
        return
    query = dict(parse_qsl(scope["query_string"].decode()))
    if "how" in query:
        _print(query["how"], query.get("text", "x" * int(query.get("size", 1))), int(query.get("count", 1)))
    await basic(scope, receive, send)
