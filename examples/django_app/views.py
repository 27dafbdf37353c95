"""The views: with ASGI, those that are coroutines run in the event loop, the others in a thread."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET, require_POST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.http import HttpRequest


async def home(_request: HttpRequest) -> JsonResponse:
    """Greet the world."""
    return JsonResponse({"hello": "world"})


def hello(request: HttpRequest, name: str) -> JsonResponse:
    """Greet by name."""
    greeting = request.GET.get("greeting", "Hello")
    return JsonResponse({"greeting": greeting, "name": name}, headers={"x-framework": "django"})


@require_GET
async def item(_request: HttpRequest, item_id: int) -> JsonResponse:
    """Return a number; what is none is not found."""
    return JsonResponse({"item_id": item_id})


@require_POST
async def echo(request: HttpRequest) -> HttpResponse:
    """Send a body back as it came."""
    return HttpResponse(request.body, content_type=request.content_type)


async def visits(request: HttpRequest) -> JsonResponse:
    """Count how often this browser was here."""
    count = int(request.COOKIES.get("visits", "0")) + 1
    response = JsonResponse({"visits": count})
    response.set_cookie("visits", str(count))
    return response


async def count() -> AsyncIterator[str]:
    """Count until the client leaves."""
    try:
        for number in itertools.count(1):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.1)
    finally:
        print("The listener has left.", flush=True)


@require_GET
async def ticks(_request: HttpRequest) -> StreamingHttpResponse:
    """Send events to whoever listens. A stream that never ends needs ASGI: WSGI would collect it first."""
    return StreamingHttpResponse(count(), content_type="text/event-stream")


async def error(_request: HttpRequest) -> HttpResponse:
    """Fail: the client gets a 500, the log a traceback, and the worker goes on."""
    raise RuntimeError("This example fails on purpose.")
