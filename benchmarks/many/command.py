"""``python -m benchmarks many``: its arguments, and what they have done."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import machine
from benchmarks.arguments import at_least_one, progress
from benchmarks.many import connections, reloads, workers

if TYPE_CHECKING:
    from collections.abc import Sequence

_PARTS: Final = ("workers", "connections", "reloads")
#: Workers and reloads.
_ENDURED: Final = ((2, 1000), (16, 300))
_QUICK: Final = ((2, 30), (4, 10))


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "many",
        help="many workers, many connections, many reloads",
        description="Measure srvctl at its largest; the exit code is 1 if anything was lost.",
    )
    parser.add_argument("--only", type=_parts, default=list(_PARTS), metavar="PART", help=", ".join(_PARTS))
    parser.add_argument("--workers", type=_counts, metavar="N,...", help="(default 1,4,16,64)")
    parser.add_argument("--connections", type=at_least_one, help="held at once (default 10,000)")
    parser.add_argument("--reloads", type=_pairs, metavar="N:COUNT,...", help="(default 2:1000,16:300)")
    parser.add_argument("--quick", action="store_true", help="less of everything, about a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to a file")
    parser.set_defaults(run=_run, list=False)


def _parts(value: str) -> list[str]:
    parts = [part.strip() for part in value.split(",")]
    if unknown := [part for part in parts if part not in _PARTS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(_PARTS)}")
    return parts


def _counts(value: str) -> list[int]:
    return [at_least_one(part) for part in value.split(",")]


def _pairs(value: str) -> list[tuple[int, int]]:
    pairs = [part.partition(":") for part in value.split(",")]
    return [(at_least_one(number), at_least_one(count)) for number, _, count in pairs]


def _run(options: argparse.Namespace) -> int:
    quick: bool = options.quick
    counts: Sequence[int] = options.workers or ((1, 16) if quick else (1, 4, 16, 64))
    found: dict[str, Any] = {"machine": machine.facts()}
    blocks: list[str] = [", ".join(f"{name}: {value}" for name, value in machine.facts().items())]
    lost = 0
    if "workers" in options.only:
        costs = workers.measure(counts, 3 if quick else 10, progress)
        found["workers"] = [cost.as_json() for cost in costs]
        blocks.append(workers.text(costs))
    if "connections" in options.only:
        number = options.connections or (1000 if quick else 10_000)
        crowded = connections.crowd(max(counts), number, min(number // 10, 400), progress)
        found["connections"] = crowded.as_json()
        blocks.append(connections.text(crowded))
        lost += crowded.lost
    if "reloads" in options.only:
        pairs = options.reloads or (_QUICK if quick else _ENDURED)
        endured = [reloads.endure(number, count, progress) for number, count in pairs]
        found["reloads"] = [one.as_json() for one in endured]
        blocks.append(reloads.text(endured))
        lost += sum(one.lost for one in endured)
    print("\n\n".join(blocks))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 1 if lost else 0
