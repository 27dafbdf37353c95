"""Which interface an application speaks, as far as its shape shows. Pure: no application is called here.

Called by `srvctl.worker.interfaces` with whatever a user serves: a function, an object, a class, a mock.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

Interface = Literal["asgi3", "asgi2", "wsgi"]

#: What a call takes: (scope, receive, send), or the scope alone, or (environ, start_response) (PEP 3333).
_TAKES: Final[dict[int, Interface]] = {1: "asgi2", 2: "wsgi", 3: "asgi3"}
_COUNTS: Final = {interface: count for count, interface in _TAKES.items()}
_SCOPE: Final = "scope"
_ENVIRON: Final = frozenset({"environ", "env"})
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Shape:
    """What can be seen of a callable without calling it.

    Attributes:
        names: Its positional parameters; None where nobody knows.
        required: How many of them have no default.
        takes_more: It has ``*args``.
        needs_keywords: It has keyword parameters without a default, so no server can call it.
        is_async: Calling it returns an awaitable in any case.
        is_class: It is a class, so calling it makes an object.
    """

    names: tuple[str, ...] | None
    required: int = 0
    takes_more: bool = False
    needs_keywords: bool = False
    is_async: bool = False
    is_class: bool = False

    @classmethod
    def of(cls, application: Any, *, through_wrappers: bool = False) -> Self:
        """Look at a callable.

        Args:
            application: Is not called.
            through_wrappers: Of a decorated function, look at what it says it wraps (``__wrapped__``).
        """
        is_class = inspect.isclass(application)
        is_async = hasattr(application, "__await__") if is_class else _is_async(application)
        try:
            signature = inspect.signature(application, follow_wrapped=through_wrappers)
        except Exception:  # noqa: BLE001 - there is none, or the code of a lazy object's fails at the question
            return cls(None, is_async=is_async, is_class=is_class)
        parameters = list(signature.parameters.values())
        positional = [each for each in parameters if each.kind in _POSITIONAL]
        return cls(
            names=tuple(each.name for each in positional),
            required=sum(each.default is each.empty for each in positional),
            takes_more=any(each.kind is each.VAR_POSITIONAL for each in parameters),
            needs_keywords=any(
                each.kind is each.KEYWORD_ONLY and each.default is each.empty for each in parameters
            ),
            is_async=is_async,
            is_class=is_class,
        )

    def takes(self, count: int) -> bool:
        """Return whether it can be called with so many arguments, as far as anybody knows."""
        if self.names is None:
            return True
        is_enough = self.takes_more or count <= len(self.names)
        return is_enough and self.required <= count and not self.needs_keywords

    @property
    def says_nothing(self) -> bool:
        """Whether its parameters tell nothing about it."""
        return self.names is None or (self.takes_more and not self.names)

    def __str__(self) -> str:
        """Say what it takes."""
        if self.names is None:
            return "unknown"
        return f"({', '.join([*self.names, *(['*args'] if self.takes_more else [])])})"


def is_factory(shape: Shape) -> bool:
    """Return whether a callable can only be meant to return an application: it needs no argument.

    One that would take any is left alone, and so is one that names what a server hands over.
    """
    if shape.names is None or shape.takes_more or shape.is_async or shape.required or shape.needs_keywords:
        return False
    return not shape.names or shape.names[0] not in {_SCOPE, *_ENVIRON}


def detect(application: Any) -> Interface:
    """Return what an application speaks; where its shape allows several, what is most usual today."""
    shape = Shape.of(application)
    if shape.is_async:
        return "asgi3"
    if shape.says_nothing:
        shape = Shape.of(application, through_wrappers=True)
    possible = [interface for count, interface in _TAKES.items() if shape.takes(count)]
    if len(possible) == 1:
        return possible[0]
    named = _by_name(shape, possible)
    if named is not None:
        return named
    if shape.required in _TAKES and shape.takes(shape.required):
        return _TAKES[shape.required]
    # Nothing is known. Of a class that is an ASGI 2 application, whose call takes the scope; of all others,
    # such as a decorator's ``def wrapper(*args)``, there are far more around ASGI 3 than around the others.
    return "asgi2" if shape.is_class else "asgi3"


def objection(application: Any, interface: Interface) -> str:
    """Return why an application cannot speak an interface, as the end of a sentence; nothing if it may."""
    shape = Shape.of(application)
    if shape.is_async and interface != "asgi3":
        return "is async, as only asgi3 is"
    if shape.takes(_COUNTS[interface]):
        return ""
    return f"takes {shape}"


def _by_name(shape: Shape, possible: list[Interface]) -> Interface | None:
    first = shape.names[0] if shape.names else ""
    if first == _SCOPE and possible:
        return "asgi3" if "asgi3" in possible else "asgi2"
    if first in _ENVIRON and "wsgi" in possible:
        return "wsgi"
    return None


def _is_async(application: Any) -> bool:
    return inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(
        getattr(application, "__call__", None)  # noqa: B004 - not whether there is one: what it is
    )
