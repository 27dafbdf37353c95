"""One call of a WSGI application, from its start_response() to the end of its iterator (PEP 3333).

Runs in the thread of the request. Knows neither ASGI nor a2wsgi: it is given what sends head and pieces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
    Head = tuple[str, list[tuple[str, str]]]
    Write = Callable[[bytes], object]
    StartResponse = Callable[[str, list[tuple[str, str]]], Write]
    WsgiApplication = Callable[[dict[str, Any], Callable[..., Write]], Iterable[bytes]]


def answer(
    application: WsgiApplication,
    environ: dict[str, Any],
    start_response: StartResponse,
    check: Callable[[], None],
) -> Iterator[bytes]:
    """Call an application, and yield the pieces of its response.

    Args:
        application: Is called when the first piece is asked for.
        environ: Is handed to it.
        start_response: Sends the head, and returns what sends a piece; is called once.
        check: Raises once the response has nobody to go to; the application's iterator is then closed.

    Raises:
        RuntimeError: The application says things in the wrong order, or wants to end the process.
    """
    head = _Head(start_response, check)
    pieces: Iterable[bytes] = ()
    try:
        pieces = application(environ, head.start_response)
        for piece in pieces:
            if piece:
                head.send()
                yield piece
                check()  # rather than ask for one more piece
        head.send()
    except (Exception, GeneratorExit):
        raise
    except BaseException as error:  # SystemExit in a task would end the event loop
        raise RuntimeError(f"The application raised {error!r}.") from error
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


class _Head:
    """The status and the fields of a response, which may be replaced until they are sent."""

    def __init__(self, send: StartResponse, check: Callable[[], None]) -> None:
        self._send = send
        self._check = check
        self._head: Head | None = None
        self._send_piece: Write | None = None  #: None until the head is sent

    def start_response(
        self, status: str, fields: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Write:
        """Take the head; with ``exc_info``, in the place of the one before."""
        if exc_info is not None:
            try:
                if self._send_piece is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds this very frame
        elif self._head is not None:
            raise RuntimeError("start_response() was called twice without exc_info.")
        # a2wsgi splits at the space; many applications leave the reason away, which HTTP allows.
        self._head = (status if " " in status else f"{status} ", fields)
        return self._write

    def send(self) -> Write:
        """Send the head, unless that is done; return what sends a piece."""
        self._check()
        if self._send_piece is None:
            if self._head is None:
                raise RuntimeError("The application did not call start_response().")
            self._send_piece = self._send(*self._head)
        return self._send_piece

    def _write(self, piece: bytes) -> None:
        if piece:
            self.send()(piece)
