"""What people want of programs, until it is done: who waits for which, and what they are told. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from srvctl.supervisor.actions import Reply
from srvctl.supervisor.portable import unpacked
from srvctl.supervisor.programs.places import PlaceState
from srvctl.supervisor.state import UP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srvctl.supervisor.events import ProgramAsked
    from srvctl.supervisor.programs.places import Place
    from srvctl.supervisor.state import State

_DONE: Final = {"start": "started", "stop": "stopped", "restart": "restarted"}


@dataclass(frozen=True, slots=True)
class Wish:
    """One client's.

    Attributes:
        client: Of the control socket.
        verb: What is wanted: start, stop or restart.
        name: What the client called it.
        since: For each place that is meant, its label and the number of a process; one with a larger
            number is what is waited for.
    """

    client: int
    verb: str
    name: str
    since: Mapping[str, int]

    def waits_for(self, place: Place) -> bool:
        """Return whether the latest process of a place is the one that is waited for."""
        return place.process > self.since.get(place.label, 0)


class Wishes:
    """All that are not done yet.

    Args:
        state: The fleet's.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._wishes: list[Wish] = []

    def take(self, asked: ProgramAsked) -> list[Place]:
        """Return what is meant; say what is wrong where nothing is."""
        found = self._meant(asked.name)
        if self._state.phase not in UP:
            self._reply(asked.client, "The service is stopping.", is_ok=False)
            return []
        if not found:
            self._reply(asked.client, self._nobody(asked.name), is_ok=False)
            return []
        self._state.orders.info(f"Received {asked.by}: {asked.verb} program {asked.name}.")
        if asked.client is not None:
            has_begun = asked.verb == "start"  # what runs already is what is waited for
            since = {place.label: place.process - (has_begun and place.is_alive) for place in found}
            self._wishes.append(Wish(asked.client, asked.verb, asked.name, since))
        return found

    def answer(self) -> None:
        """Tell those whose wish is done, or cannot be."""
        for wish in list(self._wishes):
            places = self._meant(wish.name)
            failed = next((place for place in places if _has_failed(wish, place)), None)
            if failed is not None:
                self._wishes.remove(wish)
                text = f"Program {wish.name} was not {_DONE[wish.verb]}: {failed.reason}."
                self._reply(wish.client, text, is_ok=False)
            elif all(_is_done(wish, place) for place in places):
                self._wishes.remove(wish)
                self._reply(wish.client, f"Program {wish.name} is {_DONE[wish.verb]}.", is_ok=True)

    def drop(self) -> None:
        """Give up all, because the service stops."""
        for wish in self._wishes:
            self._reply(wish.client, "The service is stopping.", is_ok=False)
        self._wishes.clear()

    def export(self) -> list[dict[str, Any]]:
        """Return what `restore` needs, as JSON."""
        return [asdict(wish) for wish in self._wishes]

    def restore(self, values: Sequence[Mapping[str, Any]]) -> None:
        """Go on as another fleet's."""
        self._wishes = [unpacked(Wish, wish) for wish in values]

    def _meant(self, name: str) -> list[Place]:
        """Return the places of a program, or the one that is called ``NAME:INDEX``."""
        places = self._state.programs
        return places.of(name) or [place for place in places if place.label == name]

    def _nobody(self, name: str) -> str:
        known = ", ".join(dict.fromkeys(place.name for place in self._state.programs))
        return f"There is no program {name!r}; there are: {known or 'none ([[program]] of the settings)'}."

    def _reply(self, client: int | None, text: str, *, is_ok: bool) -> None:
        if client is not None:
            self._state.orders.give(Reply(client, is_ok, text))


def _is_done(wish: Wish, place: Place) -> bool:
    if wish.verb == "stop":
        return not place.is_alive
    return wish.waits_for(place) and place.state in {PlaceState.RUNNING, PlaceState.DONE}


def _has_failed(wish: Wish, place: Place) -> bool:
    """Return whether the process that was waited for has ended before it was ready."""
    is_over = place.state in {PlaceState.WAITING, PlaceState.STOPPED, PlaceState.FAILED}
    return wish.verb != "stop" and wish.waits_for(place) and is_over
