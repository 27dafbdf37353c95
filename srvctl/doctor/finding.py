"""What a check says: one line about one thing, how bad it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is.

    Attributes:
        OK: As it should be.
        NOTE: Good to know; nothing has to be done.
        WARNING: It works, but not as well or not as safely as it could.
        PROBLEM: It does not start like this, or breaks under load.
    """

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one thing.

    Attributes:
        level: How bad it is.
        topic: What it is about, in a word or two.
        text: What was found.
        advice: The command or the setting that changes it; empty where there is nothing to do.
    """

    level: Level
    topic: str
    text: str
    advice: str = ""


def ok(topic: str, text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.OK, topic, text)


def note(topic: str, text: str, advice: str = "") -> Finding:
    """Return that something is good to know."""
    return Finding(Level.NOTE, topic, text, advice)


def warning(topic: str, text: str, advice: str = "") -> Finding:
    """Return that something could be better."""
    return Finding(Level.WARNING, topic, text, advice)


def problem(topic: str, text: str, advice: str = "") -> Finding:
    """Return that something does not work."""
    return Finding(Level.PROBLEM, topic, text, advice)
