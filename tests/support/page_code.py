"""Runs one piece of Python of a page: ``python -m tests.support.page_code FILE``. Ends with 0 if it is good.

What a page has introduced before is there: ``srvctl``, an application ``app``, the same in a module ``main``.
Tests that the piece defines are run. An application that it makes is served, and asked for its first page.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx

import srvctl


async def _hello(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})


async def _asked(app: Any) -> int:
    async with srvctl.serve(app) as server, httpx.AsyncClient(base_url=server.url) as client:
        return (await client.get("/")).status_code


def run(text: str, name: str) -> None:
    """Run it.

    Raises:
        AssertionError: A test in it fails, or its application does not answer.
        Exception: Whatever it raises.
    """
    main = ModuleType("main")
    vars(main)["app"] = _hello
    sys.modules["main"] = main
    names: dict[str, Any] = {"__name__": "page", "srvctl": srvctl, "app": _hello}
    code = compile(text, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if inspect.iscoroutine(result):
        asyncio.run(_wait(result))
    for each, value in list(names.items()):
        if each.startswith("test_"):
            asyncio.run(value())
    if names["app"] is not _hello:
        status = asyncio.run(_asked(names["app"]))
        assert status < 500, status


async def _wait(result: Any) -> None:
    await result


if __name__ == "__main__":
    file = Path(sys.argv[1])
    run(file.read_text(encoding="utf-8"), str(file))
