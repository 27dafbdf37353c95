"""Flask, a WSGI framework, a little of each: JSON, a body, a cookie, a stream, an error.

    srvctl run examples.flask_app:app

Needs Flask, and srvctl with what translates WSGI (`pip install flask 'srvctl[wsgi]'`).
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request

if TYPE_CHECKING:
    from collections.abc import Iterator

app = Flask(__name__)


@app.get("/")
def home() -> dict[str, str]:
    """Greet the world."""
    return {"hello": "world"}


@app.get("/hello/<name>")
def hello(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Greet by name."""
    return {"greeting": request.args.get("greeting", "Hello"), "name": name}, {"x-framework": "flask"}


@app.get("/items/<int:item_id>")
def item(item_id: int) -> dict[str, int]:
    """Return a number; what is none is not found."""
    return {"item_id": item_id}


@app.post("/echo")
def echo() -> Response:
    """Send a body back as it came."""
    return Response(request.get_data(), content_type=request.content_type)


@app.get("/visits")
def visits() -> Response:
    """Count how often this browser was here."""
    count = request.cookies.get("visits", 0, type=int) + 1
    response = jsonify(visits=count)
    response.set_cookie("visits", str(count))
    return response


def count() -> Iterator[str]:
    """Count until the client leaves. It has one of the threads (app.wsgi_threads) for itself."""
    try:
        for number in itertools.count(1):
            yield f"data: {number}\n\n"
            time.sleep(0.1)
    finally:
        print("The listener has left.", flush=True)


@app.get("/ticks")
def ticks() -> Response:
    """Send events to whoever listens."""
    return Response(count(), mimetype="text/event-stream")


@app.get("/error")
def error() -> str:
    """Fail: the client gets a 500, the log a traceback, and the worker goes on."""
    raise RuntimeError("This example fails on purpose.")
