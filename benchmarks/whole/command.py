"""``python -m benchmarks all`` and ``readme``: their arguments, and the run from part to part."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Final

from benchmarks import wrk
from benchmarks.arguments import add_servers, at_least_one, progress
from benchmarks.errors import BenchmarkError
from benchmarks.processes import ROOT
from benchmarks.servers import SERVERS
from benchmarks.whole import estimates, readme, store
from benchmarks.whole.conditions import Watch, machine
from benchmarks.whole.parts import PARTS, Scope, chosen
from benchmarks.whole.values import Entry, Results

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from benchmarks.servers import Server
    from benchmarks.whole.parts import Part

_ROUNDS: Final = 10
_SECONDS: Final = 2
_REQUESTS: Final = 1_000_000
_QUICK_ROUNDS: Final = 3
_QUICK_SECONDS: Final = 1
_QUICK_REQUESTS: Final = 20_000
_EVERYONE: Final = list(SERVERS.values())
#: Whom a quick run leaves out if nobody is named.
_NOT_QUICK: Final = ("srvctl-h11", "nginx", "raw")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands."""
    parser = commands.add_parser(
        "all",
        help="run everything, and write a report",
        description="Run everything. A run that was ended goes on where it was when it is started again.",
    )
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("benchmarks/results"),
        metavar="DIR",
        help="folder for results.json, report.md and report.html (default benchmarks/results)",
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, in 8 minutes or so")
    parser.add_argument("--fresh", action="store_true", help="begin anew, whatever the folder has")
    parser.add_argument("--only", type=_names, metavar="NAME", help="parts, or families of them, with commas")
    parser.add_argument("--rounds", type=at_least_one, help="for each server (default 10; quick 3)")
    parser.add_argument("--seconds", type=at_least_one, help="length of a round (default 2; quick 1)")
    parser.add_argument(
        "--requests", type=at_least_one, help="of the memory part (default 1,000,000; quick 20,000)"
    )
    add_servers(parser, SERVERS, _EVERYONE)
    parser.add_argument("--list", action="store_true", help="list the parts and their times, and run nothing")
    parser.set_defaults(run=_run, list_all=_listing)
    table = commands.add_parser(
        "readme",
        help="make the README's table from the results of a run",
        description="Print the table, or put it between its markers.",
    )
    table.add_argument("results", type=Path, metavar="FILE", help="results.json of a run")
    table.add_argument("--into", type=Path, metavar="FILE", help="replace the table in this file")
    table.add_argument("--page", type=Path, metavar="DIR", help="also copy the report to this folder")
    table.set_defaults(run=_readme, list=False)


