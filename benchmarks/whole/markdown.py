"""From results to the report in Markdown, of which the HTML page is made as well. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.tables import aligned
from benchmarks.whole import charts, readme
from benchmarks.whole.estimates import duration

if TYPE_CHECKING:
    from benchmarks.whole.values import Chart, Entry, Results

_FAULTS: Final = "faults"
#: A part is disturbed beyond these shares of all CPU time.
_STEAL: Final = 0.02
_OTHERS: Final = 0.05


def text(results: Results) -> str:
    """Return the whole report."""
    blocks = [
        "# A run of all benchmarks",
        _state(results),
        "## In short",
        readme.table(results) or "No server was measured.",
        *_overview(results),
        "## The machine",
        _machine(results),
        "## The servers",
        aligned(["server", "version"], [[name, found] for name, found in results.versions.items()], left=2),
    ]
    for entry in results.in_order:
        blocks += _section(entry)
    blocks += ["## How quiet the machine was", _quiet(results)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def plots(results: Results) -> dict[str, Chart]:
    """Return every chart of the report by the name of its file, without an ending."""
    found = {f"{entry.name}-{chart.key}": chart for entry in results.in_order for chart in entry.charts}
    overview = charts.faults(results.in_order)
    return found if overview is None else {_FAULTS: overview, **found}


def disturbed(entry: Entry) -> str:
    """Return what spoils the figures of a part; empty if nothing is known to."""
    found = []
    if entry.conditions.steal_share > _STEAL:
        found.append(f"the hypervisor gave {entry.conditions.steal_share:.0%} of the CPUs to others")
    if entry.conditions.others_share > _OTHERS:
        found.append(f"other processes took {entry.conditions.others_share:.0%} of the CPUs")
    return " and ".join(found)


def _state(results: Results) -> str:
    """Return when this was, and whether it is all there and to be believed."""
    done, planned = len(results.entries), len(results.planned)
    taken = duration(sum(entry.seconds for entry in results.entries.values()))
    lines = [f"Measured on {results.began} UTC by `python -m benchmarks all`, which took {taken}."]
    if results.settings.get("quick"):
        lines.append("**A quick run**: it shows that everything works, and large differences.")
    if results.missing:
        missing = ", ".join(results.missing)
        lines.append(f"**INCOMPLETE**: {done} of {planned} parts are there; missing are {missing}.")
    noisy = [entry.name for entry in results.in_order if disturbed(entry)]
    if noisy:
        lines.append(
            f"**BUSY MACHINE** during {len(noisy)} of {done} parts: believe ratios rather than figures,"
            " and ranges that do not overlap; repeat on a quiet machine."
        )
    failed = [entry.name for entry in results.in_order if entry.failed]
    if failed:
        lines.append(f"**FAILED**: {', '.join(failed)}.")
    return "\n\n".join(lines)


def _overview(results: Results) -> list[str]:
    chart = charts.faults(results.in_order)
    return [] if chart is None else [_picture(chart, _FAULTS)]


def _machine(results: Results) -> str:
    settings = ", ".join(
        f"{name} {value}" for name, value in results.settings.items() if not isinstance(value, list | dict)
    )
    rows = [[name, value] for name, value in results.machine.items()]
    return aligned(["", ""], [*rows, ["settings", settings]], left=2)


def _section(entry: Entry) -> list[str]:
    blocks = [f"## {entry.name}", f"{entry.about[:1].upper()}{entry.about[1:]}."]
    if entry.failed:
        return [*blocks, f"**Failed**: {entry.failed}"]
    noise = disturbed(entry)
    if noise:
        blocks.append(f"**BUSY MACHINE**: {noise}.")
    blocks += [_picture(chart, f"{entry.name}-{chart.key}") for chart in entry.charts]
    blocks += [f"[![{name}](profiles/{name})](profiles/{name})" for name in entry.pictures]
    return [*blocks, f"```text\n{entry.text}\n```" if entry.is_plain else entry.text]


def _picture(chart: Chart, name: str) -> str:
    return f"### {chart.title}\n\n![{chart.title}, {chart.unit}](plots/{name}.svg)\n\n*{chart.about}*"


def _quiet(results: Results) -> str:
    rows = [
        [
            entry.name,
            f"{entry.seconds:.0f} s",
            f"{entry.conditions.load_average:.2f}",
            f"{entry.conditions.steal_share:.1%}",
            f"{entry.conditions.others_share:.1%}",
            "BUSY" if disturbed(entry) else "",
        ]
        for entry in results.in_order
    ]
    header = ["part", "took", "load average before", "steal", "other processes", ""]
    about = (
        "Steal and other processes are shares of the time of all CPUs. The load average before a part is also"
        " that of the part before it; what other processes had is the figure to look at."
    )
    return f"{aligned(header, rows, left=1)}\n\n{about}"
