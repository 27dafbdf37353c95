"""Which program waits for which: names that are none, names given twice, circles. Pure.

The workers are a part of it: programs may wait for them, and they for programs (``workers.after``).
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Final

from srvctl.settings.display import quote
from srvctl.settings.layer import DEFAULT, Problem
from srvctl.settings.program_values import WORKERS
from srvctl.settings.suggest import did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from srvctl.settings.layer import GivenProgram, Origin
    from srvctl.settings.programs import Read

AFTER: Final = "workers.after"


def order_problems(
    programs: Sequence[tuple[GivenProgram, Read]], workers_after: Sequence[str], origin: Origin = DEFAULT
) -> list[Problem]:
    """Return what is wrong with names, and with who waits for whom.

    Args:
        programs: In the order of the file.
        workers_after: What the workers wait for.
        origin: Where that is said.
    """
    # A name that was refused for its form is known as well: its problem is told already.
    names = [str(given.values["name"].value) for given, _ in programs if "name" in given.values]
    problems = [*_given_twice(programs), *_unknown(programs, names)]
    problems += [
        Problem.at(origin, AFTER, _is_no_program(name, names, WORKERS))
        for name in workers_after
        if name not in names
    ]
    return problems or _circle([one for one in programs if "name" in one[1].values], workers_after)


def _given_twice(programs: Iterable[tuple[GivenProgram, Read]]) -> Iterable[Problem]:
    first: dict[str, GivenProgram] = {}
    for given, read in programs:
        name = read.values.get("name")
        if name in first:
            line = first[name].origin_of("name").line
            yield given.problem("name", f"is given twice; first on line {line}")
        elif name is not None:
            first[name] = given


def _unknown(programs: Iterable[tuple[GivenProgram, Read]], names: Sequence[str]) -> Iterable[Problem]:
    for given, read in programs:
        own = read.values.get("name")
        for name in read.values.get("after", ()):
            if name not in names and name != WORKERS:
                yield given.problem("after", _is_no_program(name, [*names, WORKERS], own))
            elif name == own:
                yield given.problem("after", "a program cannot wait for itself; leave its name out")


def _is_no_program(name: str, names: Iterable[str], own: str | None) -> str:
    if name == own == WORKERS:
        return "the workers cannot wait for themselves; write the names of programs"
    meant = did_you_mean(nearest(name, [known for known in names if known != own]))
    return f"{quote(name)} is no program of the file{meant or '; write the name of a [[program]]'}"


def _circle(programs: Sequence[tuple[GivenProgram, Read]], workers_after: Iterable[str]) -> list[Problem]:
    given_by = {read.values["name"]: given for given, read in programs}
    graph = {read.values["name"]: read.values.get("after", ()) for _, read in programs}
    circle = _find_circle({**graph, WORKERS: tuple(workers_after)})
    if not circle:
        return []
    # From the one that is first in the file, so that the same file is always told the same.
    start = circle.index(next(name for name in given_by if name in circle))
    turned = [*circle[start:], *circle[:start]]
    waits = ", ".join(
        f"{one} waits for {other}" for one, other in zip(turned, [*turned[1:], turned[0]], strict=True)
    )
    return [given_by[turned[0]].problem("after", f"is a circle: {waits}; leave one of them out")]


def _find_circle(after: Mapping[str, Sequence[str]]) -> list[str]:
    """Return names of which each waits for the next, and the last for the first; none if there are none."""
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        # Its list goes from each to the one that waits for it, and ends where it began.
        found: list[str] = error.args[1]
        return found[:0:-1]
    return []
