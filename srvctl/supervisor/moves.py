"""Holds a state to its table of moves. Pure; used by what has such a table: phases, reloads, programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum

State = TypeVar("State", bound="Enum")


def check_move(moves: Mapping[State, Mapping[State, str]], now: State, then: State, whose: str) -> None:
    """Refuse a move that a table does not have, which is a bug.

    Args:
        moves: The table: for each state those that may follow, and why.
        now: The state.
        then: The next one.
        whose: What has the state, for people.

    Raises:
        ValueError: The table has no such move.
    """
    if then not in moves[now]:
        raise ValueError(f"{whose} that is {now.value} cannot be {then.value} next")
