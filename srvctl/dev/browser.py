"""Pages in browsers that load themselves again when other code serves (``--reload-browser``).

`refreshing` wraps an application in a worker: HTML gets a script, and the script a stream that tells which
edition serves. Must not know how code is replaced: that is seen when a stream ends and the next one begins.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.dev.edition import Edition
from srvctl.dev.error_page import ErrorPage
from srvctl.dev.injecting import Page, without_shortcuts
from srvctl.logs.access.log import NAME

if TYPE_CHECKING:
    from srvctl.dev.asgi import Application, Receive, Scope, Send

_SCRIPT: Final = "/__srvctl__/reload.js"
_STREAM: Final = "/__srvctl__/reload"
_KEEP_ALIVE: Final = 30.0  #: seconds between signs of life, for proxies
_RETRY: Final = b"retry: 200\n"  #: milliseconds; the script does not leave it to the browser
_NOT_CACHED: Final = (b"cache-control", b"no-store")


def refreshing(application: Application, generation: int) -> Application:
    """Return an application whose pages load themselves again when another generation serves.

    Args:
        application: What makes the pages.
        generation: What it is of.
    """
    edition = application.edition if isinstance(application, ErrorPage) else Edition()
    return _Refreshing(application, generation, edition)


def keep_out_of_access_log() -> None:
    """Have the access log of this process tell of what somebody has asked for only: not of the script."""
    logging.getLogger(NAME).addFilter(_is_of_the_application)


def _is_of_the_application(record: logging.LogRecord) -> bool:
    return _STREAM not in record.getMessage()


class _Refreshing:
    """The application.

    Args:
        application: What makes the pages.
        generation: What it is of.
        edition: Which of its pages are old.
    """

    def __init__(self, application: Application, generation: int, edition: Edition) -> None:
        self._application = application
        # Generations are counted from 1 by each master, so its process is a part of the name.
        self._generation = f"{os.getppid()}.{generation}"
        self._edition = edition
        self._script = Path(__file__).with_name("reload.js").read_bytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._application(scope, receive, send)
            return
        path = scope["path"]
        # Below whatever path: a proxy strips the root path of the script's address, or there is no proxy.
        if path.endswith(_SCRIPT):
            await self._send_script(send)
        elif path.endswith(_STREAM):
            await self._stream(receive, send)
        else:
            root = scope.get("root_path", "")
            page = Page(scope, send, f"{root}{_SCRIPT}?{self._token}")
            await self._application(without_shortcuts(scope), receive, page.send)

    @property
    def _token(self) -> str:
        return f"{self._generation}.{self._edition.number}"

    async def _send_script(self, send: Send) -> None:
        headers = [
            (b"content-type", b"text/javascript; charset=utf-8"),
            (b"content-length", b"%d" % len(self._script)),
            _NOT_CACHED,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._script})

    async def _stream(self, receive: Receive, send: Send) -> None:
        # nginx would gather what is small, without the last one.
        headers = [(b"content-type", b"text/event-stream"), _NOT_CACHED, (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        text = _RETRY
        leaving = asyncio.ensure_future(_wait_left(receive))
        try:
            while not leaving.done():
                renewed = asyncio.ensure_future(self._edition.renewed.wait())
                try:
                    text += f"data: {self._token}\n\n".encode()
                    await send({"type": "http.response.body", "body": text, "more_body": True})
                    await asyncio.wait(
                        {leaving, renewed}, timeout=_KEEP_ALIVE, return_when=asyncio.FIRST_COMPLETED
                    )
                finally:
                    renewed.cancel()
                text = b""
        finally:
            leaving.cancel()
        await send({"type": "http.response.body", "body": b""})


async def _wait_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
