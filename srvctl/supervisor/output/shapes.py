"""The forms in which a line leaves: as it is, as JSON, for syslog and for journald. Pure."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from srvctl.logs.json_lines import iso_time
from srvctl.supervisor.output.entry import level_of, parsed_object, severity_of

if TYPE_CHECKING:
    from srvctl.supervisor.output.entry import Entry

NAME: Final = "srvctl"  #: what syslog and journald call us
_DAEMON: Final = 3 << 3  #: the facility, as of syslog(3)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: A record may be cut above that, or lost (RFC 5424, 6.1; a UDP datagram has less than 64 KiB).
_MOST_REMOTE: Final = 8192


def as_json(entry: Entry) -> bytes:
    """Return a line as an object of JSON; one that is such an object is left as it is.

    That of a program is told by ``program``, unless it has such a member itself.
    """
    parsed = parsed_object(entry.line)
    if parsed is not None:
        return entry.line if not entry.program or "program" in parsed else _named(entry, bool(parsed))
    values = {
        "time": iso_time(entry.at),
        "level": level_of(entry),
        "stream": entry.stream,
        "message": entry.text,
        "pid": entry.pid,
        "slot": entry.slot,
    }
    if entry.program:
        values["program"] = entry.program
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "backslashreplace")


def as_line(entry: Entry) -> bytes:
    """Return what a stream or a file gets."""
    return text_of(entry) + b"\n"


def text_of(entry: Entry) -> bytes:
    """Return a line for people: that of a program begins with its name, for it does not say so itself."""
    return b"[%s] %s" % (entry.program.encode(), entry.line) if entry.program else entry.line


def as_local_syslog(entry: Entry) -> bytes:
    """Return what /dev/log gets, as syslog(3) of libc writes it: RFC 3164 without the host, in local time."""
    now = time.localtime(entry.at)
    date = f"{_MONTHS[now.tm_mon - 1]} {now.tm_mday:2} {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02}"
    return f"<{_DAEMON + severity_of(entry)}>{date} {NAME}[{entry.pid}]: ".encode() + _flat(text_of(entry))


def as_remote_syslog(entry: Entry, host: str) -> bytes:
    """Return what another machine's syslog gets: RFC 5424.

    Args:
        entry: The line.
        host: What this machine calls itself.
    """
    head = f"<{_DAEMON + severity_of(entry)}>1 {iso_time(entry.at)} {host or '-'} {NAME} {entry.pid} - - "
    return (head.encode("ascii", "replace") + _flat(text_of(entry)))[:_MOST_REMOTE]


def as_journal(entry: Entry) -> bytes:
    """Return what journald gets, in its native protocol; a line has no newline, so the simple form does."""
    fields = {
        "PRIORITY": severity_of(entry),
        "SYSLOG_IDENTIFIER": NAME,
        "SYSLOG_PID": entry.pid,
        "SRVCTL_PID": entry.pid,
        "SRVCTL_SLOT": entry.slot,
        "SRVCTL_STREAM": entry.stream,
    }
    if entry.program:
        fields["SRVCTL_PROGRAM"] = entry.program
    lines = [f"{name}={value}\n".encode() for name, value in fields.items()]
    return b"".join(lines) + b"MESSAGE=" + text_of(entry) + b"\n"


def _named(entry: Entry, has_members: bool) -> bytes:
    """Return an object of JSON with the program that has printed it as its first member."""
    member = json.dumps({"program": entry.program})[:-1].encode()
    return member + (b", " if has_members else b"") + entry.line.strip()[1:]


def _flat(line: bytes) -> bytes:
    """Return a line without what receivers take for the end of it."""
    return line.replace(b"\0", b"\\x00")
