"""The folder of a run: ``results.json``, both reports, plots, profiles, and all samples.

It is written anew after each part, so that whatever ends a run, there is a report of what it has found.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from benchmarks.errors import BenchmarkError
from benchmarks.whole import markdown, page, plots
from benchmarks.whole.values import Results

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RESULTS: Final = "results.json"
REPORT: Final = "report.md"
PAGE: Final = "report.html"
PICTURES: Final = "profiles"
PLOTS: Final = "plots"
SAMPLES: Final = "samples"


def load(path: Path) -> Results | None:
    """Return the results in a file; None if there is no such file.

    Raises:
        BenchmarkError: It is something else.
    """
    try:
        return Results.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BenchmarkError(
            f"{path} is not what a run of this version wrote ({error!r}); name another folder or say --fresh."
        ) from error


def save(folder: Path, results: Results) -> None:
    """Write everything that follows from the results into a folder.

    Raises:
        BenchmarkError: It cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / RESULTS, dumps(results.as_json()))
        save_pages(folder, results)
        _write(folder / PAGE, page.html(results, _pictures(folder, results)))
    except OSError as error:
        raise BenchmarkError(f"{folder} cannot be written to: {error.strerror}.") from error


def save_pages(folder: Path, results: Results) -> None:
    """Write the Markdown report and the plots it shows."""
    for name, chart in markdown.plots(results).items():
        _write(folder / PLOTS / f"{name}.svg", plots.svg(chart, name, is_alone=True) + "\n")
    _write(folder / REPORT, markdown.text(results))


def save_pictures(folder: Path, pictures: Mapping[str, str]) -> None:
    """Write the SVG files that a part has made."""
    for name, svg in pictures.items():
        _write(folder / PICTURES / name, svg)


def save_samples(folder: Path, name: str, samples: Any) -> None:
    """Write everything that a part has measured."""
    if samples is not None:
        _write(folder / SAMPLES / f"{name}.json", json.dumps(samples, indent=1) + "\n")


def dumps(whole: Mapping[str, Any]) -> str:
    """Return JSON that is small and still has lines to compare: one for each row of a chart."""
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return text.replace('{"name":', '\n{"name":').replace('{"key":', '\n{"key":') + "\n"


def _pictures(folder: Path, results: Results) -> dict[str, str]:
    found = {}
    for entry in results.in_order:
        for name in entry.pictures:
            path = folder / PICTURES / name
            if path.exists():
                found[name] = path.read_text(encoding="utf-8")
    return found


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole, so that one that is read meanwhile is the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
