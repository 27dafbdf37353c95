"""Medians, ratios and what the table says of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks import report
from benchmarks.load import Errors, Load
from benchmarks.results import Comparison, Footprint, Plan, Round, ServerResult

MIB = 1024 * 1024


def a_round(
    number: int,
    *,
    cpu_us: float,
    requests: int = 10_000,
    p99_ms: float | None = 5.0,
    errors: Errors | None = None,
    others: float | None = None,
) -> Round:
    load = Load(
        requests=requests,
        seconds=2.0,
        received_bytes=1,
        p50_ms=1.0,
        p99_ms=p99_ms,
        p999_ms=9.0,
        errors=errors or Errors(),
    )
    return Round(number, load, cpu_seconds=cpu_us * requests / 1e6, others_share=others)


def a_result(name: str, rounds: list[Round], companions: dict[str, str | None] | None = None) -> ServerResult:
    footprint = Footprint(
        processes=2,
        pss_bytes=40 * MIB,
        root_pss_bytes=15 * MIB,
        alone_bytes=50 * MIB,
        root_idle_ms_per_second=0.0,
        idle_ms_per_second=None,
    )
    return ServerResult(name, "1.0", companions or {}, tuple(rounds), footprint)


def a_comparison(*results: ServerResult, left_out: dict[str, str] | None = None) -> Comparison:
    plan = Plan("hello", rounds=3, seconds=2, connections=64, pinned=True)
    return Comparison(plan, {"processor": "abacus"}, results, left_out or {})


def cells(text: str, name: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {name} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def figures(spread: report.Spread | None) -> tuple[float, float, float]:
    assert spread is not None
    return spread.low, spread.median, spread.high


def test_a_round_knows_its_rates() -> None:
    one = a_round(1, cpu_us=40.0, requests=1000)
    assert one.requests_per_second == 500
    assert one.cpu_us_per_request == pytest.approx(40)


def test_each_figure_is_the_median_of_the_rounds() -> None:
    rounds = [a_round(1, cpu_us=30), a_round(2, cpu_us=90), a_round(3, cpu_us=40)]
    summary = report.summarise(a_comparison(a_result("granian", rounds)))["granian"]
    assert figures(summary.cpu_us_per_request) == pytest.approx((30, 40, 90))


def test_ratios_are_taken_within_a_round() -> None:
    """The machine is three times slower in round 2: the ratio of the two servers does not see it."""
    base = a_result("uvicorn", [a_round(1, cpu_us=40), a_round(2, cpu_us=120)])
    fast = a_result("srvctl", [a_round(1, cpu_us=20), a_round(2, cpu_us=60)])
    ratio = report.summarise(a_comparison(base, fast))["srvctl"].cpu_ratio
    assert figures(ratio) == pytest.approx((2, 2, 2))


def test_a_round_the_baseline_missed_gives_no_ratio() -> None:
    base = a_result("uvicorn", [a_round(1, cpu_us=40)])
    other = a_result("srvctl", [a_round(1, cpu_us=20), a_round(2, cpu_us=1)])
    ratio = report.summarise(a_comparison(base, other))["srvctl"].cpu_ratio
    assert figures(ratio) == pytest.approx((2, 2, 2))


def test_without_the_baseline_there_is_no_ratio() -> None:
    text = report.text(a_comparison(a_result("srvctl", [a_round(1, cpu_us=20)])))
    assert cells(text, "srvctl")[4:6] == ["-", "-"]


def test_the_table_shows_every_figure() -> None:
    base = a_result("uvicorn", [a_round(1, cpu_us=40), a_round(2, cpu_us=44)])
    other = a_result("srvctl", [a_round(1, cpu_us=20), a_round(2, cpu_us=20)])
    text = report.text(a_comparison(base, other))
    assert cells(text, "srvctl") == [
        "srvctl",
        "1.0",
        "5,000",
        "20.0",
        "2.10",
        "2.00 to 2.20",
        "5.0",
        "1.00",
        "0",
        "40.0",
        "15.0",
        "50.0",
        "-",
        "0.00",
        "0",
    ]
    assert "processor abacus" in text


def test_columns_are_aligned() -> None:
    text = report.text(a_comparison(a_result("uvicorn", [a_round(1, cpu_us=40)])))
    assert len({len(line) for line in text.splitlines() if line.startswith("|")}) == 1


def test_errors_under_load_are_flagged_with_their_kinds() -> None:
    rounds = [a_round(1, cpu_us=1, errors=Errors(status=2)), a_round(2, cpu_us=1, errors=Errors(timeout=1))]
    text = report.text(a_comparison(a_result("srvctl", rounds)))
    assert cells(text, "srvctl")[-1] == "3"
    assert "ERRORS under load, its figures do not count: srvctl: 2 status, 1 timeout" in text


def test_who_is_left_out_and_why_is_told_without_a_table() -> None:
    text = report.text(a_comparison(left_out={"srvctl": "did not start: no"}))
    assert "left out: srvctl: did not start: no" in text
    assert "|" not in text


def test_what_a_server_gets_its_speed_from_is_told() -> None:
    result = a_result("gunicorn", [a_round(1, cpu_us=1)], {"uvloop": "0.23", "gunicorn_h1c": None})
    assert "gunicorn: uvloop 0.23, gunicorn_h1c not installed" in report.text(a_comparison(result))


def test_a_latency_wrk_does_not_have_is_a_dash() -> None:
    text = report.text(a_comparison(a_result("srvctl", [a_round(1, cpu_us=20, p99_ms=None)])))
    assert cells(text, "srvctl")[6] == "-"


def test_json_has_the_samples_and_their_summary() -> None:
    comparison = a_comparison(a_result("uvicorn", [a_round(1, cpu_us=40)]))
    read = json.loads(json.dumps(report.as_json(comparison)))
    assert read["results"][0]["summary"]["cpu_ratio"] == {"median": 1, "low": 1, "high": 1}
    assert read["results"][0]["rounds"][0]["load"]["requests"] == 10_000
    assert read["plan"]["workload"] == "hello"


def test_a_machine_busy_in_many_loads_is_told() -> None:
    rounds = [a_round(number, cpu_us=20, others=share) for number, share in enumerate([0.0, 0.2, 0.6], 1)]
    text = report.text(a_comparison(a_result("srvctl", rounds)))
    assert "- BUSY MACHINE, repeat on a quiet one: other processes took over 3%" in text
    assert "in 2 of 3 loads, 60% at most" in text


def test_a_machine_disturbed_once_is_not_called_busy() -> None:
    rounds = [a_round(number, cpu_us=20, others=share) for number, share in enumerate([0.0] * 5 + [0.5], 1)]
    text = report.text(a_comparison(a_result("srvctl", rounds)))
    assert "- other processes took over 3% of the servers' CPU in 1 of 6 loads, 50% at most" in text


def test_where_servers_have_no_cpu_of_their_own_nothing_is_said_of_others() -> None:
    assert "other processes" not in report.text(a_comparison(a_result("srvctl", [a_round(1, cpu_us=20)])))


def test_a_server_whose_own_figures_scatter_is_told() -> None:
    """A virtual machine's host can slow it down without a trace in the machine's own figures."""
    steady = a_result("steady", [a_round(1, cpu_us=40), a_round(2, cpu_us=44)])
    unsteady = a_result("unsteady", [a_round(1, cpu_us=40), a_round(2, cpu_us=60)])
    text = report.text(a_comparison(steady, unsteady))
    assert "UNSTEADY: unsteady took 40.0 to 60.0 µs/req" in text
    assert "UNSTEADY: steady" not in text


def test_what_a_feature_costs_is_told_beside_what_it_is_compared_with() -> None:
    quiet = a_result("srvctl", [a_round(1, cpu_us=20), a_round(2, cpu_us=20)])
    loud = replace(a_result("srvctl log", [a_round(1, cpu_us=22), a_round(2, cpu_us=23)]), beside="srvctl")
    text = report.text(a_comparison(quiet, loud))
    assert "srvctl log takes 1.12 times the CPU of srvctl (+12.4%); 1.10 to 1.15 in single rounds" in text


def test_the_baseline_is_the_plans() -> None:
    one, two = a_result("one", [a_round(1, cpu_us=40)]), a_result("two", [a_round(1, cpu_us=10)])
    comparison = a_comparison(one, two)
    comparison = replace(comparison, plan=replace(comparison.plan, baseline="one"))
    text = report.text(comparison)
    assert "one ÷ this" in text
    assert cells(text, "two")[4] == "4.00"


def test_p99_is_compared_as_well() -> None:
    base = a_result("uvicorn", [a_round(1, cpu_us=40, p99_ms=9.0), a_round(2, cpu_us=40, p99_ms=None)])
    other = a_result("srvctl", [a_round(1, cpu_us=20, p99_ms=3.0), a_round(2, cpu_us=20, p99_ms=3.0)])
    assert cells(report.text(a_comparison(base, other)), "srvctl")[7] == "3.00"
