"""What ``srvctl status`` prints for people: the instance in a few lines, and a line for each worker. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli.columns import aligned
from srvctl.cli.quantities import count, duration, latency, share, short_duration, short_size
from srvctl.cli.values import items, number, programs, shown, table, workers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEAD: Final = (
    "SLOT",
    "PID",
    "STATE",
    "GEN",
    "UPTIME",
    "CPU",
    "PSS",
    "REQ",
    "ERR",
    "IN FLIGHT",
    "CONN",
    "LAG",
)


_PROGRAM_HEAD: Final = ("PROGRAM", "PID", "STATE", "UPTIME", "RESTARTS")


def as_text(status: Mapping[str, Any]) -> str:
    """Return a status as the master gives it, without what it does not say."""
    lines = [_headline(status)]
    lines += [f"  {shown(bind)}" for bind in items(status, "binds")]
    lines += [f"  {text}" for text in (reload_text(status), _missing(status), scale_text(status)) if text]
    lines += ["", *worker_table(status)] if workers(status) else ["  no workers"]
    lines += ["", *program_table(status)] if programs(status) else []
    endings = [text for text in (restarts(status), failure(status)) if text]
    return "\n".join([*lines, *([""] if endings else []), *endings])


def worker_table(status: Mapping[str, Any]) -> list[str]:
    """Return the workers as the lines of a table."""
    found = workers(status)
    has_pss = not found or any(worker.get("pss") for worker in found)
    head = tuple(name if has_pss or name != "PSS" else "RSS" for name in _HEAD)
    remarks = [shown(worker.get("leaves_because") or "") for worker in found]
    rows = [_row(worker, "pss" if has_pss else "rss") for worker in found]
    return aligned(head, rows, {"STATE"}, remarks)


def program_table(status: Mapping[str, Any]) -> list[str]:
    """Return what runs beside the workers as the lines of a table."""
    found = programs(status)
    several = Counter(program.get("name") for program in found)
    rows = [_program_row(program, has_others=several[program.get("name")] > 1) for program in found]
    remarks = [shown(program.get("reason") or "") for program in found]
    return aligned(_PROGRAM_HEAD, rows, {"PROGRAM", "STATE"}, remarks)


def restarts(status: Mapping[str, Any]) -> str:
    """Return how many workers were replaced, by cause; empty if none was."""
    causes = {name: n for name, n in table(status, "restarts").items() if isinstance(n, int) and n > 0}
    listed = sorted(causes.items(), key=lambda cause: -cause[1])
    return f"restarts: {', '.join(f'{n} {shown(name)}' for name, n in listed)}" if listed else ""


def failure(status: Mapping[str, Any]) -> str:
    """Return why the last reload failed; empty if it did not."""
    error = table(status, "reload").get("error")
    return f"the last reload failed: {shown(error)}" if error else ""


def ready(status: Mapping[str, Any]) -> int:
    """Return how many slots have a worker that serves."""
    return len({worker.get("slot") for worker in workers(status) if worker.get("state") == "ready"})


def _headline(status: Mapping[str, Any]) -> str:
    generation, uptime = status.get("generation"), number(status, "uptime")
    name, app, state = (shown(status.get(key) or "?") for key in ("name", "app", "state"))
    parts = [
        f"{name} ({app}): {state}",
        f"pid {shown(status.get('pid', '?'))}",
        f"generation {shown(generation)}" if generation is not None else "",
        f"up {duration(uptime)}" if uptime else "",
        f"srvctl {shown(status.get('version', '?'))}",
    ]
    return ", ".join(part for part in parts if part)


def reload_text(status: Mapping[str, Any]) -> str:
    """Return how far a reload is; empty if there is none."""
    reload = table(status, "reload")
    if reload.get("state") in {None, "", "idle"}:
        return ""
    return f"reload to generation {shown(reload.get('generation'))}: {shown(reload['state'])}"


def scale_text(status: Mapping[str, Any]) -> str:
    """Return how the number of workers follows the load; empty where it does not."""
    scale = table(status, "scale")
    if not scale.get("follows_load"):
        return ""
    bounds = f"{int(number(scale, 'min'))} to {int(number(scale, 'max'))}"
    wanted = int(number(status, "target"))
    text = f"{wanted} worker{' is' if wanted == 1 else 's are'} wanted, of {bounds} by the load"
    if scale.get("held"):
        return f"{text}, which needs more ({shown(scale['held'])})"
    return f"{text}: {shown(scale['why'])}" if scale.get("why") else text


def _missing(status: Mapping[str, Any]) -> str:
    wanted, there = int(number(status, "target")), ready(status)
    return f"{there} of {wanted} workers are ready" if there < wanted else ""


def _row(worker: Mapping[str, Any], memory: str) -> Sequence[str]:
    pid, size = worker.get("pid"), number(worker, memory)
    return (
        shown(worker.get("slot", "?")),
        shown(pid) if pid else "-",
        shown(worker.get("state", "?")),
        shown(worker.get("generation", "?")),
        short_duration(number(worker, "uptime")),
        share(number(worker, "cpu")),
        short_size(size) if size else "-",
        count(number(worker, "requests")),
        count(number(worker, "errors")),
        count(number(worker, "in_flight")),
        count(number(worker, "connections")),
        latency(number(worker, "loop_lag")),
    )


def _program_row(program: Mapping[str, Any], *, has_others: bool) -> Sequence[str]:
    pid, name = program.get("pid"), shown(program.get("name", "?"))
    return (
        f"{name}:{shown(program.get('index', '?'))}" if has_others else name,
        shown(pid) if pid else "-",
        shown(program.get("state", "?")),
        short_duration(number(program, "uptime")) if pid else "-",
        count(number(program, "restarts")),
    )
