"""Why a worker died, in words: a sentence for people, and a line for the log.

Pure; made of a `Death` alone, so that ``srvctl why`` says of a death in an old ledger what the log said then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from srvctl.errors import ExitCode, printable

if TYPE_CHECKING:
    from srvctl.ipc.deaths import Death

#: Signals of a process's own making: what happened in it.
_CRASHES: Final = {
    "SIGSEGV": "segmentation fault (SIGSEGV)",
    "SIGBUS": "bus error (SIGBUS)",
    "SIGABRT": "aborted (SIGABRT): Python or a library gave up",
    "SIGILL": "illegal instruction (SIGILL)",
    "SIGFPE": "arithmetic error (SIGFPE)",
    "SIGSYS": "system call that is not allowed (SIGSYS)",
    "SIGXCPU": "used up its CPU time (SIGXCPU)",
}
#: The ends of a worker that does as it is told, or is made to.
_ORDERLY: Final = {"exit code 0", "killed by SIGTERM", "killed by SIGKILL"}
#: How `Death.asked_by` begins, up to a colon: why srvctl ended a worker, where these words alone do not tell.
_REASONS: Final = {
    "reload": "replaced by a reload",
    "max_requests": "recycled: max_requests",
    "max_lifetime": "recycled: max_lifetime",
    "max_memory": "recycled: max_memory",
    "memory_watermark": "recycled: memory_watermark",
    "hang": "hung",
    "health probe": "replaced: health probe",
    "itself, or a signal": "drained by itself, or for a signal that somebody sent it",
}
#: How it begins where something is broken.
_FAILURES: Final = (
    "hang",
    "health probe",
    "not ready within",
    "it broke its channel",
    "nonsense on its board",
    "it did not obey",
)
#: What is between the reason and what became of it: ``reload; it did not end within 44 s``.
_SEQUEL: Final = "; "
_EXIT: Final = re.compile(r"exit code (\d{1,3})", re.ASCII)
_SIGNAL: Final = re.compile(r"killed by (?:signal )?(\w+)")
_PLAIN: Final = re.compile(r"[\w.,:/@%+-]+", re.ASCII)


def verdict(death: Death) -> str:
    """Return why the worker died: one sentence, without a period; it may hold texts of others."""
    if death.oom:
        return f"killed by the kernel's OOM killer{_memory(death)}"
    return _asked(death) + _how_it_went(death) if death.asked_by else _unasked(death)


def is_expected(death: Death) -> bool:
    """Return whether nobody need look: srvctl wanted it, for no fault, it obeyed, and no request was lost."""
    is_wanted = death.asked_by != "" and not death.asked_by.startswith(_FAILURES)
    return is_wanted and not death.oom and death.lost == 0 and death.cause in _ORDERLY


def log_line(death: Death) -> str:
    """Return a death as ``key=value`` pairs on one line, always the same keys, in bytes and seconds.

    A value with other characters than those of names, numbers and paths is between quotation marks, with a
    backslash before a quotation mark, a backslash or what stands for a control character.
    """
    values: dict[str, object] = {
        "event": "worker_died",
        "worker": death.worker,
        "pid": death.pid,
        "slot": death.slot,
        "generation": death.generation,
        "master": death.master,
        "state": death.state,
        "cause": death.cause,
        "asked_by": death.asked_by,
        "verdict": verdict(death),
        "expected": is_expected(death),
        "uptime": round(death.uptime, 3),
        "oom": death.oom,
        "measured": death.is_measured,
        "rss": death.rss,
        "rss_trend": ",".join(map(str, death.rss_trend)),
        "lag": round(death.lag, 3),
        "lag_max": round(death.lag_max, 3),
        "served": death.served,
        "in_flight": death.in_flight,
        "cut": death.cut,
        "stack": death.stack,
    }
    return " ".join(f"{key}={_quoted(value)}" for key, value in values.items())


def size_text(size: int) -> str:
    """Return a number of bytes as people read it, in MiB."""
    return f"{size / 2**20:.0f} MiB" if size >= 10 * 2**20 else f"{size / 2**20:.1f} MiB"


def _memory(death: Death) -> str:
    known = [size for size in (*death.rss_trend, death.rss) if size]
    if not known:
        return ""
    first, last = known[0], known[-1]
    if last > first:
        return f" (memory grew from {size_text(first)} to {size_text(last)})"
    return f" ({size_text(last)} when it was last measured)"


def _asked(death: Death) -> str:
    asked, _, _ = death.asked_by.partition(_SEQUEL)
    kind, _, details = asked.partition(": ")
    reason = _REASONS.get(kind)
    if reason is None:
        return f"ended by srvctl: {asked}"
    if not details:
        return reason
    return f"{reason} ({details})" if ":" in reason else f"{reason}: {details}"


def _how_it_went(death: Death) -> str:
    """Return what a worker that was to end did not do as it should have."""
    is_hung = death.asked_by.startswith("hang")
    if death.cause in {"exit code 0", "killed by SIGTERM"}:
        return ", but came to itself and left" if is_hung and death.cause == "exit code 0" else ""
    if death.cause == "killed by SIGKILL":
        if death.state != "dying":
            return ", and killed by SIGKILL from outside before it was done"
        why = death.asked_by.partition(_SEQUEL)[2]
        return ", so it was killed" if is_hung else ", and had to be killed" + f": {why}" * bool(why)
    code, signal = _parsed(death.cause)
    if code:
        return f", and left with exit code {code}"
    return f", and crashed on its way: {_CRASHES.get(signal, death.cause)}"


def _unasked(death: Death) -> str:
    code, signal = _parsed(death.cause)
    if code:
        return _left(death, int(code))
    if signal in _CRASHES:
        return _CRASHES[signal]
    if signal:
        return f"{death.cause} from outside: nobody in srvctl asked"
    return death.cause or "nothing is known of its end"


def _left(death: Death, code: int) -> str:
    """Return why a process ended by itself, as far as its exit code tells."""
    if death.state == "booting" and code == ExitCode.NEVER_UP:
        return "never came up: its application could not be imported or started"
    if death.state == "draining" and code == ExitCode.OK:
        return "drained and left: somebody outside of srvctl sent it SIGTERM or SIGINT"
    left = f"left by itself with exit code {code}" + (" before it was ready" * (death.state == "booting"))
    maybe = "srvctl failed in it, or " if code == ExitCode.INTERNAL else ""
    return f"{left}: {maybe}the application or a library called exit"


def _parsed(cause: str) -> tuple[str, str]:
    """Return the exit code and the signal that a cause names, one of them at most."""
    exited, killed = _EXIT.fullmatch(cause), _SIGNAL.fullmatch(cause)
    return exited[1] if exited else "", killed[1] if killed else ""


def _quoted(value: object) -> str:
    text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    if _PLAIN.fullmatch(text):
        return text
    return '"' + printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
