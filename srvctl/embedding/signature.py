"""Gives a function the parameters of `Config`, for type checkers and for readers alike."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


def takes_what(config: Callable[P, object]) -> Callable[[Callable[..., T]], Callable[P, T]]:
    """Return what gives a function the parameters of a class."""

    def give(function: Callable[..., T]) -> Callable[P, T]:
        vars(function)["__signature__"] = inspect.signature(cast("Callable[..., Any]", config))
        return cast("Callable[P, T]", function)

    return give