def _names(value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


def _run(options: argparse.Namespace) -> int:
    scope = _scope(options)
    parts = chosen(options.only, is_quick=options.quick)
    wrk.find()
    if options.fresh:
        rmtree(options.report / store.PLOTS, ignore_errors=True)
        (options.report / store.RESULTS).unlink(missing_ok=True)
    results = begun(store.load(options.report / store.RESULTS), _new(scope, parts))
    todo = [part for part in parts if part.name not in results.entries or results.entries[part.name].failed]
    if len(todo) < len(parts):
        progress(f"{len(parts) - len(todo)} of {len(parts)} parts are there from before")
    try:
        results = measure(options.report, results, todo, scope)
    except (KeyboardInterrupt, SystemExit):
        progress(f"the report in {options.report} has what there is; the same command goes on with the rest")
        raise
    store.save(options.report, results)
    print(options.report / store.PAGE)
    return 1 if any(results.entries[part.name].failed for part in parts) else 0


def begun(stored: Results | None, new: Results) -> Results:
    """Return the results to go on with: those of before, if they are of the same run, with its new parts.

    Raises:
        BenchmarkError: They are of another one.
    """
    if stored is None:
        return new
    for what in ("settings", "versions"):
        before: Mapping[str, object] = getattr(stored, what)
        now: Mapping[str, object] = getattr(new, what)
        other = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        if other:
            said = ", ".join(f"{name} {before.get(name)}, not {now.get(name)}" for name in other)
            raise BenchmarkError(
                f"The folder has the results of another run ({said}); name another one, or say --fresh."
            )
    names = {*stored.planned, *new.planned}
    return replace(stored, planned=tuple(name for name in PARTS if name in names))


def measure(folder: Path, results: Results, todo: Sequence[Part], scope: Scope) -> Results:
    """Run these parts one after the other, keep what each has found, and return all of it."""
    expected = [part.estimate(scope) for part in todo]
    taken: list[float] = []
    for number, part in enumerate(todo):
        pace = estimates.pace(expected[:number], taken)
        progress(estimates.line(number + 1, len(todo), part.name, pace * sum(expected[number:])))
        entry = _entry(folder, part, scope)
        taken.append(entry.seconds)
        results = replace(results, entries={**results.entries, part.name: entry})
        store.save(folder, results)
    return results


def _entry(folder: Path, part: Part, scope: Scope) -> Entry:
    watch = Watch()
    try:
        found = part.run(scope)
    except (BenchmarkError, OSError) as error:
        progress(f"{part.name} failed: {error}")
        return Entry(part.name, part.about, watch.seconds, watch.conditions(), failed=str(error))
    store.save_pictures(folder, found.pictures)
    store.save_samples(folder, part.name, found.samples)
    return Entry(
        name=part.name,
        about=part.about,
        seconds=watch.seconds,
        conditions=watch.conditions(),
        text=found.text,
        is_plain=found.is_plain,
        charts=found.charts,
        pictures=tuple(found.pictures),
    )


def _scope(options: argparse.Namespace) -> Scope:
    rounds, seconds, requests = (
        (_QUICK_ROUNDS, _QUICK_SECONDS, _QUICK_REQUESTS) if options.quick else (_ROUNDS, _SECONDS, _REQUESTS)
    )
    servers = options.servers
    if options.quick and servers == _EVERYONE:
        servers = [server for server in servers if server.name not in _NOT_QUICK]
    return Scope(
        servers=tuple(servers),
        rounds=options.rounds or rounds,
        seconds=options.seconds or seconds,
        requests=options.requests or requests,
        is_quick=options.quick,
    )


def _new(scope: Scope, parts: Sequence[Part]) -> Results:
    return Results(
        settings={
            "quick": scope.is_quick,
            "rounds": scope.rounds,
            "seconds": scope.seconds,
            "requests": scope.requests,
            "servers": [server.name for server in scope.servers],
        },
        machine=machine(),
        versions={server.name: _version(server) for server in scope.servers},
        began=datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M"),
        planned=tuple(part.name for part in parts),
        entries={},
    )


def _version(server: Server) -> str:
    found = server.installed_version()
    if found is None:
        return "not installed"
    if server.distribution == "srvctl":
        found = f"{found}{_commit()}"
    beside = ", ".join(
        f"{name} {its or 'not installed'}" for name, its in server.companion_versions().items()
    )
    return f"{found} with {beside}" if beside else found


def _commit() -> str:
    """Return the commit that last changed srvctl, marked where files differ; empty if there is none."""
    commit = _git("log", "-1", "--format=%h", "--", "srvctl")
    changed = "+changes" if _git("status", "--porcelain", "--", "srvctl") else ""
    return f" ({commit}{changed})" if commit else ""


def _git(*arguments: str) -> str:
    line = ["git", *arguments]
    try:
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _listing(options: argparse.Namespace) -> str:
    scope, parts = _scope(options), chosen(options.only, is_quick=options.quick)
    seconds = [part.estimate(scope) for part in parts]
    lines = [
        f"  {part.name:<26} {estimates.duration(each):<22} {part.about}"
        for part, each in zip(parts, seconds, strict=True)
    ]
    return "\n".join([f"{len(parts)} parts, {estimates.duration(sum(seconds))} in all", *lines])


def _readme(options: argparse.Namespace) -> int:
    results = store.load(options.results)
    if results is None:
        raise BenchmarkError(f"There is no {options.results}; python -m benchmarks all writes one.")
    if options.page is not None:
        _publish(options.results.parent, options.page, results)
    if options.into is None:
        print(readme.block(results))
    else:
        readme.insert(options.into, results)
    return 0


def _publish(source: Path, folder: Path, results: Results) -> None:
    """Copy what the documentation has of a run: the report, its pictures, and the results themselves."""
    if source.resolve() != folder.resolve():
        pictures = [name for entry in results.in_order for name in entry.pictures]
        found = {name: (source / store.PICTURES / name).read_text(encoding="utf-8") for name in pictures}
        rmtree(folder / store.PLOTS, ignore_errors=True)
        store.save_pictures(folder, found)
    store.save_pages(folder, results)
    (folder / store.RESULTS).write_text(store.dumps(results.as_json()), encoding="utf-8")
