"""uvicorn with one SO_REUSEPORT socket for each worker.

``python -m benchmarks.balance.reuseport APP PORT N``
"""

from __future__ import annotations

import os
import signal
import socket
import sys

import uvicorn


def main(app: str, port: int, workers: int) -> None:
    """Fork the workers, and end with them when asked to."""
    children = []
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            _serve(app, port)
            os._exit(0)
        children.append(pid)

    def end(*_: object) -> None:
        for child in children:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    for child in children:
        os.waitpid(child, 0)


def _serve(app: str, port: int) -> None:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(2048)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False)
    uvicorn.Server(config).run(sockets=[sock])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
