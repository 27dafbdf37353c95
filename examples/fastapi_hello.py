"""A small FastAPI application: a page that says what it is, an item, and an answer that takes its time.

    srvctl run examples.fastapi_hello:app --workers 2

Needs FastAPI (`pip install fastapi`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator  # noqa: TC003 - FastAPI evaluates annotations
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Hello from srvctl</title>
<style>body {{ font: 1.1em/1.6 system-ui; max-width: 40em; margin: 3em auto; padding: 0 1em }}</style>
<h1>Hello from srvctl</h1>
<p>This page is a FastAPI application, <code>examples/fastapi_hello.py</code>. Worker {worker} answered;
it has served since {since:%H:%M:%S} UTC. Its master is process {master}.</p>
<ul>
<li><a href="/items/7?q=seven">/items/7?q=seven</a>: JSON</li>
<li><a href="/slow?seconds=5">/slow?seconds=5</a>: takes its time</li>
<li><a href="/docs">/docs</a>: the interface, as FastAPI describes it</li>
</ul>
<p>Change the file and run <code>kill -HUP {master}</code>: new workers take over, and no request is lost.</p>
"""


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Make what all requests of this worker share; code after `yield` runs after the last of them."""
    yield {"since": datetime.now(UTC)}


app = FastAPI(title="Hello from srvctl", lifespan=lifespan)


@app.get("/", response_class=HTMLResponse, include_in_schema=False)
async def home(request: Request) -> str:
    """Say what this is."""
    return PAGE.format(worker=os.getpid(), master=os.getppid(), since=request.state.since)


@app.get("/items/{item_id}")
async def read_item(item_id: int, q: str | None = None) -> dict[str, Any]:
    """Return what was asked for."""
    return {"item_id": item_id, "q": q}


@app.get("/slow")
async def slow(seconds: Annotated[float, Query(ge=0, le=60)] = 5.0) -> dict[str, Any]:
    """Answer after a while: stop or reload the server meanwhile, and the answer still comes."""
    await asyncio.sleep(seconds)
    return {"waited": seconds, "worker": os.getpid()}
