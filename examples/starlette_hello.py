"""A Starlette application that greets by name, and streams.

    srvctl run examples.starlette_hello:app

Needs Starlette (`pip install starlette`; FastAPI brings it).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


async def hello(request: Request) -> PlainTextResponse:
    """Greet whom the path names."""
    return PlainTextResponse(f"Hello, {request.path_params.get('name', 'world')}!\n")


async def count(_request: Request) -> StreamingResponse:
    """Send three lines, one at a time."""

    async def lines() -> AsyncIterator[str]:
        for number in (1, 2, 3):
            yield f"{number}\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(lines(), media_type="text/plain")


app = Starlette(routes=[Route("/", hello), Route("/hello/{name}", hello), Route("/count", count)])
