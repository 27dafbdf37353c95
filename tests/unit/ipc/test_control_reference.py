"""The reference of the protocol says what is so: its tables against those of the program."""

from __future__ import annotations

import json
import re
from pathlib import Path

from srvctl.ipc.control import MAX_REPLY, MAX_REQUEST, Command, Reason
from srvctl.supervisor.admin_client import TO_ASK, TO_READ
from srvctl.supervisor.admin_clients import MOST_CLIENTS, MOST_OF_ONE_READER, MOST_READERS
from srvctl.supervisor.admin_commands import ARGUMENTS, DEADLINES
from srvctl.supervisor.admin_feeds import MOST_FOLLOWERS
from srvctl.supervisor.admin_roles import NEEDS

TEXT = (Path(__file__).parents[3] / "docs/reference/control-protocol.md").read_text()


def rows(title: str) -> dict[str, list[str]]:
    """The table under a heading, by what stands in its first column."""
    section = TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {cells[0].strip().strip("`"): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_every_command_is_there_as_it_is() -> None:
    found = rows("Commands")
    assert set(found) == set(Command)
    for command in Command:
        arguments, role, within, _ = found[command]
        told = re.findall(r"`(\w+)`(?:: ([\w\"-]+))?", arguments)
        assert {name for name, _ in told} == set(ARGUMENTS[command])
        for name, default in told:
            assert default == "" or json.loads(default) == ARGUMENTS[command][name]
        assert role == NEEDS[command]
        seconds = DEADLINES[command]
        assert within == ("" if seconds is None else f"{seconds:.0f} s")


def test_every_reason_is_there() -> None:
    found = rows("Reasons")
    assert set(found) == set(Reason)
    for reason in Reason:
        code, meaning = found[reason]
        assert meaning.startswith(reason.meaning.rstrip("."))
        assert code in {"2", "4", "5", "78", "4 or 5"}


def test_the_limits_are_those() -> None:
    words = " ".join(TEXT.split())
    assert f"no more than {MAX_REQUEST // 1024} KiB, a reply no more than {MAX_REPLY // 1024**2} MiB" in words
    assert f"A client has {TO_ASK:.0f} s for a request" in words
    assert f"disconnected after {TO_READ:.0f} s" in words
    assert f"There are {MOST_CLIENTS} places" in words
    assert f"{MOST_READERS} for those who may only look, {MOST_OF_ONE_READER} for each user" in words
    assert MOST_FOLLOWERS == MOST_CLIENTS // 2
